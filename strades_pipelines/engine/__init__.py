"""What steps a strategy through time: the order of events, the account, orders, fills, decisions."""
