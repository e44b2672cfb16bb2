"""What the operating system gives: processes, signals, files, terminals, ports, mail."""
