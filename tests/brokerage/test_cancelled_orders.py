"""What hangs on an order that is being cancelled: it may be filled all the same, so nothing is sold or bought twice."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import Unknown
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import MARKET, Order, OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection, rows

LIMIT, EXIT = OrderTerms(limit=Decimal(110)), OrderTerms(reduce_only=True)
BID = OrderTerms(limit=Decimal(50))
HELD = "SELECT quantity FROM trading.positions"


class Deaf(PaperBroker):
    """The paper venue, which hears no cancel until it is told to."""

    hears = False

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        if not self.hears:
            raise Unknown("no answer within 5 s")
        return super().cancel(order, at=at)


class Strategy:
    """What a strategy of a wallet decides, one decision after the other, and passes over the wallet."""

    def __init__(self, connection: Connection, venue: Deaf) -> None:
        self.connection, self.venue, self.decided = connection, venue, 0

    def decide(
        self, minute: int, target: float, units: int | None = None, terms: OrderTerms = MARKET
    ) -> TradingDecision:
        """A target, or an order for `units`."""
        request = None if units is None else OrderRequest(Decimal(units), terms)
        at = START + minute * MINUTE
        ordinal = self.decided
        made = TradingDecision(
            "paper", "sma_cross", 0, BTC, at, "bar", "bar@", ordinal, 0.0, target, "why", {}, request
        )
        assert insert(self.connection, "signals.decisions", decision_row(made, at))
        self.connection.commit()
        self.decided += 1
        return made

    def cancel(self, made: TradingDecision, minute: int) -> None:
        """As `account.cancel` of a strategy does."""
        at = START + minute * MINUTE
        assert request_cancel(self.connection, made.decision_id, by="the strategy", at=at, now=at)
        self.connection.commit()

    def step(self, minute: int) -> None:
        """A pass of execution."""
        execute_pending(self.connection, self.venue, "paper", now=START + minute * MINUTE)

    def state(self, made: TradingDecision) -> str:
        """Of the decision's order, the code of its refusal, or that it waits."""
        query = f"""
            SELECT coalesce(o.state, r.code, 'waits') FROM signals.decisions AS d
            LEFT JOIN trading.intents AS i USING (decision_id)
            LEFT JOIN trading.orders AS o USING (intent_id)
            LEFT JOIN trading.refusals AS r ON r.decision_id = d.decision_id
            WHERE d.decision_id = '{made.decision_id}'
        """
        return str(rows(self.connection, query)[0][0])


@pytest.fixture
def strategy(market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str) -> Iterator[Strategy]:
    """It holds 5 since the third minute; the price is 100 until it rises to 120 in the tenth."""
    add_candles([100.0] * 9 + [120.0] * 10)
    with connect(database_url) as theirs:
        found = Strategy(market, Deaf(theirs, wallet))
        found.decide(1, 5.0)
        found.step(1)
        found.step(3)
        assert rows(market, HELD) == [(Decimal(5),)]
        yield found


@pytest.mark.parametrize(
    ("target", "units", "terms"),
    [(0.0, None, MARKET), (0.0, -5, MARKET), (0.0, -3, LIMIT), (0.0, -5, EXIT)],
    ids=["target", "at-market", "limit", "reduces"],
)
def test_a_sale_waits_until_the_one_that_is_cancelled_is_over(
    market: Connection, strategy: Strategy, target: float, units: int | None, terms: OrderTerms
) -> None:
    """In the same decision as the cancel, and once more in the next: neither goes out while 5 may still be sold."""
    first = strategy.decide(3, 5.0, -5, LIMIT)
    strategy.step(3)
    strategy.cancel(first, 4)
    second = strategy.decide(4, target, units, terms)
    for minute in (4, 5):
        strategy.step(minute)
        assert [strategy.state(first), strategy.state(second)] == ["cancelling", "waits"]
    strategy.venue.hears = True
    strategy.step(6)
    assert [strategy.state(first), strategy.state(second)] == ["cancelled", "accepted"]
    strategy.step(12)
    assert rows(market, HELD) == [(Decimal(2 if units == -3 else 0),)]


