"""Trades: decisions down to the stored bytes."""
