"""Results: wallets, what they hold, what they did, and what came of it."""
