"""Pages of wallets: holdings, orders and fills, results."""
