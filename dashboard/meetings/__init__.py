"""Events that people plan: with guests, repeats, reminders, and a time as of which all look at the data."""
