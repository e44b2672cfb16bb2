"""Backtests, sweeps and the checks of a strategy, over bars in memory."""
