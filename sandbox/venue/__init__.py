"""A venue that takes orders offline: Alpaca's and Gate.io's order APIs over one pure matching core.

From the inside out: `orders`, `instruments`, `account` and `matching` are values and pure functions; `exchange` and
`execution` are the core, which has no I/O and takes its time from an injected clock; `alpaca_*` and `gate_*` turn
requests into calls of the core, and orders into the provider's JSON; `venue` adds limits and faults to them; `web`
serves that over HTTP and WebSocket, `in_process` without either.
"""
