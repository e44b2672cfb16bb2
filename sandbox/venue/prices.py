"""Price sources of the venues. Both are synthetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Protocol

from sandbox.draws import uniform
from sandbox.market import DAY, PAIRS, TRADES_PER_DAY, Pair
from sandbox.tape import Trade, trades_newest_first
from sandbox.world import microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Print:
    """One trade of the market. `size` caps what a working order gets from it (None: unlimited)."""

    time: datetime
    price: Decimal
    size: Decimal | None = None


class PriceSource(Protocol):
    """Prices of a venue's instruments at any past time."""

    def last(self, symbol: str, at: datetime) -> Decimal:
        """Return the price of the newest print at or before `at`."""

    def prints(self, symbol: str, since: datetime, until: datetime) -> Sequence[Print]:
        """Return the prints with since < time <= until, oldest first."""


@dataclass(frozen=True)
class TapePrices:
    """Trades of the synthetic crypto market, the same as `/spot/trades` serves."""

    seed: int

    def last(self, symbol: str, at: datetime) -> Decimal:
        """Return the price of the newest of the market's eight trades a minute."""
        pair, until = PAIRS[symbol], microseconds(at)
        [trade] = trades_newest_first(self.seed, pair, since=until - DAY, until=until, skip=0, count=1)
        return _price(pair, trade)

    def prints(self, symbol: str, since: datetime, until: datetime) -> Sequence[Print]:
        """Return the trades of the range, without their sizes: they do not cap fills."""
        pair, first, last = PAIRS[symbol], microseconds(since) + 1, microseconds(until)
        if last < first:
            return []
        # Both ends may lie inside of a day.
        most = ((last - first) // DAY + 2) * TRADES_PER_DAY
        trades = trades_newest_first(self.seed, pair, since=first, until=last, skip=0, count=most)
        return [Print(EPOCH + timedelta(microseconds=trade.time), _price(pair, trade)) for trade in reversed(trades)]


def _price(pair: Pair, trade: Trade) -> Decimal:
    return Decimal(trade.price).scaleb(-pair.price_decimals)


@cache
def _phase(seed: int, symbol: str, period: float) -> float:
    """Return where in its period a wave begins, as a fraction."""
    return uniform(seed, symbol, period)


# Near the last real closes of the sandbox (2013-03-01).
ANCHORS = {"AAPL": 430.0, "FB": 28.0, "GOOG": 806.0, "IBM": 203.0, "MSFT": 28.0}
WAVES = ((86_400.0, 0.010), (3_600.0, 0.004), (300.0, 0.001))  # period in seconds, relative height
MOST_PRINTS = 10_000  # per call: prints of a longer range are further apart


@dataclass(frozen=True)
class SyntheticStockPrices:
    """Synthetic stock prices: three sine waves around an anchor, one print a second at all hours, in cents."""

    seed: int

    def last(self, symbol: str, at: datetime) -> Decimal:
        """Return the price of the whole second at or before `at`."""
        return self._price(symbol, int((at - EPOCH).total_seconds()))

    def prints(self, symbol: str, since: datetime, until: datetime) -> Sequence[Print]:
        """Return a print for each whole second of the range."""
        first, last = int((since - EPOCH).total_seconds()) + 1, int((until - EPOCH).total_seconds())
        step = max(1, (last - first) // MOST_PRINTS)
        return [
            Print(EPOCH + timedelta(seconds=second), self._price(symbol, second))
            for second in range(first, last + 1, step)
        ]

    def _price(self, symbol: str, second: int) -> Decimal:
        moved = sum(
            height * math.sin(2 * math.pi * (second / period + _phase(self.seed, symbol, period)))
            for period, height in WAVES
        )
        return Decimal(round(ANCHORS[symbol] * (1 + moved) * 100)) / 100
