"""Overall data: markets, and the states of the sources."""
