import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain, joined
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.session import Session, StrategyError
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.builders import (
    MINUTE,
    MINUTE_US,
    START,
    START_US,
    SessionResult,
    columns_of,
    feed_of,
    make_bars,
    run,
)

CLOSES = st.lists(st.integers(1, 400).map(lambda n: n / 4), min_size=1, max_size=60)


class Script(Strategy):
    """Sets the targets it is given, one a bar."""

    name: ClassVar[str] = "script"

    def __init__(self, *targets: float) -> None:
        super().__init__()
        self.targets = list(targets)
        self.seen: list[Any] = []

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.seen.append(("bar", bar.i, account.position[bar.i], account.cash))
        if self.targets:
            account.target[bar.i] = self.targets.pop(0)

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.seen.append(("fill", fill.i, account.position[fill.i], account.cash))

    def on_timer(self, time: int, account: Account) -> None:
        self.seen.append(("timer", time - START_US))


def test_a_decision_is_filled_at_the_next_open_and_the_money_is_right() -> None:
    ran = run(Script(2.0, 2.0, 0.5), make_bars([100, 101, 99, 98, 97], opens=[100, 100.5, 101, 99.5, 98]), cash=1000)
    # 2 at 100.5 with 0.201; 1.5 at 99.5 with 0.14925.
    assert [(fill.quantity, fill.price, fill.fee) for fill in ran.fills] == [
        (2.0, 100.5, 0.201),
        (-1.5, 99.5, 0.14925),
    ]
    assert ran.account.cash == pytest.approx(947.89975, abs=1e-9)
    assert ran.account.position[0] == 0.5
    assert ran.equity == pytest.approx([1000.0, 1000.799, 996.799, 996.89975, 996.39975], abs=1e-9)


def test_a_strategy_hears_of_its_fill_before_the_bar_and_the_timer_comes_last() -> None:
    strategy = Script(1.0)
    run(strategy, make_bars([100, 100]), fee_rate=0)
    assert strategy.seen == [
        ("bar", 0, 0.0, 10000.0),
        ("timer", MINUTE_US),
        ("fill", 0, 1.0, 9900.0),
        ("bar", 0, 1.0, 9900.0),
        ("timer", 2 * MINUTE_US),
    ]


def test_the_timer_fires_once_when_all_bars_of_a_time_are_in() -> None:
    strategy = Script()
    run(strategy, [*make_bars([1, 2]), *make_bars([3, 4], i=1)])
    assert [seen[:2] for seen in strategy.seen] == [
        ("bar", 0),
        ("bar", 1),
        ("timer", MINUTE_US),
        ("bar", 0),
        ("bar", 1),
        ("timer", 2 * MINUTE_US),
    ]


def test_a_decision_on_the_last_bar_stays_an_open_order() -> None:
    ran = run(Script(0.0, 1.0), make_bars([100, 100]))
    assert (ran.fills, ran.account.pending, ran.account.cash) == ([], [1.0], 10_000.0)


def test_what_is_known_at_the_end_of_the_window_is_not_seen() -> None:
    strategy = Script()
    run(strategy, make_bars([1, 2, 3]), end=START + 2 * MINUTE)
    assert len([seen for seen in strategy.seen if seen[0] == "bar"]) == 1


def test_a_bar_that_opened_before_the_decision_does_not_fill_it() -> None:
    (early,) = make_bars([100])
    # The second instrument's second bar opened together with the one that was decided on, and closes a minute after it.
    slow = [Bar(1, end, end - 2 * MINUTE_US, 50, 60, 50, 60, 1) for end in (START_US, START_US + 2 * MINUTE_US)]

    class BuyTheOther(Script):
        def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
            if bar.i == 0:
                account.target[1] = 1.0

    ran = run(BuyTheOther(), [early, *slow])
    assert (ran.fills, ran.account.pending) == ([], [0.0, 1.0])


def test_before_the_opening_a_strategy_only_warms_up() -> None:
    closes = [*range(1, 8), 8, 9]
    ran = run(SmaCross(fast=2, slow=4), make_bars(closes), opened_at=START + 8 * MINUTE)
    # Long since the fourth bar, but the wallet opened with the eighth: the decision is made anew, at once.
    at = START_US + 8 * MINUTE_US
    assert [decision.time for decision in ran.decisions] == [at]
    assert [fill.filled_at for fill in ran.fills] == [at]
    assert ran.times == [at, at + MINUTE_US]
    assert len(ran.equity) == 2


def test_a_refused_target_is_kept_with_its_reason() -> None:
    ran = run(Script(math.nan, math.nan, 1e6), make_bars([100, 100, 100]))
    assert [decision.outcome for decision in ran.decisions] == ["not_finite", "cash_below_zero"]


def test_a_purchase_the_open_makes_too_dear_is_rejected() -> None:
    ran = run(Script(10.0), make_bars([100, 101], opens=[100, 100.1]), cash=1001)
    assert (ran.fills, ran.account.cash, ran.account.pending) == ([], 1001.0, [0.0])


