"""Notations: rating, tags and note of a person on any record, with history."""
