"""From a fill or an order back to the bytes: each step a natural key, the last one checked against the stored body.

fill -> order with its events, and what the venue said at each -> intent -> decision (with its inputs) -> prediction
-> model and features -> cleaned rows, published values and articles -> records -> fetches -> bodies. A body is read
again, its SHA-256 compared, parsed again, and its rows compared with those stored. What no data of ours led to ends
elsewhere: in a venue's answer, in a statement's line, in the finding that was adopted.
"""
