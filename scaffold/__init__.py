"""The first files of a new source or a new strategy, which pass every check as they are: `python -m scaffold`."""
