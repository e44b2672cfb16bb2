"""The database takes only events that an order may have, and its state is made of them."""

from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.brokerage.order_book import plan
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert, order_event_row
from strades_pipelines.market.order_states import OrderState, is_allowed
from strades_pipelines.market.order_terms import Order, TradingDecision
from tests.brokerage.conftest import BTC, MINUTE, START, Connection, rows

S = OrderState


def planned(market: Connection, wallet: Wallet, number: int = 0) -> str:
    """The intent id of a planned order for 4 units."""
    made = TradingDecision("paper", "s", 0, BTC, START + number * MINUTE, "bar", "b", 0, 0.0, 4.0, "why", {})
    assert insert(market, "signals.decisions", decision_row(made, START))
    order = Order(made.intent_id(), made.decision_id, 0, BTC, "buy", Decimal(4), made.decided_at, Decimal(0))
    assert plan(market, wallet, [(order, START)], now=START)
    market.commit()
    return order.intent_id


def add(market: Connection, intent_id: str, state: OrderState, filled: int | None = None) -> bool:
    """Whether the database took the event."""
    try:
        with market.transaction():
            done = None if filled is None else Decimal(filled)
            insert(market, "trading.order_events", order_event_row(intent_id, state, START, filled=done))
    except psycopg.errors.CheckViolation:
        return False
    return True


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(list(S)), st.integers(0, 5)), max_size=8))
def test_only_what_the_table_and_the_fills_allow_is_taken(
    steps: list[tuple[OrderState, int]], market_of_examples: tuple[Connection, Wallet, list[int]]
) -> None:
    market, wallet, count = market_of_examples
    count[0] += 1
    intent_id = planned(market, wallet, count[0])
    state, done = S.PLANNED, 0
    for after, filled in steps:
        expected = is_allowed(state, after) and done <= filled <= 4 and makes_sense(state, after, done, filled)
        assert add(market, intent_id, after, filled) == expected, (state, done, after, filled)
        if expected:
            state, done = after, filled
    query = "SELECT state, filled, sequence + 1 = (SELECT count(*) FROM trading.order_events WHERE intent_id = %s)"
    stored = market.execute(f"{query} FROM trading.orders WHERE intent_id = %s", [intent_id, intent_id]).fetchone()
    assert stored == (state, done, True)


def makes_sense(before: OrderState, after: OrderState, done: int, filled: int) -> bool:
    """Whether so many units of 4 can be filled in a state."""
    if after is S.FILLED:
        return filled == 4
    if after is S.PARTIALLY_FILLED:
        return 0 < filled < 4
    if after in (S.PLANNED, S.REJECTED):
        return filled == 0
    return filled > done or before not in (S.CANCELLED, S.REPLACED, S.EXPIRED)


@pytest.fixture
def market_of_examples(market: Connection, wallet: Wallet) -> tuple[Connection, Wallet, list[int]]:
    """One database for all examples: each has an order of its own."""
    return market, wallet, [0]


def test_an_event_marks_what_the_event_log_and_a_stepped_strategy_read_and_no_other_does(
    market: Connection, wallet: Wallet
) -> None:
    marks = "DELETE FROM ops.changed_rows WHERE reader LIKE 'event.order_%' RETURNING reader, key[1]"
    notes = "DELETE FROM trading.input_changes RETURNING subject, known_from, known_to"
    sent, later = planned(market, wallet), START + MINUTE
    refused = planned(market, wallet, 1)
    rows(market, marks)
    rows(market, notes)
    told: list[tuple[str, OrderState, int | None, list[str], bool]] = [
        (sent, S.SUBMITTING, None, [], False),
        (sent, S.ACCEPTED, None, ["event.order_sent"], False),
        (sent, S.PARTIALLY_FILLED, 1, [], False),
        (sent, S.CANCELLED, None, ["event.order_ended"], True),
        (sent, S.FILLED, 4, [], True),  # which is behind its end: what was heard of that is no longer so
        (refused, S.SUBMITTING, None, [], False),
        (refused, S.REJECTED, None, ["event.order_ended", "event.order_sent"], True),
    ]
    for intent_id, state, filled, readers, is_noted in told:
        done = None if filled is None else Decimal(filled)
        venue_id = "V1" if state is S.ACCEPTED else None
        event = order_event_row(intent_id, state, later, filled=done, venue_order_id=venue_id)
        insert(market, "trading.order_events", event)
        assert sorted(rows(market, marks)) == [(reader, intent_id) for reader in readers], state
        assert rows(market, notes) == ([("wallet:paper", later, later)] if is_noted else []), state


def test_an_order_changes_by_events_alone(market: Connection, wallet: Wallet) -> None:
    intent_id = planned(market, wallet)
    for statement in (
        "UPDATE trading.orders SET state = 'filled'",
        "DELETE FROM trading.orders",
        "UPDATE trading.order_events SET state = 'filled'",
        "DELETE FROM trading.order_events",
    ):
        with pytest.raises(psycopg.Error, match=r"made of trading.order_events|append-only"), market.transaction():
            market.execute(statement)
    assert rows(market, "SELECT intent_id, state FROM trading.orders") == [(intent_id, "planned")]


def test_events_come_without_a_gap(market: Connection, wallet: Wallet) -> None:
    intent_id = planned(market, wallet)
    for sequence in (0, 2):
        row = order_event_row(intent_id, S.SUBMITTING, START, sequence=sequence)
        with pytest.raises(psycopg.errors.CheckViolation, match="expected the event 1"), market.transaction():
            insert(market, "trading.order_events", row)
