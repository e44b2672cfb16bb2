import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.market.events import Bar, Fill
from strades_pipelines.market.ids import base32_id
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.session import Session, StrategyError
from strades_pipelines.strategy.simulation import WindowClock
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.builders import MINUTE, START, ListFeed, Ran, btc, make_bars, run

CLOSES = st.lists(st.integers(1, 400).map(lambda n: n / 4), min_size=1, max_size=60)


class Script(Strategy):
    """Sets the targets it is given, one a bar."""

    name: ClassVar[str] = "script"

    def __init__(self, *targets: float) -> None:
        self.targets = list(targets)
        self.seen: list[Any] = []

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.seen.append(("bar", bar.i, account.position[bar.i], account.cash))
        if self.targets:
            account.target[bar.i] = self.targets.pop(0)

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.seen.append(("fill", fill.i, account.position[fill.i], account.cash))

    def on_timer(self, time: datetime, account: Account) -> None:
        self.seen.append(("timer", time))


def test_a_decision_is_filled_at_the_next_open_and_the_money_is_right() -> None:
    ran = run(Script(2.0, 2.0, 0.5), make_bars([100, 101, 99, 98, 97], opens=[100, 100.5, 101, 99.5, 98]), cash="1000")
    fills = [(fill.side, fill.quantity, fill.price, fill.fee) for fill in ran.journal.fills]
    # 2 at 100.5 with 0.201; 1.5 at 99.5 with 0.14925.
    assert fills == [
        ("buy", Decimal(2), Decimal("100.5"), Decimal("0.201")),
        ("sell", Decimal("1.5"), Decimal("99.5"), Decimal("0.14925")),
    ]
    assert ran.books.cash == Decimal("947.89975")
    assert ran.books.held(1) == Decimal("0.5")
    assert ran.journal.equity == [1000.0, 1000.799, 996.799, 996.89975, 996.39975]


def test_a_strategy_hears_of_its_fill_before_the_bar_and_the_timer_comes_last() -> None:
    strategy = Script(1.0)
    run(strategy, make_bars([100, 100]), fee_rate="0")
    assert strategy.seen == [
        ("bar", 0, 0.0, 10000.0),
        ("timer", START + MINUTE),
        ("fill", 0, 1.0, 9900.0),
        ("bar", 0, 1.0, 9900.0),
        ("timer", START + 2 * MINUTE),
    ]


def test_the_timer_fires_once_when_all_bars_of_a_time_are_in() -> None:
    strategy = Script()
    run(strategy, [*make_bars([1, 2]), *make_bars([3, 4], i=1)])
    assert [seen[:2] for seen in strategy.seen] == [
        ("bar", 0),
        ("bar", 1),
        ("timer", START + MINUTE),
        ("bar", 0),
        ("bar", 1),
        ("timer", START + 2 * MINUTE),
    ]


def test_a_decision_on_the_last_bar_stays_an_open_order() -> None:
    ran = run(Script(0.0, 1.0), make_bars([100, 100]))
    assert ran.journal.fills == []
    assert [order.intent_id for order in ran.books.open_orders.values()] == [ran.journal.decisions[0].intent_id()]
    assert ran.books.cash == Decimal(10000)


def test_what_is_known_at_the_end_of_the_window_is_not_seen() -> None:
    strategy = Script()
    run(strategy, make_bars([1, 2, 3]), end=START + 2 * MINUTE)
    assert len([seen for seen in strategy.seen if seen[0] == "bar"]) == 1


def test_a_bar_that_opened_before_the_decision_does_not_fill_it() -> None:
    (early,) = make_bars([100])
    # The second listing's second bar opened together with the one that was decided on, and closes a minute after it.
    slow = [Bar(1, 2, "2m", end - 2 * MINUTE, end, 50, 60, 50, 60, 1, end) for end in (START, START + 2 * MINUTE)]

    class BuyTheOther(Script):
        def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
            if bar.i == 0:
                account.target[1] = 1.0

    ran = run(BuyTheOther(), [early, *slow])
    assert ran.journal.fills == []
    assert len(ran.books.open_orders) == 1


def test_before_the_opening_a_strategy_only_warms_up() -> None:
    closes = [*range(1, 8), 8, 9]
    ran = run(SmaCross(fast=2, slow=4), make_bars(closes), opened_at=START + 8 * MINUTE)
    # Long since the fourth bar, but the wallet opened with the eighth: the decision is made anew, at once.
    assert [decision.decided_at for decision in ran.journal.decisions] == [START + 8 * MINUTE]
    assert [fill.filled_at for fill in ran.journal.fills] == [START + 8 * MINUTE]
    assert ran.journal.times == [START + 8 * MINUTE, START + 9 * MINUTE]


def test_a_decision_says_what_it_was_made_of() -> None:
    ran = run(SmaCross(fast=1, slow=3), make_bars([3, 3, 6, 6, 1]))
    rise, fall = ran.journal.decisions
    assert rise.inputs == {
        "trigger": {"kind": "bar", "id": "1m@2024-01-02T00:02:00Z"},
        "bars": {
            "listing_id": 1,
            "interval": "1m",
            "first_open_time": "2024-01-02T00:00:00Z",
            "last_open_time": "2024-01-02T00:02:00Z",
        },
        "numbers": {"fast": 6.0, "slow": 4.0},
    }
    assert rise.reason == "mean of 1 closes above mean of 3"
    assert (rise.previous_target, rise.target, fall.previous_target, fall.target) == (0.0, 1.0, 1.0, 0.0)
    cause = "w", "sma_cross", 1, START + 3 * MINUTE, "1m@2024-01-02T00:02:00Z", 0
    assert rise.decision_id == base32_id(*cause)
    assert rise.intent_id() == base32_id(*cause, 0)


