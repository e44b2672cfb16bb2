"""The data manager: every table of the layers, its rows, where each comes from, and what people ask to change."""
