"""The commands that keep the data: what is loaded, redone, missing, changed, backed up."""
