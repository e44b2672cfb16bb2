"""Keep the parts of `strades up` at work: watch what each does, start again what died or hangs, and say so."""
