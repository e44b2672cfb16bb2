"""Bundles: a strategy with what it claims, signed, so that others can run it again and compare."""
