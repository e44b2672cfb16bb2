"""One price of a bar's four: for rules, and to feed an indicator. Plain functions; NaN goes through."""


def average_price(open: float, high: float, low: float, close: float) -> float:
    """(open + high + low + close) / 4."""
    return (open + high + low + close) / 4.0


def median_price(high: float, low: float) -> float:
    """(high + low) / 2."""
    return (high + low) / 2.0


def typical_price(high: float, low: float, close: float) -> float:
    """(high + low + close) / 3."""
    return (high + low + close) / 3.0


def weighted_close(high: float, low: float, close: float) -> float:
    """(high + low + 2 close) / 4."""
    return (high + low + 2.0 * close) / 4.0
