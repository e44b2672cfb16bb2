"""Venues that lose, delay, forget and garble: one order for each intent, every fill once, nothing left in doubt."""

from decimal import Decimal

import pytest

from strades_pipelines.brokerage.brokers.venue_errors import RateLimited, Unknown
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.market.order_states import OrderState
from tests.brokerage.brokers.benches import VenueBench, decide, order
from tests.brokerage.conftest import Connection, rows

EVENTS = "SELECT state, filled, message IS NOT NULL FROM trading.order_events ORDER BY sequence"


def passes(bench: VenueBench, market: Connection, *seconds: float) -> None:
    """A pass after each of these waits."""
    for wait in seconds:
        bench.clock.move(wait)
        execute_pending(market, bench.broker, bench.wallet.name, now=bench.clock())


def check_filled_once(bench: VenueBench, market: Connection, intent_id: str, quantity: int = 3) -> None:
    """One order at the venue, filled; the same in our books, and no more."""
    assert bench.orders() == [(intent_id, Decimal(quantity))]
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("filled", quantity)]
    assert rows(market, "SELECT sum(quantity) FROM trading.fills") == [(quantity,)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(quantity,)]
    assert verify_ledger(market, bench.wallet.name) == []


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_before", "error_after"])
def test_16_an_order_whose_answer_is_lost_is_found_or_sent_again_once(
    fault: str, remote: VenueBench, market: Connection
) -> None:
    intent_id = decide(remote, market)
    remote.misbehave(fault, "submit")
    passes(remote, market, 0)
    assert rows(market, "SELECT state FROM trading.orders") == [("unknown",)]
    passes(remote, market, 60, 60, 600)
    check_filled_once(remote, market, intent_id)


def test_16_an_order_that_the_venue_shows_late_is_not_sent_again(remote: VenueBench, market: Connection) -> None:
    intent_id = decide(remote, market)
    remote.misbehave("timeout_after", "submit")
    remote.misbehave("late_lookup", "submit", seconds=25.0)
    passes(remote, market, 0, 3, 5, 10, 30, 60)
    check_filled_once(remote, market, intent_id)


def test_16_a_finished_order_whose_id_was_forgotten_is_found_in_the_list(
    remote: VenueBench, market: Connection
) -> None:
    intent_id = decide(remote, market)
    remote.misbehave("timeout_after", "submit")
    remote.misbehave("forget_client_id", times=None)
    passes(remote, market, 0, 60)
    check_filled_once(remote, market, intent_id)


def test_partial_fills_are_each_booked_once(remote: VenueBench, market: Connection) -> None:
    intent_id = decide(remote, market, "10", limit="110")
    remote.misbehave("partial_fill", times=2)
    passes(remote, market, 0, 1, 60, 60)
    check_filled_once(remote, market, intent_id, 10)
    assert rows(market, "SELECT count(*) > 1 FROM trading.fills") == [(True,)]


def test_a_venue_that_takes_no_more_says_for_how_long(remote: VenueBench) -> None:
    remote.misbehave("rate_limit", "submit", seconds=7.0)
    with pytest.raises(RateLimited) as limited:
        remote.broker.submit(order(remote), at=remote.clock())
    assert limited.value.retry_after.total_seconds() == 7
    assert remote.orders() == []


def test_a_rate_limit_while_fills_are_read_does_not_send_the_order_again(
    remote: VenueBench, market: Connection
) -> None:
    intent_id = decide(remote, market)
    remote.misbehave("rate_limit", "list", times=2, seconds=5.0)
    passes(remote, market, 0, 10, 10, 60)
    check_filled_once(remote, market, intent_id)


@pytest.mark.parametrize("damage", ["not_json", "missing_fields", "unknown_status", "contradiction"])
def test_an_answer_that_makes_no_sense_is_kept_and_the_order_looked_up(
    damage: str, remote: VenueBench, market: Connection
) -> None:
    intent_id = decide(remote, market)
    remote.misbehave(damage, "submit")
    passes(remote, market, 0)
    assert rows(market, EVENTS)[-1] == ("unknown", 0, True)
    passes(remote, market, 60, 60)
    check_filled_once(remote, market, intent_id)


@pytest.mark.parametrize("damage", ["not_json", "missing_fields", "unknown_status", "contradiction"])
def test_a_look_up_that_makes_no_sense_settles_nothing(damage: str, remote: VenueBench, market: Connection) -> None:
    intent_id = decide(remote, market, limit="90")
    passes(remote, market, 0)
    remote.misbehave(damage, "lookup")
    remote.misbehave(damage, "list", times=None)
    passes(remote, market, 60)
    [(state, filled)] = rows(market, "SELECT state, filled FROM trading.orders")
    assert state in ("accepted", "unknown")
    assert filled == 0
    remote.at.venue.faults.rules.clear()
    remote.set_price("89")
    passes(remote, market, 60, 60)
    check_filled_once(remote, market, intent_id)


def test_a_cancel_whose_answer_is_lost_is_done(remote: VenueBench) -> None:
    made = order(remote, limit="90")
    remote.broker.submit(made, at=remote.clock())
    remote.settle()
    remote.misbehave("timeout_after", "cancel")
    with pytest.raises(Unknown):
        remote.broker.cancel(made, at=remote.clock())
    found = remote.broker.cancel(made, at=remote.clock())
    assert found is not None
    assert found.state is OrderState.CANCELLED


@pytest.mark.parametrize("seconds", [5.0, -5.0])
def test_24_a_venue_whose_clock_is_off_and_steps_refuses_no_order_and_puts_none_out_of_turn(
    seconds: float, remote: VenueBench, market: Connection
) -> None:
    first = decide(remote, market)
    remote.misbehave("clock_skew", times=None, seconds=seconds)
    passes(remote, market, 0, 1)
    resting = decide(remote, market, "2", limit="90")
    passes(remote, market, 30)
    remote.at.venue.faults.rules.clear()  # the clock steps back to the right time, then off to the other side
    passes(remote, market, 0.5)
    remote.misbehave("clock_skew", times=None, seconds=-seconds)
    remote.set_price("89")
    passes(remote, market, 1, 60)
    assert remote.orders() == [(first, Decimal(3)), (resting, Decimal(2))]
    assert rows(market, "SELECT intent_id, quantity FROM trading.fills ORDER BY filled_at") == [
        (first, 3),
        (resting, 2),
    ]
    assert rows(market, "SELECT count(*) FROM trading.refusals") == [(0,)]
    states = dict.fromkeys((first, resting), "")
    for intent_id, state in rows(
        market, "SELECT intent_id, state FROM trading.order_events ORDER BY intent_id, sequence"
    ):
        states[intent_id] += f" {state}"
    assert {one.split()[-1] for one in states.values()} == {"filled"}
    assert not any("unknown" in one or "rejected" in one for one in states.values())
    assert verify_ledger(market, remote.wallet.name) == []
