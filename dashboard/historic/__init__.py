"""Historic: a year of days, and of each day what was known, predicted and done."""
