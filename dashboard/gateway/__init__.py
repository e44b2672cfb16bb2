"""The only door to the data: read models in SQL, parameters bound, all of one page from one snapshot."""
