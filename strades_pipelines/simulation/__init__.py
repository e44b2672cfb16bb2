"""Backtests, sweeps and checks of a strategy over bars in memory."""
