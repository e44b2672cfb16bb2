"""An installation made, examined and run in containers."""
