"""Search: one box for symbols, sources, wallets, strategies, runs and ids."""
