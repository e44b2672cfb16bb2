"""The first page: is my data fresh, what do I hold, what was decided and why, how does it do, what comes next."""
