"""Sizes against numbers worked out by hand."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import stdev

import pytest

from strades_pipelines.strategy.events import CorporateAction, Prediction
from strades_pipelines.strategy.tactics.tactic_registry import parse_size
from tests.strategy.both import TARGET, Outcome, bars, script_per_event, step
from tests.strategy.builders import MINUTE_US, START_US


def flat(*prices: float) -> list[object]:
    return list(bars(*[(price,) * 4 for price in prices]))


def sized(spec: str, prices: Sequence[float], targets: Sequence[float], *, cash: float = 1000.0) -> Outcome:
    steps = [step(n, TARGET, quantity=target) for n, target in enumerate(targets, start=1)]
    return script_per_event(flat(*prices), *steps, tactics=[parse_size(spec)], cash=cash)


def test_fixed_units_count_the_direction_alone() -> None:
    ran = sized("fixed:3", [10, 10, 10, 10, 10], [0.5, 7, -1, 0])
    assert ran.done == [(3, 10), (-6, 10), (3, 10)]


def test_a_percentage_of_equity_is_held_until_the_direction_changes() -> None:
    # Half of 1,000 at 10 is 50; at 20 equity is 1,500, half 37.5, sold short at 25; then equity is 1,750, half 35.
    ran = sized("percent:50", [10, 10, 20, 20, 25, 25], [1, 1, 1, -1, 1])
    assert ran.done == [(50, 10), (-87.5, 25), (72.5, 25)]
    assert [decision.time for decision in ran.decisions] == [START_US + MINUTE_US * n for n in (1, 4, 5)]


def test_whole_units() -> None:
    assert sized("percent:50,whole", [13, 13, 13], [1]).done == [(38, 13)]
    assert sized("percent:1,whole", [13, 13, 13], [1, 1]).done == []


def test_a_volatility_target() -> None:
    prices = [100.0, 102.0, 99.0, 101.0, 101.0]
    returns = [math.log(b / a) for a, b in pairwise(prices[:4])]
    percent = 5.0 / (stdev(returns) * math.sqrt(252))
    ran = sized("volatility:5,lookback=3", prices, [1, 1, 1, 1])
    [(units, price)] = ran.done
    assert price == 101
    assert units == pytest.approx(percent / 100 * 1000 / 101, rel=1e-12)
    # A calm instrument is held up to the cap.
    ran = sized("volatility:5,lookback=2,cap=40", [100, 100, 100, 100], [1, 1, 1])
    assert ran.done == [(4, 100)]


def test_kelly() -> None:
    # +100, -50, +100: p = 2/3, b = 2, so 2/3 - (1/3) / 2 = 0.5; half of it is 25 %.
    prices = [10, 10, 20, 20, 15, 15, 25, 25, 25]
    targets = [1, 0, 1, 0, 1, 0, 1]
    ran = sized("kelly:0.5,trades=3,start=10", prices, targets)
    # Worked through fill by fill, at the opens of the bars after the decisions.
    cash, held, start = 1000.0, 0.0, 0.0
    trips: list[float] = []
    expected: list[tuple[float, float]] = []
    for n, target in enumerate(targets):
        decided, price = prices[n], prices[n + 1]
        if target:
            share = 0.1
            if len(trips) >= 3:
                wins = [trip for trip in trips if trip > 0]
                losses = [-trip for trip in trips if trip <= 0]
                p = len(wins) / len(trips)
                ratio = (sum(wins) / len(wins)) / (sum(losses) / len(losses)) if losses else math.inf
                share = 0.5 * (p - (1 - p) / ratio)
            held = share * cash / decided
            start = price
            expected.append((held, price))
            cash -= held * price
        else:
            expected.append((-held, price))
            cash += held * price
            trips.append(held * (price - start))
    assert [number for fill in ran.done for number in fill] == pytest.approx(
        [x for one in expected for x in one], rel=1e-12
    )
    assert len({trip > 0 for trip in trips}) == 2


def test_before_a_price_is_known_the_size_is_asked_for_again() -> None:
    events = [Prediction(0, START_US, 1.0, 0.0), *flat(10, 10)]
    ran = script_per_event(events, step(1, TARGET, quantity=1), tactics=[parse_size("percent:50")])
    assert ran.done == [(50, 10)]


def test_a_split_does_not_change_what_is_held() -> None:
    split = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 2.0, 0.0, 0.0)
    later = bars((5,) * 4, (5,) * 4, start=START_US + 3 * MINUTE_US)
    for spec in ("percent:50", "volatility:500,lookback=2,cap=50", "kelly:1,start=50"):
        prices = [10.0, 10.0] if spec[0] != "v" else [10.0, 11.0, 10.0, 10.0]
        events = [*bars(*[(p,) * 4 for p in prices], start=START_US + (2 - len(prices)) * MINUTE_US), split, *later]
        steps = [step(n, TARGET, quantity=1) for n in range(1, 8)]
        ran = script_per_event(events, *steps, tactics=[parse_size(spec)])
        assert [price for _, price in ran.done] == [10.0]
        assert ran.account.position == [2 * ran.done[0][0]]
