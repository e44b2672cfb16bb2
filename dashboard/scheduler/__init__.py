"""Scheduler: the agenda of past, present and future."""