def test_a_sale_is_refused_when_the_one_that_was_cancelled_was_filled(market: Connection, strategy: Strategy) -> None:
    first = strategy.decide(3, 5.0, -5, LIMIT)
    strategy.step(3)
    strategy.cancel(first, 4)
    apart, target = strategy.decide(4, 0.0, -5), strategy.decide(4, 0.0)
    strategy.step(4)
    strategy.step(12)  # the price was 120 before the venue heard of the cancel
    outcomes = [strategy.state(made) for made in (first, apart, target)]
    assert outcomes == ["filled", "position_below_zero", "already_at_target"]
    assert rows(market, HELD) == [(Decimal(0),)]


def test_an_entry_waits_for_the_cash_of_the_one_that_is_cancelled_and_its_exit_with_it(strategy: Strategy) -> None:
    """500 are left: 9 at 50 take most of it. Then it bids anew, with an exit that waits for the fill."""
    first = strategy.decide(3, 14.0, 9, BID)
    strategy.step(3)
    strategy.cancel(first, 4)
    again = strategy.decide(4, 13.0, 8, BID)
    after = strategy.decide(4, 5.0, -8, OrderTerms(limit=Decimal(60), parent_id=again.intent_id()))
    strategy.step(4)
    assert [strategy.state(made) for made in (first, again, after)] == ["cancelling", "waits", "waits"]
    strategy.venue.hears = True
    strategy.step(5)
    assert [strategy.state(made) for made in (first, again, after)] == ["cancelled", "accepted", "accepted"]


def test_an_entry_that_waits_grows_old(strategy: Strategy) -> None:
    first = strategy.decide(3, 14.0, 9, BID)
    strategy.step(3)
    strategy.cancel(first, 4)
    again = strategy.decide(4, 13.0, 8, BID)
    for minute in (4, 21):
        strategy.step(minute)
    assert [strategy.state(first), strategy.state(again)] == ["cancelling", "stale"]


@pytest.mark.parametrize("units", [None, -5])
def test_an_exit_waits_for_a_cancel_however_long_that_takes(
    market: Connection, strategy: Strategy, units: int | None
) -> None:
    """Half an hour, at an age limit of 15 minutes; that its venue takes no more then costs it nothing either."""
    market.execute("DELETE FROM records.candles WHERE close > 100")  # the limit is never met
    first = strategy.decide(3, 5.0, -5, LIMIT)
    strategy.step(3)
    strategy.cancel(first, 4)
    second = strategy.decide(4, 0.0, units)
    for minute in (4, 21, 34):
        strategy.step(minute)
        assert [strategy.state(first), strategy.state(second)] == ["cancelling", "waits"]
    strategy.venue.hears = True
    strategy.step(36)  # asked, but no sooner than five minutes after the last time
    strategy.step(42)
    assert [strategy.state(first), strategy.state(second)] == ["cancelled", "accepted"]
    sendable = "SELECT send_before FROM trading.intents ORDER BY intended_at DESC, recorded_at DESC LIMIT 1"
    assert rows(market, sendable)[0][0] > START + 50 * MINUTE


def test_an_exit_that_nothing_held_up_grows_old(strategy: Strategy) -> None:
    exit_ = strategy.decide(4, 0.0)
    strategy.step(21)
    assert strategy.state(exit_) == "stale"


def test_what_replaces_an_order_that_waits_waits_with_it(market: Connection, strategy: Strategy) -> None:
    first = strategy.decide(3, 5.0, -5, LIMIT)
    strategy.step(3)
    strategy.cancel(first, 4)
    second = strategy.decide(4, 0.0, -5, LIMIT)
    third = strategy.decide(4, 0.0, -5, OrderTerms(limit=Decimal(115), replaces=second.intent_id()))
    strategy.step(4)
    assert [strategy.state(made) for made in (first, second, third)] == ["cancelling", "waits", "waits"]
    strategy.venue.hears = True
    for minute in (5, 6, 12):
        strategy.step(minute)
    assert [strategy.state(made) for made in (first, second, third)] == ["cancelled", "replaced", "filled"]
    assert rows(market, HELD) == [(Decimal(0),)]
