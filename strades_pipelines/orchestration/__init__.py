"""Dagster's instance and its runs."""
