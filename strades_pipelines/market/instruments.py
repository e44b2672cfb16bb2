"""What is traded where, and how long its bars are."""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

LONGEST_INTERVAL = timedelta(days=36_525)  # a hundred years; longer ones are no times in microseconds
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# Quotation units of a hundredth: London quotes shares in pence (GBX, also written GBp), Johannesburg in cents of the
# rand (ZAc) and Tel Aviv in agorot (ILA), as Chicago does grains in cents (USX).
HUNDREDTHS = {
    "GBp": "GBP", "GBX": "GBP", "GBx": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS", "ILa": "ILS", "USX": "USD",
}  # fmt: skip
# Shares in them are quoted in either unit; shares in dollars are not.
IN_HUNDREDTHS = (frozenset(HUNDREDTHS) | frozenset(HUNDREDTHS.values())) - {"USX", "USD"}


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument at a venue: prices are whole ticks, quantities whole lots."""

    listing_id: int
    venue: str
    symbol: str
    currency: str
    tick: Decimal
    lot: Decimal

    @property
    def name(self) -> str:
        """The name people use: `VENUE:SYMBOL`."""
        return f"{self.venue}:{self.symbol}"

    @property
    def base(self) -> str | None:
        """The currency that a unit is, where the symbol is a pair with its own currency: BTC of BTC_USDT; else None."""
        symbol, quote = self.symbol.upper(), self.currency.upper()
        # Whatever stands between the two currencies: venues write BTC_USDT, BTC-USD and BTC/USD.
        return symbol.removesuffix(quote).rstrip("_-/:") or None if symbol.endswith(quote) else None


def interval_length(interval: str) -> timedelta:
    """How long a bar of `interval` (`1m`, `4h`, `1d`, ...) lasts at most.

    Raises:
        ValueError: for anything but a number and one of s, m, h, d, w, or more than 100 years.
    """
    match = re.fullmatch(r"([1-9]\d*)([smhdw])", interval)
    if match is None:
        raise ValueError(f"interval: expected a number and one of s, m, h, d, w (1m, 4h, 1d), was {interval!r}")
    try:
        length = timedelta(**{UNITS[match[2]]: int(match[1])})
    except OverflowError:
        length = timedelta.max
    if length > LONGEST_INTERVAL:
        raise ValueError(f"interval: expected at most 100 years, was {interval[:40]!r}")
    return length
