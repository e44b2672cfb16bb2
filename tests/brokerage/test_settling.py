"""A fill that cannot be its order's: booked nowhere, kept as it came, a finding where the venue repeats it."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import resume
from strades_pipelines.market.order_states import OrderState
from tests.brokerage.conftest import MINUTE, Connection, rows
from tests.brokerage.test_execution import FILLED, SENT
from tests.brokerage.test_order_life import Passes, Scripted, passes, says

__all__ = ["passes"]  # the fixture
S = OrderState
PART = VenueFill("b", Decimal(1), Decimal(101), Decimal("0.1"), FILLED)


def tells(part: VenueFill) -> Callable[[str], VenueOrder]:
    """The venue's word on an order of BTC, with a fill."""
    return lambda intent_id: replace(says(S.PARTIALLY_FILLED)(intent_id), fills=(part,), symbol="BTC_USDT")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        # Another fill than the one that is booked: together they are more than the order.
        (says(S.FILLED, ("b", "2")), "the venue filled 3 of 2, of which 1 are recorded"),
        (tells(replace(PART, side="sell")), "the venue tells fill b as a sell"),
        (tells(replace(PART, symbol="ETH_USDT")), "the venue tells fill b of ETH_USDT"),
    ],
)
def test_a_fill_that_cannot_be_its_orders_stops_the_wallet_and_is_no_fault_of_ours(
    answer: Callable[[str], VenueOrder], said: str, market: Connection, passes: Passes
) -> None:
    venue = Scripted(says(S.PARTIALLY_FILLED, ("a", "1")), answer, answer)
    assert passes(venue, 2) == ["partially_filled", "unknown"]
    assert rows(market, "SELECT state FROM trading.wallets") == [("active",)]  # it may have been a slip
    execute_pending(market, venue, "paper", now=SENT + 18 * MINUTE)
    query = "SELECT reason, message FROM trading.order_events ORDER BY sequence DESC LIMIT 1"
    assert rows(market, query) == [(said, b"as it came")]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(1,)]
    [(finding_id, code, state, detail)] = rows(market, "SELECT finding_id, code, state, detail FROM trading.findings")
    assert (code, state) == ("fill_contradicts", "open")
    assert said in detail
    reason = f"fill_contradicts BTC_USDT ({finding_id}); see `strades reconcile`"
    assert rows(market, "SELECT state, state_reason FROM trading.wallets") == [("halted", reason)]
    assert resume(market, Request("resume", Scope("wallet", "paper"), "alice", SENT, ""))[1] is False


def test_a_fill_that_was_a_slip_of_the_venue_is_forgotten(market: Connection, passes: Passes) -> None:
    venue = Scripted(tells(replace(PART, side="sell")), says(S.FILLED, ("a", "2")))
    assert passes(venue, 2) == ["unknown", "filled"]
    assert rows(market, "SELECT count(*) FROM trading.findings") == [(0,)]
