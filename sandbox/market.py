"""The synthetic crypto market: a pure function of (seed, symbol, time), with random access and no state.

Every number comes from a counter-based hash (splitmix64, Steele, Lea and Flood 2014) of the trade's index, and only
`+ - * /`, `sqrt` and integer operations follow, which IEEE 754 rounds alike on every processor. The unit of work is a
whole UTC day, so a window inside a larger one is equal to the byte.

Price: levels at the day boundaries are a walk pinned at every 512th day to a level that does not drift, squashed into
a band round the anchor; inside a day a walk of 11,520 steps is pinned to both boundaries. Eight trades a minute, the
last one of a day on the next boundary. Prices and sizes are integers (ticks, lots): a candle is exactly the aggregate
of its trades.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

DAY = 86_400_000_000  # microseconds
MINUTE = 60_000_000
MINUTES = 1_440
TRADES_PER_MINUTE = 8
SLOT = MINUTE // TRADES_PER_MINUTE
TRADES_PER_DAY = MINUTES * TRADES_PER_MINUTE

BLOCK = 512  # days between pinned levels
BLOCK_DEVIATION = 0.4  # of a pinned level's log price
SQUASH = 1.16  # the log price at a day boundary stays within +-1.16 (a factor of 3.2)
BAND = 4  # no price leaves anchor/4 .. anchor*4

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
# Trades lie slot-major, [slot, minute]: reductions over a minute then run along whole rows.
_INDEX: Integers = (np.arange(MINUTES)[None, :] * TRADES_PER_MINUTE + np.arange(TRADES_PER_MINUTE)[:, None]).astype(
    np.int64
)
_COUNTERS: Hashes = _INDEX.astype(np.uint64) * np.uint64(_GOLDEN)
_RAMP: Floats = (_INDEX + 1) / TRADES_PER_DAY
_SLOT_START: Integers = _INDEX * SLOT


@dataclass(frozen=True)
class Pair:
    """A synthetic market and the precision of its prints."""

    symbol: str
    number: int  # keeps the trade ids of two pairs apart
    anchor: int  # ticks round which the price moves for ever
    price_decimals: int
    daily_deviation: float
    size_shift: int  # right shift of a 48-bit draw times the day's activity: smaller is larger sizes


SIZE_DECIMALS = 5
PAIRS = {
    "BTC_USDT": Pair("BTC_USDT", 0, anchor=600_000, price_decimals=1, daily_deviation=0.025, size_shift=38),
    "ETH_USDT": Pair("ETH_USDT", 1, anchor=300_000, price_decimals=2, daily_deviation=0.032, size_shift=34),
}
# Shares whose trades are synthetic too, not at the prices of the real daily bars of `sandbox.stocks`; `sandbox.shares`
# says when they are traded.
SHARES = {
    symbol: Pair(symbol, 0, anchor=anchor, price_decimals=2, daily_deviation=0.015, size_shift=38)
    for symbol, anchor in {"AAPL": 20_000, "FB": 50_000, "GOOG": 17_000, "IBM": 25_000, "MSFT": 45_000}.items()
}
MARKETS = PAIRS | SHARES


@dataclass(frozen=True)
class DayOfTrades:
    """All trades of one UTC day, arrays of shape (8, 1440): slot, minute. Prices in ticks, sizes in lots."""

    start: int  # microseconds since the epoch
    prices: Integers
    sizes: Integers
    draws: Hashes

    def times(self) -> Integers:
        """Microseconds since the epoch, of shape (8, 1440), rising with slot within minute."""
        # Less than a slot: trades keep their order.
        jitter = (((self.draws >> np.uint64(1)) & np.uint64(0xFFFFF)) * np.uint64(SLOT)) >> np.uint64(20)
        return self.start + _SLOT_START + jitter.astype(np.int64)

    def buys(self) -> NDArray[np.bool_]:
        """Whether the taker bought, of shape (8, 1440)."""
        return (self.draws & np.uint64(1)).astype(np.bool_)


def first_trade_index(day: int) -> int:
    """The index, since the epoch, of the first trade of a UTC day (days since the epoch)."""
    return day * TRADES_PER_DAY


def splitmix64(state: Hashes) -> Hashes:
    """The finalizer of splitmix64, in place: 64 independent-looking bits for each counter."""
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


@lru_cache(maxsize=64)
def _key(seed: int, symbol: str, stream: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{symbol}/{stream}".encode()).digest()[:8])


def _draws(key: int, first: int, count: int) -> Hashes:
    counters = np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN)
    return splitmix64(counters + np.uint64((key + first * _GOLDEN) & _MASK))


def _nearly_normal(draws: Hashes) -> Floats:
    """Four 16-bit uniforms summed: mean 0, variance 1, never beyond 3.5 deviations."""
    fields = sum(((draws >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64) for shift in (0, 16, 32, 48))
    return np.asarray((fields / 65_536.0 - 2.0) * math.sqrt(3.0))


def _exponential(exponent: Floats) -> Floats:
    """exp to 1e-11 for |exponent| < 2, of exactly rounded operations only."""
    r = exponent / 64.0
    result = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120))))
    for _ in range(6):
        result = result * result
    return np.asarray(result)


@lru_cache(maxsize=256)
def _block_prices(seed: int, symbol: str, block: int) -> tuple[float, ...]:
    """Prices in ticks (not rounded) at the 513 day boundaries of a block; the last is the next block's first."""
    pair = MARKETS[symbol]
    left, right = BLOCK_DEVIATION * _nearly_normal(_draws(_key(seed, symbol, "block"), block, 2))
    factors = np.array([_day_factor(seed, symbol, block * BLOCK + i) for i in range(BLOCK)])
    steps = _nearly_normal(_draws(_key(seed, symbol, "level"), block * BLOCK, BLOCK)) * (pair.daily_deviation * factors)
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    ramp = np.arange(BLOCK + 1) / BLOCK
    level = left + walk + ramp * (right - left - walk[-1])
    squashed = level / np.sqrt(1.0 + (level / SQUASH) ** 2)
    return tuple(float(price) for price in pair.anchor * _exponential(squashed))


