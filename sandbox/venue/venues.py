"""The sandbox's two venues, each with a first account."""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sandbox.venue.alpaca_api import AlpacaApi
from sandbox.venue.gate_api import GateApi
from sandbox.venue.prices import PriceSource, SyntheticStockPrices, TapePrices
from sandbox.venue.venue import Venue

# The keys of the first account at each venue; more are opened by `POST /-/venue/accounts`.
KEY, SECRET = "sandbox-key", "sandbox-secret"
OPENING_CASH = Decimal(100_000)
STOCK_MULTIPLIER = Decimal(2)  # Regulation T: twice the equity, short sales allowed


def open_venues(clock: Callable[[], datetime], *, seed: int, checks_time: bool) -> dict[str, Venue]:
    """Return the venues by name. Their limits count in real time, since the sandbox's clock may be held.

    `checks_time`: whether signed requests expire; not on a held clock, since clients sign in real time.
    """
    return {
        "alpaca": alpaca_venue(clock, seed=seed, limit_clock=time.monotonic),
        "gate": gate_venue(clock, seed=seed, limit_clock=time.monotonic, checks_time=checks_time),
    }


def alpaca_venue(
    clock: Callable[[], datetime],
    *,
    seed: int = 0,
    prices: PriceSource | None = None,
    limit_clock: Callable[[], float] | None = None,
) -> Venue:
    """Return Alpaca with five stocks at synthetic prices, or at those of `prices`."""
    source = prices or SyntheticStockPrices(seed)
    venue = Venue(clock, lambda now: AlpacaApi(now, source), seed, limit_clock=limit_clock)
    venue.exchange.open_account(KEY, SECRET, {"USD": OPENING_CASH}, STOCK_MULTIPLIER)
    return venue


def gate_venue(
    clock: Callable[[], datetime],
    *,
    seed: int = 0,
    prices: PriceSource | None = None,
    limit_clock: Callable[[], float] | None = None,
    checks_time: bool = True,
) -> Venue:
    """Return Gate.io with the pairs of the synthetic crypto market, or at the prices of `prices`."""
    source = prices or TapePrices(seed)
    venue = Venue(clock, lambda now: GateApi(now, source, checks_time=checks_time), seed, limit_clock=limit_clock)
    venue.exchange.open_account(KEY, SECRET, {"USDT": OPENING_CASH}, Decimal(1))
    return venue