@pytest.mark.parametrize("hook", ["on_start", "on_aggregate_bar", "on_fill", "on_timer", "on_stop"])
def test_what_a_strategy_raises_stops_it_and_names_it(hook: str) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    strategy = Script(1.0)
    setattr(strategy, hook, broken)
    error = run(strategy, make_bars([1, 2])).progress.error
    assert isinstance(error, StrategyError)
    assert str(error).startswith("strategy script")
    assert str(error).endswith("KeyError: 'lost'")


def test_what_stops_one_strategy_leaves_the_others_running() -> None:
    class Broken(Script):
        def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
            raise ZeroDivisionError("gone")

    engines = [
        Engine(strategy, Account(1, 1000.0), SimulatedBroker(PercentFee(0)), Gate(1))
        for strategy in (Broken(), Script(1.0))
    ]
    first, second = Session(feed_of(make_bars([100, 100, 100])), None, engines).run()
    assert str(first.error) == "strategy script at 2024-01-02T00:01:00+00:00: ZeroDivisionError: gone"
    assert (second.error, len(second.journal["fills"])) == (None, 1)


def test_a_feed_out_of_order_is_refused() -> None:
    block = joined([columns_of(bar) for bar in reversed(make_bars([1, 2]))])
    engine = Engine(Script(), Account(1, 1000.0), SimulatedBroker(), Gate(1))
    with pytest.raises(ValueError, match="goes back in time"):
        Session(EventChain([[block]]), None, [engine]).run()


def digest(ran: SessionResult, until: int) -> list[object]:
    """Everything that was decided, done and valued by a time."""
    values = [pair for pair in zip(ran.times, ran.equity, strict=True) if pair[0] <= until]
    made = [decision for decision in ran.decisions if decision.time <= until]
    return [made, [fill for fill in ran.fills if fill.time <= until], values]


@settings(max_examples=200)
@given(CLOSES, st.data())
def test_cutting_off_the_future_changes_nothing_before_it(closes: Sequence[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(closes)))
    bars = make_bars(closes)
    until = START_US + cut * MINUTE_US
    poisoned = [*bars[:cut], *make_bars([1e9] * (len(bars) - cut), start=START + cut * MINUTE)]
    whole = digest(run(SmaCross(fast=2, slow=5), bars), until)
    assert digest(run(SmaCross(fast=2, slow=5), bars[:cut]), until) == whole
    assert digest(run(SmaCross(fast=2, slow=5), poisoned), until) == whole


@given(CLOSES, st.integers(0, 40))
def test_a_longer_warm_up_changes_nothing(closes: Sequence[float], longer: int) -> None:
    """Twice the same bars after the opening, with five and with more before it."""
    before = make_bars([50 + (7 * i) % 13 for i in range(5 + longer)], start=START - (5 + longer) * MINUTE)
    after = make_bars(closes, opens=closes)
    short = run(SmaCross(fast=2, slow=5), [*before[-5:], *after])
    assert run(SmaCross(fast=2, slow=5), [*before, *after]).fills == short.fills


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 1), st.floats(-1, 3, width=32)), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.001, 0.0123]),
)
def test_the_account_is_the_sum_of_the_fills_and_never_negative(
    steps: list[tuple[int, int, float]], rate: float
) -> None:
    per_instrument: dict[int, list[float]] = {0: [], 1: []}
    for price, i, _ in steps:
        per_instrument[i].append(price / 8)
    events = [bar for i, closes in per_instrument.items() if closes for bar in make_bars(closes, i=i)]
    ran = run(Script(*(target for *_, target in steps)), events, cash=500, fee_rate=rate, size=2)
    paid = math.fsum(fill.quantity * fill.price + fill.fee for fill in ran.fills)
    assert ran.account.cash == pytest.approx(500 - paid, abs=1e-6)
    for i in (0, 1):
        held = math.fsum(fill.quantity for fill in ran.fills if fill.i == i)
        assert ran.account.position[i] == pytest.approx(held, abs=1e-9)
        assert ran.account.position[i] >= 0
    assert ran.account.cash >= 0
    decided = {decision.order: decision.time for decision in ran.decisions}
    assert all(fill.filled_at >= decided[fill.order] for fill in ran.fills)


def test_compiled_is_per_event_to_the_bit(tmp_path: Any) -> None:
    rng = np.random.default_rng(5)
    closes = np.maximum(np.round(8000 + np.cumsum(rng.normal(0, 6, 3000))), 80) / 8
    bars = make_bars(closes.tolist())
    runs = [run(SmaCross(fast=3, slow=8), bars, cache=cache) for cache in (None, tmp_path)]
    assert runs[1].progress.mode == "compiled"
    for kind, rows in runs[0].progress.journal.items():
        assert np.array_equal(rows, runs[1].progress.journal[kind]), kind
    assert len(runs[0].fills) > 100