@lru_cache(maxsize=32_768)
def _day_factor(seed: int, symbol: str, day: int) -> float:
    """How busy a day is, 0.5 to 2.0: it scales the day's movement and its sizes alike."""
    draw = int(_draws(_key(seed, symbol, "activity"), day, 1)[0] >> np.uint64(11)) / 2.0**53
    return 0.5 + 1.5 * draw * draw


def boundary_price(seed: int, symbol: str, day: int) -> float:
    """The price in ticks, not rounded, at 00:00Z of a day (days since the epoch)."""
    return _block_prices(seed, symbol, day // BLOCK)[day % BLOCK]


def trades_of_day(seed: int, symbol: str, day: int) -> DayOfTrades:
    """Every trade of one UTC day (days since the epoch) of a pair of `MARKETS`."""
    pair, factor = MARKETS[symbol], _day_factor(seed, symbol, day)
    start = (_key(seed, symbol, "trade") + first_trade_index(day) * _GOLDEN) & _MASK
    draws = splitmix64(_COUNTERS + np.uint64(start))
    prices = _path(pair, draws, factor, boundary_price(seed, symbol, day), boundary_price(seed, symbol, day + 1))
    return DayOfTrades(start=day * DAY, prices=prices, sizes=_sizes(pair, draws, factor), draws=draws)


def _path(pair: Pair, draws: Hashes, factor: float, opening: float, closing: float) -> Integers:
    """A walk of uniform steps pinned to the day's two boundaries, in ticks; a buyer pays the tick above."""
    steps = (draws >> np.uint64(40)).astype(np.float64)
    steps *= 2.0**-24
    steps -= 0.5
    walk = steps
    for slot in range(1, TRADES_PER_MINUTE):  # five times as fast as cumsum(axis=0), and the same sums
        walk[slot] += walk[slot - 1]
    minutes = np.cumsum(walk[-1])
    walk[:, 1:] += minutes[:-1]
    scale = pair.daily_deviation * factor * math.sqrt(12.0 / TRADES_PER_DAY)
    walk *= opening * scale
    walk += _RAMP * (closing - opening - opening * scale * float(minutes[-1]))
    walk += opening
    prices = walk.astype(np.int64)
    prices += (draws & np.uint64(1)).astype(np.int64)
    return np.clip(prices, pair.anchor // BAND, pair.anchor * BAND, out=prices)


def _sizes(pair: Pair, draws: Hashes, factor: float) -> Integers:
    """Many small sizes and few large ones: the cube of a uniform draw times the day's activity; at least one lot."""
    uniform = ((draws >> np.uint64(21)) & np.uint64(0xFFFF)).astype(np.int64)
    cube = uniform * uniform * uniform
    cube *= int(16 * factor)
    cube >>= pair.size_shift
    cube += 1
    return cube
