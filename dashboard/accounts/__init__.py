"""Accounts: who may sign in, as what, by which proofs, and from where."""
