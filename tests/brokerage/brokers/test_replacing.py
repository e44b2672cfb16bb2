"""One order in the place of another, at every broker: never both, never neither, each fill its own order's."""

from decimal import Decimal

import pytest

from sandbox.venue import execution
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.order_journal import Executed
from tests.brokerage.brokers.benches import Bench, VenueBench, decide
from tests.brokerage.conftest import Connection, rows

ORDERS = """
    SELECT i.intent_id, o.state, o.filled FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    ORDER BY i.recorded_at, i.replaces IS NOT NULL
"""


def run(bench: Bench, market: Connection, count: int = 1) -> Executed:
    """So many passes, the market going on after each."""
    for _ in range(count):
        done = execute_pending(market, bench.broker, bench.wallet.name, now=bench.clock())
        bench.settle()
    return done


def states(market: Connection) -> list[tuple[str, Decimal]]:
    """State and fills of each order, as they were planned."""
    return [(state, filled) for _, state, filled in rows(market, ORDERS)]


def test_the_new_order_works_in_the_place_of_the_old(bench: Bench, market: Connection) -> None:
    old = decide(bench, market, "3", limit="90")
    run(bench, market, 2)
    new = decide(bench, market, "3", limit="95", replaces=old)
    run(bench, market, 3)
    assert states(market) == [("replaced", Decimal(0)), ("accepted", Decimal(0))]
    assert bench.working() == [new]
    bench.set_price("94")
    run(bench, market, 3)
    assert states(market) == [("replaced", Decimal(0)), ("filled", Decimal(3))]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(3,)]
    assert verify_ledger(market, bench.wallet.name) == []


def test_an_order_that_was_filled_first_is_not_replaced(bench: Bench, market: Connection) -> None:
    old = decide(bench, market, "3", limit="90")
    run(bench, market, 2)
    decide(bench, market, "3", limit="95", replaces=old)
    bench.set_price("89")
    run(bench, market, 3)
    [(_, state, filled), *more] = rows(market, ORDERS)
    assert (state, filled) == ("filled", 3)
    assert [state for _, state, _ in more] in ([], ["cancelled"])
    assert rows(market, "SELECT quantity FROM trading.positions") == [(3,)]


def test_what_the_old_order_was_filled_meanwhile_the_new_one_does_less(remote: VenueBench, market: Connection) -> None:
    old = decide(remote, market, "5", limit="90")
    run(remote, market, 2)
    decide(remote, market, "5", limit="95", replaces=old)
    # Two units are to be had at 90, before the new order is sent.
    execution.hold_price(remote.at.venue.exchange, remote.at.symbol, Decimal(90), Decimal(2))
    remote.clock.move(1)
    remote.set_price("100")
    run(remote, market, 3)
    assert states(market)[0] == ("replaced", Decimal(2))
    remote.set_price("94")
    run(remote, market, 3)
    assert rows(market, "SELECT sum(quantity) FROM trading.fills") == [(5,)]
    assert states(market) == [("replaced", Decimal(2)), ("cancelled", Decimal(3))]
    assert remote.working() == []


def test_an_order_of_another_kind_is_put_in_the_place_by_a_cancel(bench: Bench, market: Connection) -> None:
    old = decide(bench, market, "3", limit="90")
    run(bench, market, 2)
    decide(bench, market, "3", replaces=old)  # at the market
    run(bench, market, 4)
    assert states(market) == [("replaced", Decimal(0)), ("filled", Decimal(3))]


def test_two_orders_that_never_work_at_once_need_cash_for_one(bench: Bench, market: Connection) -> None:
    price = 90
    size = str(int(bench.wallet.opening_cash * Decimal("0.9") / price))
    old = decide(bench, market, size, limit=str(price))
    run(bench, market, 2)
    decide(bench, market, size, limit="91", replaces=old)
    run(bench, market, 3)
    assert [state for state, _ in states(market)] == ["replaced", "accepted"]


def test_what_cannot_be_replaced_is_refused_with_its_reason(bench: Bench, market: Connection) -> None:
    old = decide(bench, market, "3", limit="90")
    run(bench, market, 2)
    decide(bench, market, "3", limit="91", replaces="NOBODYS")
    decide(bench, market, "-3", limit="120", replaces=old)
    run(bench, market)
    decide(bench, market, "3", limit="92", replaces=old)
    run(bench, market, 3)
    decide(bench, market, "3", limit="93", replaces=old)
    run(bench, market)
    assert rows(market, "SELECT code, detail FROM trading.refusals ORDER BY recorded_at, detail DESC") == [
        ("nothing_to_replace", f"wallet {bench.wallet.name} has no order NOBODYS"),
        ("nothing_to_replace", f"order {old} is a buy of listing {bench.listing_id}, not a sell of {bench.listing_id}"),
        ("nothing_to_replace", f"order {old} is replaced"),
    ]


def test_a_halt_between_leaves_the_old_order_where_it_is(bench: Bench, market: Connection) -> None:
    old = decide(bench, market, "3", limit="90")
    run(bench, market, 2)
    decide(bench, market, "3", limit="95", replaces=old)
    request = Request("halt", Scope("wallet", bench.wallet.name), "a person", bench.clock(), None)
    halt(market, request, "halted")
    run(bench, market, 2)
    assert bench.working() == [old]
    assert states(market) == [("accepted", Decimal(0))]


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_after", "not_json"])
def test_a_replacement_whose_answer_is_lost_is_found_or_made_once(
    fault: str, remote: VenueBench, market: Connection
) -> None:
    old = decide(remote, market, "3", limit="90")
    run(remote, market, 2)
    new = decide(remote, market, "3", limit="95", replaces=old)
    for operation in ("replace", "cancel", "submit"):
        remote.misbehave(fault, operation)
    for _ in range(6):
        run(remote, market)
        remote.clock.move(60)
    remote.at.venue.faults.rules.clear()
    for _ in range(4):
        run(remote, market)
        remote.clock.move(300)
    assert remote.working() == [new]
    assert [state for state, _ in states(market)] == ["replaced", "accepted"]


def test_a_replacement_that_the_venue_shows_late_is_not_sent_again(remote: VenueBench, market: Connection) -> None:
    old = decide(remote, market, "3", limit="90")
    run(remote, market, 2)
    new = decide(remote, market, "3", limit="95", replaces=old)
    for operation in ("replace", "submit"):
        remote.misbehave("timeout_after", operation)
    # For longer than its grace at Alpaca, which knows an id that it has; for less at Gate.io, which does not.
    hidden = 200.0 if remote.wallet.broker == "alpaca" else 20.0
    remote.misbehave("late_lookup", seconds=hidden)
    for _ in range(8):
        run(remote, market)
        remote.clock.move(60)
    assert remote.orders() == [(old, Decimal(0)), (new, Decimal(0))]
    assert remote.working() == [new]
    assert [state for state, _ in states(market)] == ["replaced", "accepted"]
