"""SmaCross against arrays: the same rule without events, sessions or books."""

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pytest

from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.rounding import to_ticks
from strades_pipelines.strategy.library.sma_cross import SmaCross
from tests.strategy.builders import make_bars, run

Floats = npt.NDArray[np.float64]


def walk(seed: int, count: int = 1500) -> tuple[Floats, Floats]:
    """Opens and closes in eighths: sums of them are exact, so no tie breaks differently."""
    steps = np.random.default_rng(seed).normal(0, 6, count * 2)
    levels = np.maximum(np.round(8000 + np.cumsum(steps)), 80) / 8
    return levels[::2], levels[1::2]


def crossings(opens: Floats, closes: Floats, fast: int, slow: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """The bars at whose open something is filled, and +1 or -1 for each."""
    sums = np.concatenate([[0.0], np.cumsum(closes)])
    n = len(closes)
    wanted = np.zeros(n)
    wanted[slow - 1 :] = (sums[slow:] - sums[slow - fast : n + 1 - fast]) / fast > (sums[slow:] - sums[:-slow]) / slow
    changes = np.diff(wanted[:-1], prepend=0.0)
    decided = np.flatnonzero(changes)
    return decided + 1, changes[decided]


@pytest.mark.parametrize(("fast", "slow", "seed"), [(10, 30, 1), (3, 8, 2), (1, 2, 3), (20, 100, 4)])
def test_events_and_arrays_fill_alike_and_end_with_the_same_money(fast: int, slow: int, seed: int) -> None:
    opens, closes = walk(seed)
    bars = make_bars(closes.tolist(), opens=opens.tolist())
    ran = run(SmaCross(fast=fast, slow=slow, size=2.0), bars, tick=0.001, cash=1_000_000)
    at, signs = crossings(opens, closes, fast, slow)
    assert len(at) > 10
    expected = [(bars[i].open_time, 2.0 * sign, opens[i]) for i, sign in zip(at, signs, strict=True)]
    filled = [(fill.filled_at, fill.quantity, round(fill.price, 6)) for fill in ran.fills]
    assert filled == expected

    paid = 2 * opens[at]
    cash = 1_000_000 - float(np.sum(signs * paid)) - 0.001 * float(np.sum(paid))
    assert ran.account.cash == pytest.approx(cash, abs=1e-6)
    assert ran.equity[-1] == pytest.approx(cash + 2 * signs.sum() * closes[-1], abs=1e-6)


def test_floats_and_exact_books_agree_after_thousands_of_fills() -> None:
    opens, closes = walk(7, 12_000)
    bars = make_bars(closes.tolist(), opens=opens.tolist())
    ran = run(SmaCross(fast=1, slow=2, size=0.12345), bars, tick=0.001, cash=100_000)
    cash = Decimal(100_000)
    for fill in ran.fills:
        quantity = Decimal("0.12345") * (1 if fill.quantity > 0 else -1)
        price = to_ticks(fill.price, Decimal("0.001"))
        cash -= quantity * price + percent_fee(abs(quantity), price, Decimal("0.001"))
    assert len(ran.fills) > 5_000
    assert ran.account.cash == pytest.approx(float(cash), abs=1e-6)


def test_each_instrument_has_means_of_its_own() -> None:
    rising, falling = make_bars([1, 2, 3, 4, 5]), make_bars([5, 4, 3, 2, 1], i=1)
    ran = run(SmaCross(fast=1, slow=3), [*rising, *falling])
    assert {fill.i for fill in ran.fills} == {0}
