"""The community: acts of people and their feed, contacts, organizations, and who sees which wallet."""
