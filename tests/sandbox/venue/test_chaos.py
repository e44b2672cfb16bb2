"""Seeded runs of a venue with every fault at once against a careful client: each happens, and each is survived."""

from collections import Counter
from decimal import Decimal

import pytest
import requests

from sandbox.venue import execution
from sandbox.venue.faults import Fault
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, alpaca_venue
from tests.sandbox.venue.conftest import Clock
from tests.sandbox.venue.test_execution import price
from tests.sandbox.venue.test_faults import Client, listening, misbehave

RUNS, INTENTS = 40, 12
SECONDS = {Fault.LATE_LOOKUP: 4.0, Fault.TIMEOUT_AFTER: 20.0, Fault.TIMEOUT_BEFORE: 20.0}


def place_once(client: Client, clock: Clock, client_id: str) -> None:
    """Send an order until its answer or a look-up says that the venue has it; the id makes a repetition harmless."""
    for _ in range(30):
        try:
            answer = client.submit(client_id, qty="5")
            if answer.status_code == 422 or answer.json().get("client_order_id") == client_id:
                return
        except (requests.RequestException, ValueError):
            pass
        clock.move(2)
    raise AssertionError(f"no answer about {client_id}")


def one_run(seed: int) -> Venue:
    """Twelve intents at a venue whose every request may go wrong."""
    clock = Clock()
    venue = alpaca_venue(clock, seed=seed)
    price(venue, "100")
    feed = listening(venue)
    for kind in Fault:
        misbehave(venue, kind, chance=0.08, seconds=SECONDS.get(kind, 1.0))
    client = Client(venue, clock)
    for number in range(INTENTS):
        place_once(client, clock, str(number))
        clock.move(1)
        for _ in range(3):
            try:
                client.look_up(str(number))
            except requests.RequestException:
                continue
    feed.due()
    venue.faults.rules.clear()
    clock.move(60)
    execution.advance(venue.exchange)
    return venue


@pytest.fixture(scope="module")
def venues() -> list[Venue]:
    """The venues after their runs."""
    return [one_run(seed) for seed in range(RUNS)]


def test_no_intent_becomes_two_orders_and_every_fill_counts_once(venues: list[Venue]) -> None:
    for venue in venues:
        exchange = venue.exchange
        assert [order.ticket.client_order_id for order in exchange.orders.values()] == [str(n) for n in range(INTENTS)]
        assert exchange.accounts[KEY].balances == {
            "USD": Decimal(100_000 - 500 * INTENTS),
            "AAPL": Decimal(5 * INTENTS),
        }


def test_each_kind_of_fault_happened_twenty_times(venues: list[Venue]) -> None:
    counts: Counter[Fault] = sum((venue.faults.counts for venue in venues), Counter())
    assert {kind.value: counts[kind] for kind in Fault if counts[kind] < 20} == {}


def test_a_seed_is_the_same_run(venues: list[Venue]) -> None:
    again = one_run(7)
    assert (again.faults.counts, len(again.exchange.fills)) == (venues[7].faults.counts, len(venues[7].exchange.fills))