def test_a_refused_target_is_kept_with_its_reason() -> None:
    ran = run(Script(math.nan, math.nan, 1e6), make_bars([100, 100, 100]))
    assert [refusal.code for refusal in ran.broker.refusals] == ["not_finite", "cash_below_zero"]
    assert [decision.decision_id for decision in ran.journal.decisions] == [r.decision_id for r in ran.broker.refusals]


def test_a_purchase_the_open_makes_too_dear_is_rejected() -> None:
    ran = run(Script(10.0), make_bars([100, 101], opens=[100, 100.1]), cash="1001")
    (order_id,) = ran.broker.orders
    assert ran.broker.rejected == {order_id: ("insufficient_cash", START + 2 * MINUTE)}
    assert (ran.books.cash, ran.books.open_orders) == (Decimal(1001), {})


@pytest.mark.parametrize("hook", ["on_start", "on_aggregate_bar", "on_fill", "on_timer", "explain", "on_stop"])
def test_what_a_strategy_raises_names_the_strategy_and_the_hook(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    broken.__name__ = hook
    strategy = Script(1.0)
    setattr(strategy, hook, broken)
    with pytest.raises(StrategyError, match=rf"strategy script of wallet w: {hook}.*KeyError\('lost'\)"):
        run(strategy, make_bars([1, 2]))


@pytest.mark.parametrize("targets", [["high"], [None], [1.0, 2.0]])
def test_targets_that_are_no_numbers_are_the_strategys_error(targets: list[Any]) -> None:
    class Broken(Script):
        def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
            account.target = targets

    with pytest.raises(StrategyError, match="script"):
        run(Broken(), make_bars([1.0]))


def test_a_feed_out_of_order_is_refused() -> None:
    ran = run(Script(), [])
    feed = ListFeed([btc()], list(reversed(make_bars([1, 2]))))
    with pytest.raises(ValueError, match="expected events in total order"):
        Session(feed, WindowClock(START + timedelta(days=1)), ran.broker, ran.journal).run()


def digest(ran: Ran, until: datetime) -> list[object]:
    """Everything that was decided, done and valued by a time."""
    journal = ran.journal
    made = [decision for decision in journal.decisions if decision.decided_at <= until]
    known = [(decision.decision_id, decision.target, decision.inputs) for decision in made]
    valued = [value for value in zip(journal.times, journal.equity, journal.cash, strict=True) if value[0] <= until]
    return [known, [fill for fill in journal.fills if fill.knowledge_time <= until], valued]


@given(CLOSES, st.data())
def test_cutting_off_the_future_changes_nothing_before_it(closes: Sequence[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(closes)))
    bars = make_bars(closes)
    until = START + cut * MINUTE
    strategy = {"fast": 2, "slow": 5}
    poisoned = [*bars[:cut], *make_bars([1e9] * (len(bars) - cut), start=until)]
    whole = digest(run(SmaCross(**strategy), bars), until)
    assert digest(run(SmaCross(**strategy), bars[:cut]), until) == whole
    assert digest(run(SmaCross(**strategy), poisoned), until) == whole


@given(CLOSES, st.integers(0, 40))
def test_a_longer_warm_up_changes_nothing(closes: Sequence[float], longer: int) -> None:
    """Twice the same bars after the opening, with five and with more before it."""
    before = make_bars([50 + (7 * i) % 13 for i in range(5 + longer)], start=START - (5 + longer) * MINUTE)
    after = make_bars(closes, opens=closes)
    short = run(SmaCross(fast=2, slow=5), [*before[-5:], *after])
    assert run(SmaCross(fast=2, slow=5), [*before, *after]).journal.fills == short.journal.fills


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 4000), st.integers(0, 1), st.floats(-1, 3, width=32)), min_size=1, max_size=40),
    st.sampled_from(["0", "0.001", "0.0123"]),
)
def test_the_books_are_the_sum_of_the_fills_and_never_negative(steps: list[tuple[int, int, float]], rate: str) -> None:
    per_listing: dict[int, list[float]] = {0: [], 1: []}
    for price, i, _ in steps:
        per_listing[i].append(price / 8)
    events = [bar for i, closes in per_listing.items() if closes for bar in make_bars(closes, i=i)]
    ran = run(Script(*(target for *_, target in steps)), events, cash="500", fee_rate=rate, listings=[btc(1), btc(2)])
    fills = ran.journal.fills
    assert ran.books.cash == 500 - sum(fill.signed * fill.price + fill.fee for fill in fills)
    for listing_id in (1, 2):
        assert ran.books.held(listing_id) == sum(fill.signed for fill in fills if fill.listing_id == listing_id) >= 0
    assert ran.books.cash >= 0
    assert all(fill.filled_at >= ran.broker.orders[fill.intent_id].decided_at for fill in fills)


def test_the_same_again_has_the_same_ids() -> None:
    bars = make_bars([1, 2, 3, 2, 1, 1, 5, 6])
    runs = [run(SmaCross(fast=1, slow=2), bars).journal for _ in range(2)]
    assert [d.decision_id for d in runs[0].decisions] == [d.decision_id for d in runs[1].decisions]
    assert runs[0].fills == runs[1].fills
    other = run(SmaCross(fast=1, slow=2), bars, wallet="another").journal
    assert not {d.decision_id for d in runs[0].decisions} & {d.decision_id for d in other.decisions}
