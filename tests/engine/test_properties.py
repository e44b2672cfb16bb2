"""What holds for every stream of events, every strategy and all terms of trade."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.journal import OUTCOME
from strades_pipelines.engine.session import Session
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    ACTION,
    BAR,
    QUOTE,
    RECORDED_FILL,
    TRADE,
    Bar,
    CorporateAction,
    Quote,
    Trade,
)
from strades_pipelines.strategy.orders import CANCELLED, EXPIRED, FILLED, FREE, NEW, NO_PRICE, OPEN, REJECTED, WAITING
from strades_pipelines.strategy.tactics.tactic_registry import parse, parse_size
from tests.strategy.both import Outcome, Terms, cache_folder, columns_of, run_both, run_once
from tests.strategy.builders import MINUTE_US, START_US
from tests.strategy.random_runs import (
    MAKERS,
    RECORDED_FROM,
    RULES,
    Rules,
    event_lists,
    in_euros,
    one_of_each_kind,
    terms,
)

IN_ONE_CURRENCY = [kind for kind in MAKERS if kind != "rate"]  # fills do not say at which rate they were booked
FEW = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
ALL_TACTICS = [
    parse(spec)
    for spec in (
        "percent:40",
        "stop-loss:2",
        "take-profit:3",
        "trailing-stop:4",
        "cool-down:2",
        "max-drawdown:20",
        "max-positions:2",
        "trading-hours:00:00-12:00,days=mon-fri",
    )
]
SIZES = [parse_size(spec) for spec in ("volatility:5,lookback=3", "kelly:0.5,trades=3,start=10", "fixed:2")]
Rule = tuple[float, ...]


def per_event(rules: list[Rule], events: list[Any], given_terms: Terms) -> Outcome:
    return run_once(Rules(rules), columns_of(events), given_terms, "events")


@pytest.mark.parametrize("tactics", [[], ALL_TACTICS, SIZES], ids=["plain", "tactics", "sizes"])
@given(data=st.data())
@FEW
def test_compiled_is_per_event_to_the_bit(tactics: list[Any], data: st.DataObject) -> None:
    events = data.draw(event_lists())
    rules, given_terms = data.draw(RULES), replace(data.draw(terms()), tactics=tactics)
    # An event of each kind at the end: else there would be code for every set of kinds.
    events += one_of_each_kind(max(event.time for event in events) + MINUTE_US)
    run_both(lambda: Rules(rules), events, given_terms)


@given(event_lists(), RULES, terms(), st.lists(st.integers(0, 3), min_size=50, max_size=50), st.integers(1, 7))
@FEW
def test_neither_the_order_of_streams_nor_the_size_of_blocks_matters(
    events: list[Any], rules: list[Rule], given_terms: Terms, stream_of: list[int], size: int
) -> None:
    parts = [[event for event, k in zip(events, stream_of, strict=False) if k == n] for n in range(4)]
    streams = [blocks_of(columns_of(part), size + n) for n, part in enumerate(parts) if part]
    whole = per_event(rules, events, given_terms)
    for order in (streams, streams[::-1]):
        assert run_once(Rules(rules), EventChain(order), given_terms, "events").state == whole.state


@given(event_lists("bar"), RULES, terms(), st.integers(1, 7))
@FEW
def test_the_size_of_blocks_does_not_matter_to_compiled_code(
    events: list[Any], rules: list[Rule], given_terms: Terms, size: int
) -> None:
    columns = columns_of(events)
    in_blocks = run_once(Rules(rules), EventChain([blocks_of(columns, size)]), given_terms, "compiled")
    assert in_blocks.state == run_once(Rules(rules), columns, given_terms, "events").state


def test_a_target_that_is_no_number_is_looked_at_alike() -> None:
    """Found by chance: a weight of what had no price yet, and orders that end in the last instant."""
    rules: list[Rule] = [
        (0.0, 3.0, -2.0, 0.0, 0.0, 1.0, 0.05, 0.0, 0.0, 0.0),
        (2.0, 1.0, -0.5, 1.0, 1.0, 2.0, 0.0, 1.0, 0.0, 0.0),
        (3.0, 3.0, 0.5, 2.0, 0.0, -1.0, 0.05, 2.0, 2.0, 1.0),
    ]
    times = [START_US + k * MINUTE_US for k in range(1, 11)]
    events = [Bar(0, time, time - MINUTE_US, 9.0, 9.0, 9.0, 9.0, 0.0) for time in times]
    events[2] = Bar(0, times[2], times[1], 9.75, 10.0, 9.0, 10.0, 100.0)
    events[9] = Bar(1, times[9], times[8], 10.25, 11.0, 10.25, 11.0, 10.0)
    columns, given_terms = columns_of(events), Terms(size=3, fills={"participation": 0.25}, prepare=in_euros)
    in_blocks = run_once(Rules(rules), EventChain([blocks_of(columns, 1)]), given_terms, "compiled")
    assert in_blocks.state == run_once(Rules(rules), columns, given_terms, "events").state


def blocks_of(columns: Columns, size: int) -> list[Columns]:
    return [columns.rows(start, start + size) for start in range(0, len(columns), size)]


@given(event_lists(*IN_ONE_CURRENCY), RULES, terms(prepare=None))
@FEW
def test_cash_and_positions_are_the_sum_of_the_ledger(events: list[Any], rules: list[Rule], given_terms: Terms) -> None:
    ran = per_event(rules, events, given_terms)
    amounts = [given_terms.cash, ran.account.dividends, -ran.account.interest]
    for fill in ran.fills:
        amounts += [-fill.quantity * fill.price, -fill.fee]
    assert ran.account.cash == pytest.approx(math.fsum(amounts), rel=1e-9, abs=1e-6)
    positions, prices = replayed(ran, events)
    assert ran.account.position == pytest.approx(positions, abs=1e-6)
    # What adding up in another order leaves of a position that is closed is nothing.
    worth = [units * price for units, price in zip(positions, prices, strict=True) if abs(units) > 1e-6]
    assert ran.equity[-1] == pytest.approx(ran.account.cash + math.fsum(worth), rel=1e-9, abs=1e-4)


def replayed(ran: Outcome, events: list[Any]) -> tuple[list[float], list[float]]:
    """Positions from the fills and splits, and last prices from the events, in the order of their times."""
    positions, prices = [0.0] * 3, [math.nan] * 3
    rows: list[tuple[int, int, Any]] = [(fill.time, 1, fill) for fill in ran.fills]
    rows += [(event.time, 0, event) for event in events if isinstance(event, CorporateAction)]
    for _, _, what in sorted(rows, key=lambda row: row[:2]):
        if isinstance(what, CorporateAction):
            positions[what.i] *= what.ratio
        else:
            positions[what.i] = round(positions[what.i] + what.quantity, 9)
    columns = columns_of(events)
    read = (columns.kind, columns.i, columns.a, columns.c, columns.d)
    for kind, i, a, c, d in zip(*(array.tolist() for array in read), strict=True):
        if kind == TRADE:
            prices[i] = a
        elif kind == QUOTE:
            prices[i] = 0.5 * (a + c)
        elif kind == BAR:
            prices[i] = d
        elif kind == RECORDED_FILL and math.isnan(prices[i]):
            prices[i] = c
        elif kind == ACTION:
            prices[i] = math.nan if c else prices[i] / a
    return positions, prices


@given(event_lists(), RULES, terms())
@FEW
def test_nothing_is_filled_before_it_is_decided_or_beyond_its_volume_and_prices(
    events: list[Any], rules: list[Rule], given_terms: Terms
) -> None:
    calm = replace(given_terms, fills={**given_terms.fills, "spread": 0.0, "impact": 0.0})
    ran = per_event(rules, events, calm)
    decided = {decision.order: decision.time for decision in ran.decisions}
    latency = calm.fills["latency"]
    taken: dict[tuple[int, int], float] = {}
    for fill in ran.fills:
        assert fill.filled_at <= fill.time
        if not 0 < fill.order < RECORDED_FROM:
            continue
        assert fill.filled_at >= decided[fill.order] + latency
        key = (fill.i, fill.time)
        taken[key] = taken.get(key, 0.0) + abs(fill.quantity)
        ranges = [range_of(event) for event in events if (event.i, event.time) == key]
        # On a tick a limit that rested is done at its limit, which is no better than the tick.
        one_sided = any(isinstance(event, Trade | Quote) for event in events if (event.i, event.time) == key)
        buys = fill.quantity > 0
        assert any(
            (low <= fill.price or (one_sided and not buys)) and (fill.price <= high or (one_sided and buys))
            for low, high, _ in ranges
        )
    for (i, time), quantity in taken.items():
        volume = sum(range_of(event)[2] for event in events if (event.i, event.time) == (i, time))
        assert quantity <= calm.fills["participation"] * volume * (1 + 1e-9)


def range_of(event: Any) -> tuple[float, float, float]:
    """Lowest and highest price and volume of an event that can be traded on."""
    if isinstance(event, Bar) and type(event) is Bar:
        return event.low, event.high, event.volume
    if isinstance(event, Trade):
        return event.price, event.price, event.size
    if isinstance(event, Quote):
        return event.bid, event.ask, event.bid_size + event.ask_size
    return math.inf, -math.inf, 0.0


def _ended_without_price(kind: str, row: list[Any]) -> bool:
    return kind == "decisions" and row[OUTCOME] == NO_PRICE


@given(event_lists(), RULES, terms(), st.integers(0, 40))
@FEW
def test_the_future_changes_nothing_before_it(events: list[Any], rules: list[Rule], given_terms: Terms, n: int) -> None:
    cut = sorted(event.time for event in events)[min(n, len(events) - 1)]
    before = [event for event in events if event.time < cut]
    if not before:
        return
    whole, part = per_event(rules, events, given_terms), per_event(rules, before, given_terms)
    for kind, at in (("fills", 6), ("decisions", 0), ("orders", 3)):
        # Not as floats: a refused target may be NaN. What waits for a first price is refused where the bars end.
        rows = [[row for row in ran.rows(kind) if not _ended_without_price(kind, row)] for ran in (whole, part)]
        assert repr([row for row in rows[0] if row[at] < cut]) == repr(rows[1])
    assert whole.equity[: len(part.equity)] == part.equity


@given(
    event_lists("trade", "quote", "prediction", "gap"),
    RULES,
    terms(limits={"allow_short": False, "leverage": 1.0}, prepare=None),
)
@FEW
def test_an_account_that_may_not_borrow_never_does(events: list[Any], rules: list[Rule], given_terms: Terms) -> None:
    ran = per_event(rules, events, given_terms)
    positions = [0.0] * 3
    for fill in ran.fills:
        positions[fill.i] += fill.quantity
        assert positions[fill.i] >= -1e-9
        assert fill.cash >= -1e-6


@given(event_lists(), RULES, terms())
@FEW
def test_orders_end_once_and_their_slots_are_used_again(
    events: list[Any], rules: list[Rule], given_terms: Terms
) -> None:
    ran = per_event(rules, events, given_terms)
    ended: set[float] = set()
    for number, _, _, _, state, _ in ran.rows("orders"):
        assert number not in ended
        if state in (FILLED, CANCELLED, REJECTED, EXPIRED):
            ended.add(number)
    account: Account = ran.account
    live = [order for order in account.orders if order.state != FREE]
    assert len(live) == account.count == len(set(account.queue[: account.count]))
    assert all(order.state <= OPEN and order.number not in ended for order in live)
    assert not {fill.order for fill in ran.fills} & {order.parent for order in live if order.state == WAITING}
    # A new order waits for no fill as yet; where the run came to its end, none is left.
    assert ran.progress.error is not None or all(order.state != NEW for order in live)
    for i in range(account.size):
        waiting = sum(order.i == i and order.state != NEW for order in live) + (account.pending[i] != 0.0)
        assert account.waiting[i] == waiting


class Failing(Rules):
    """Raises with the nth call of a hook."""

    def __init__(self, rules: list[Rule], n: int) -> None:
        super().__init__(rules)
        self.fails_at = n
        self.bars = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.see(bar.i, bar.close)
        self.play(0, account)
        self.bars += 1
        if self.bars == self.fails_at:
            raise ValueError("it had to be")


@given(event_lists("bar"), RULES, terms(), st.integers(1, 30), st.sampled_from(["events", "compiled"]))
@FEW
def test_what_one_strategy_raises_stops_that_one_alone(
    events: list[Any], rules: list[Rule], given_terms: Terms, n: int, mode: str
) -> None:
    columns = columns_of(events)
    engines = [given_terms.engine(Rules(rules)), given_terms.engine(Failing(rules, n)), given_terms.engine(Rules([]))]
    ran = Session(EventChain([[columns]]), None, engines, mode=mode, cache=cache_folder()).run()
    alone = [run_once(Rules(one), columns, given_terms, "events") for one in (rules, [])]
    assert [Outcome(engines[k], ran[k]).state for k in (0, 2)] == [one.state for one in alone]
    own = alone[0].progress.error
    if own is not None and str(ran[1].error) == str(own):
        # Its rules answered orders with orders without end before that.
        return
    if n > len(columns):
        assert ran[1].error is None
        return
    when = np.datetime64(int(columns.time[n - 1]), "us").astype(str)[:19]
    assert str(ran[1].error) == f"strategy rules at {when}+00:00: ValueError: it had to be"
    until = [row for row in alone[0].rows("fills") if row[6] < columns.time[n - 1]]
    assert Outcome(engines[1], ran[1]).rows("fills")[: len(until)] == until
