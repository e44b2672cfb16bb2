"""Several strategies in one wallet, and what a person does with one of them: none sells or stops what is another's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import Unknown
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.flatten import Flattened, flatten
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import SleeveError, decide
from strades_pipelines.brokerage.person_orders import decide_by_hand, outcome_of
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import observe_crash_points
from strades_pipelines.market.order_terms import MARKET, Order, OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.conftest import MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_live import CLOSES
from tests.brokerage.test_sleeves import SHARED, SLOW, TREND, owned, refusals, want

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

EXIT = OrderTerms(reduce_only=True)


class Venue(PaperBroker):
    """The paper venue, which may be made deaf to cancels."""

    is_deaf = False

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        if self.is_deaf:
            raise Unknown("no answer within 5 s")
        return super().cancel(order, at=at)


@pytest.fixture
def venue(market: Connection, add_candles: AddCandles, database_url: str) -> Iterator[Venue]:
    """Of a wallet in which `trend` holds 5 and `slow` 3 since the third minute."""
    add_candles([100.0] * 12)
    wallet = open_wallet(market, SHARED, now=START)
    for strategy, units in (("trend", 5.0), ("slow", 3.0)):
        want(market, strategy, units, START + MINUTE)
    with connect(database_url) as theirs:
        found = Venue(theirs, wallet)
        for minute in (1, 3):
            execute_pending(market, found, "paper", now=START + minute * MINUTE)
        assert owned(market) == {"slow": 3, "trend": 5}
        yield found


def flatten_trend(market: Connection, venue: Venue, minute: int) -> Flattened:
    now = START + minute * MINUTE
    asked = Request("flatten", Scope("wallet", "paper"), "alice", now, None)
    return flatten(market, venue, asked, clock=lambda: now, seconds=0, owners=["trend"])


def test_what_a_sale_that_is_not_over_may_still_sell_has_no_exit(market: Connection, venue: Venue) -> None:
    at = START + 3 * MINUTE
    sale = want(market, "trend", 5.0, at, OrderRequest(Decimal(-4), OrderTerms(limit=Decimal(200))), ordinal=1)
    execute_pending(market, venue, "paper", now=at)
    halt(market, Request("halt", Scope("strategy", "trend"), "alice", at, None), "halted")
    venue.is_deaf = True
    done = flatten_trend(market, venue, 4)
    assert [outcome.state for outcome in done.exits] == ["accepted"]  # of the one that is not on sale
    assert done.problems == [f"order {sale.intent_id()} is not cancelled yet: give the command again"]
    execute_pending(market, venue, "paper", now=START + 6 * MINUTE)
    assert owned(market) == {"slow": 3, "trend": 4}
    venue.is_deaf = False
    done = flatten_trend(market, venue, 8)
    assert ([outcome.state for outcome in done.exits], done.problems) == (["accepted"], [])
    execute_pending(market, venue, "paper", now=START + 10 * MINUTE)
    assert owned(market) == {"slow": 3, "trend": 0}


def by_hand(market: Connection, wallet: Wallet, units: int, minute: int, terms: OrderTerms = EXIT) -> TradingDecision:
    """An order that alice gives for `trend`."""
    asked = Request("order", Scope("wallet", "paper"), "alice", START + minute * MINUTE)
    order = OrderRequest(Decimal(units), terms)
    _, made = decide_by_hand(market, wallet, wallet.listings[0], order, asked, owner="trend")
    market.commit()
    return made


def test_a_strategy_that_cannot_be_made_holds_up_no_exit_and_halts_nobody(market: Connection, venue: Venue) -> None:
    market.execute("""UPDATE trading.sleeves SET parameters = '{"fast": "x"}'""")
    at = START + 3 * MINUTE
    want(market, "slow", 2.0, at)
    want(market, "trend", 5.5, at)
    made = by_hand(market, load_wallet(market, "paper"), -1, 3)
    execute_pending(market, venue, "paper", now=at)
    assert (outcome_of(market, made).state, refusals(market)) == ("accepted", [("trend", "strategy_fault")])
    execute_pending(market, venue, "paper", now=START + 5 * MINUTE)
    assert owned(market) == {"slow": 2, "trend": 4}
    assert load_wallet(market, "paper").state == "active"


def test_a_strategy_that_the_file_spoils_stops_itself_alone(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    open_wallet(market, SHARED, now=START)
    spoilt = replace(SHARED, sleeves=(TREND, replace(SLOW, parameters={"fast": "x"})))
    wallet = open_wallet(market, spoilt, now=START)
    assert [sleeve.state for sleeve in wallet.sleeves] == ["active", "active"]  # nobody is retired
    add_candles(CLOSES)
    with pytest.raises(SleeveError, match=r"^strategy slow: sma_cross: .*fast"):
        decide(market, adbc, "paper", now=START + 8 * MINUTE, faults=spoilt.strategy_faults())
    assert rows(market, "SELECT DISTINCT strategy FROM signals.decisions") == [("trend",)]


def outcomes(market: Connection, made: list[TradingDecision]) -> list[str]:
    """The state of each order, or the code of its refusal."""
    found = (outcome_of(market, decision) for decision in made)
    return [(one.reason or "").split(":")[0] if one.state == "refused" else one.state for one in found]


def test_a_halt_of_a_strategy_holds_back_what_a_person_orders_for_it(market: Connection, venue: Venue) -> None:
    at = START + 3 * MINUTE
    halt(market, Request("halt", Scope("strategy", "trend"), "alice", at, None), "halted")
    wallet = load_wallet(market, "paper")
    asked = [(1, MARKET), (-1, MARKET), (-1, EXIT)]
    made = [by_hand(market, wallet, units, 3, terms) for units, terms in asked]
    execute_pending(market, venue, "paper", now=at)
    assert outcomes(market, made) == ["strategy_halted", "strategy_halted", "accepted"]


def test_a_person_may_only_sell_off_what_a_retired_strategy_holds(market: Connection, venue: Venue) -> None:
    wallet = load_wallet(market, "paper")
    low, high = OrderTerms(limit=Decimal(50)), OrderTerms(limit=Decimal(200))
    resting = [by_hand(market, wallet, 1, 3, low), by_hand(market, wallet, -1, 3, high)]
    execute_pending(market, venue, "paper", now=START + 3 * MINUTE)
    assert outcomes(market, resting) == ["accepted", "accepted"]
    open_wallet(market, replace(SHARED, sleeves=(SLOW,)), now=START + 4 * MINUTE)
    made = [by_hand(market, wallet, units, 4, MARKET) for units in (1, -1)]
    execute_pending(market, venue, "paper", now=START + 4 * MINUTE)
    assert outcomes(market, [*resting, *made]) == ["cancelled", "accepted", "strategy_reducing", "accepted"]


def test_a_halt_between_plan_and_send_keeps_a_persons_order_for_that_strategy_back(
    market: Connection, venue: Venue
) -> None:
    at = START + 3 * MINUTE
    asked = Request("halt", Scope("strategy", "trend"), "alice", at, None)
    made = by_hand(market, load_wallet(market, "paper"), -1, 3, MARKET)

    def halt_then(point: str) -> None:
        if point == "trading.intents_committed":
            halt(market, asked, "halted")

    with observe_crash_points(halt_then):
        execute_pending(market, venue, "paper", now=at)
    outcome = outcome_of(market, made)
    assert (outcome.state, outcome.reason) == ("cancelled", "strategy_halted; it was never sent")


def test_the_verification_finds_a_position_of_a_strategy_that_is_missing(market: Connection, venue: Venue) -> None:
    assert verify_ledger(market, "paper") == []
    market.execute("DELETE FROM trading.owner_positions WHERE owner = 'trend'")
    [line] = verify_ledger(market, "paper")
    assert line.startswith("wallet paper: trend: position in 11: expected Position(quantity=Decimal('5")
