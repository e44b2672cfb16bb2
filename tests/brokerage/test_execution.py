from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import Rejected, Unknown
from strades_pipelines.brokerage.execution import execute_pending, wallet_lock
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.order_journal import Executed
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.market.order_terms import Order, TradingDecision
from tests.brokerage.conftest import BTC, MINUTE, REPLAY, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

# Up at the second bar: a decision at 00:02 to hold 2.
CLOSES = [100.0, 101.0, 102.0, 103.0, 104.0]
DECIDED = START + 2 * MINUTE
SENT = DECIDED + MINUTE / 2
FILLED = START + 4 * MINUTE

Pass = Callable[[datetime], Executed]


@pytest.fixture
def venue(wallet: Wallet, database_url: str) -> Iterator[PaperBroker]:
    """The paper venue, on a connection of its own."""
    with connect(database_url) as own:
        yield PaperBroker(own, wallet)


@pytest.fixture
def trade(market: Connection, adbc: "AdbcConnection", venue: PaperBroker) -> Pass:
    """One pass of the live edge: decide, then execute."""

    def run(now: datetime) -> Executed:
        decide(market, adbc, "paper", now=now)
        return execute_pending(market, venue, "paper", now=now)

    return run


def decision(market: Connection, target: float, at: datetime, *, kind: str = "bar", ordinal: int = 0) -> str:
    """Put a decision into the database, as a strategy would have made it."""
    made = TradingDecision("paper", "sma_cross", 0, BTC, at, kind, f"{kind}@", ordinal, 0.0, target, "why", {})
    assert insert(market, "signals.decisions", decision_row(made, at))
    market.commit()
    return made.decision_id


def test_a_decision_is_sent_and_filled_at_the_next_open_after_it_was(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    sent = trade(SENT)
    assert len(sent.intents) == 1
    assert sent.sent == sent.intents
    assert rows(market, "SELECT state, submitted_at FROM trading.orders") == [("accepted", SENT)]
    # The bar of 00:02 opened before the order was sent; that of 00:03 is known at 00:04.
    assert trade(FILLED - timedelta(microseconds=1)).fills == []
    assert len(trade(FILLED).fills) == 1
    assert rows(market, "SELECT side, quantity, price, fee, filled_at, known_at, bar_open_time FROM trading.fills") == [
        ("buy", Decimal(2), Decimal(102), Decimal("0.204"), START + 3 * MINUTE, FILLED, START + 3 * MINUTE)
    ]
    assert rows(market, "SELECT state FROM trading.orders") == [("filled",)]
    assert rows(market, "SELECT balance FROM trading.cash") == [(Decimal("795.796"),)]
    assert rows(market, "SELECT quantity, average_price FROM trading.positions") == [(2, 102)]
    assert verify_ledger(market, "paper") == []


def test_the_same_pass_again_changes_nothing(trade: Pass, add_candles: AddCandles, database_url: str) -> None:
    add_candles(CLOSES)
    for now in (SENT, FILLED):
        trade(now)
        before = table_hashes(database_url)
        assert trade(now) == Executed()
        assert table_hashes(database_url) == before


def test_two_at_once_make_one_order(
    market: Connection, wallet: Wallet, database_url: str, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)

    def execute(_: int) -> Executed:
        with connect(database_url) as ours, connect(database_url) as theirs:
            return execute_pending(ours, PaperBroker(theirs, wallet), "paper", now=SENT)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(execute, range(4)))
    assert sorted(len(pass_.sent) for pass_ in done) == [0, 0, 0, 1]
    for table in ("trading.intents", "trading.orders", "trading.paper_venue_orders"):
        assert rows(market, f"SELECT count(*) FROM {table}") == [(1,)]


def test_a_wallet_is_executed_by_one_at_a_time(market: Connection, wallet: Wallet, database_url: str) -> None:
    with (
        connect(database_url) as other,
        wallet_lock(market, "paper"),
        pytest.raises(psycopg.errors.LockNotAvailable),
        wallet_lock(other, "paper", wait="10ms"),
    ):
        pass
    with connect(database_url) as other, wallet_lock(other, "paper", wait="10ms"):
        pass


def test_what_is_too_old_is_refused_for_good(market: Connection, trade: Pass, add_candles: AddCandles) -> None:
    add_candles(CLOSES)
    # It could be had a bar after it was due at the latest: from then on its age counts.
    late = trade(DECIDED + timedelta(minutes=16, microseconds=1))
    assert list(late.refusals.values()) == ["stale"]
    assert rows(market, "SELECT code FROM trading.refusals") == [("stale",)]
    assert rows(market, "SELECT count(*) FROM trading.intents") == [(0,)]
    assert trade(DECIDED).refusals == {}


def test_a_newer_decision_takes_the_place_of_older_ones(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    old, new = decision(market, 1.0, START + MINUTE), decision(market, 3.0, DECIDED)
    assert execute_pending(market, venue, "paper", now=SENT).refusals == {old: "superseded"}
    late = decision(market, 0.5, START + MINUTE + timedelta(seconds=1))
    # It comes out only now, from a bar that came late, and must not undo what followed it.
    assert execute_pending(market, venue, "paper", now=SENT).refusals == {late: "superseded"}
    assert rows(market, "SELECT decision_id, quantity FROM trading.intents") == [(new, Decimal(3))]


def test_the_last_of_an_instant_counts(market: Connection, venue: PaperBroker, add_candles: AddCandles) -> None:
    add_candles(CLOSES)
    first = decision(market, 1.0, DECIDED)
    last = decision(market, 2.0, DECIDED, kind="timer", ordinal=1)
    assert execute_pending(market, venue, "paper", now=SENT).refusals == {first: "superseded"}
    assert rows(market, "SELECT decision_id FROM trading.intents") == [(last,)]


def test_an_intent_that_was_never_sent_is_not_sent_when_it_has_grown_old(
    market: Connection, wallet: Wallet, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    intend(market, wallet, now=SENT)
    market.commit()
    assert execute_pending(market, venue, "paper", now=DECIDED + timedelta(minutes=16)).sent == []
    assert rows(market, "SELECT state, reason FROM trading.orders") == [("expired", "stale; it was never sent")]


def test_a_decision_that_is_not_known_yet_waits(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 1.0, DECIDED)
    assert execute_pending(market, venue, "paper", now=DECIDED - MINUTE) == Executed()
    assert len(execute_pending(market, venue, "paper", now=DECIDED).sent) == 1


def test_a_halted_wallet_sends_nothing(market: Connection, venue: PaperBroker, add_candles: AddCandles) -> None:
    add_candles(CLOSES)
    made = decision(market, 1.0, DECIDED)
    market.execute("UPDATE trading.wallets SET state = 'halted'")
    assert execute_pending(market, venue, "paper", now=SENT).refusals == {made: "wallet_halted"}
    assert rows(market, "SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]


class Silent:
    """A venue that loses answers: it takes the order, or does not, and then raises; lookups answer when they may."""

    name = "paper"
    links_orders = True
    lacks: frozenset[str] = frozenset()
    grace = timedelta(0)

    def __init__(self, venue: PaperBroker, error: Exception, *, takes: bool, answers: bool = True) -> None:
        self.venue, self.error, self.takes, self.answers = venue, error, takes, answers
        self.submits = self.lookups = 0

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        self.submits += 1
        if self.takes:
            self.venue.submit(order, at=at)
        raise self.error

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        self.lookups += 1
        if not self.answers:
            raise self.error
        return self.venue.lookup(order, at=at)

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        return self.venue.cancel(order, at=at)


@pytest.mark.parametrize("takes", [True, False])
def test_no_answer_leaves_the_order_unknown_until_the_venue_says(
    takes: bool, market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    silent = Silent(venue, Unknown("5 s"), takes=takes, answers=False)
    execute_pending(market, silent, "paper", now=SENT)
    # It is asked again after 2, 4 and 8 seconds; in between it is not.
    for seconds, expected in ((1, "submit"), (2, "no answer"), (5, "no answer"), (6, "no answer"), (14, "no answer")):
        now = SENT + timedelta(seconds=seconds)
        (reason,) = execute_pending(market, silent, "paper", now=now).unsettled.values()
        assert reason == f"{expected}: 5 s"
    assert silent.lookups == 3
    assert silent.submits == 1
    assert rows(market, "SELECT state FROM trading.orders") == [("unknown",)]
    # While it is unknown, nothing else of that listing is sent; nor is it forgotten.
    newer = decision(market, 0.0, SENT)
    assert execute_pending(market, silent, "paper", now=SENT + timedelta(seconds=15)).refusals == {}
    market.execute("DELETE FROM signals.decisions WHERE decision_id = %s", [newer])
    market.commit()
    # The venue answers: it has the order, or never had it, in which case it is sent now, under the same id.
    execute_pending(market, venue, "paper", now=SENT + timedelta(seconds=31))
    execute_pending(market, venue, "paper", now=FILLED + MINUTE)
    assert rows(market, "SELECT state FROM trading.orders") == [("filled",)]
    same = rows(market, "SELECT client_order_id = intent_id FROM trading.paper_venue_orders, trading.intents")
    assert same == [(True,)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]


def test_an_order_is_on_record_before_the_venue_hears_of_it(
    market: Connection, venue: PaperBroker, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)

    class Watching(Silent):
        def submit(self, order: Order, *, at: datetime) -> VenueOrder:
            with connect(database_url) as other:
                query = "SELECT intent_id, state FROM trading.orders"
                assert rows(other, query) == [(order.intent_id, "submitting")]
            return self.venue.submit(order, at=at)

    assert execute_pending(market, Watching(venue, Unknown("5 s"), takes=True), "paper", now=SENT).unsettled == {}


def test_an_order_that_never_arrived_is_not_sent_when_it_has_grown_old(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    execute_pending(market, Silent(venue, Unknown("5 s"), takes=False), "paper", now=SENT)
    execute_pending(market, venue, "paper", now=DECIDED + timedelta(minutes=16))
    assert rows(market, "SELECT state, reason FROM trading.orders") == [("expired", "stale; the venue never had it")]
    assert rows(market, "SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]


def test_a_venue_that_says_no_rejects_the_order(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    refusing = Silent(venue, Rejected("INVALID_SIZE"), takes=False)
    execute_pending(market, refusing, "paper", now=SENT)
    assert rows(market, "SELECT state, reason FROM trading.orders") == [("rejected", "INVALID_SIZE")]
    assert execute_pending(market, venue, "paper", now=SENT) == Executed()


def test_an_open_order_the_venue_has_lost_is_never_sent_again(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    execute_pending(market, venue, "paper", now=SENT)
    market.execute("DELETE FROM trading.paper_venue_orders")
    market.commit()
    for seconds in (0, 10, 20):
        assert execute_pending(market, venue, "paper", now=SENT + timedelta(seconds=seconds)).sent == []
    reason = "the venue does not know an order it had accepted"
    assert rows(market, "SELECT state, reason FROM trading.orders") == [("unknown", reason)]


def test_orders_on_the_way_count_against_the_next(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles([100.0, 100.0, 100.0])
    decision(market, 6.0, START + MINUTE)
    execute_pending(market, venue, "paper", now=START + MINUTE)
    more = decision(market, 10.0, DECIDED)
    # 1,000 less the 600.6 under way is less than 4 at 100 and their fee.
    assert execute_pending(market, venue, "paper", now=DECIDED - timedelta(seconds=1)).refusals == {}
    assert execute_pending(market, venue, "paper", now=DECIDED).refusals == {more: "cash_below_zero"}


def test_a_replay_wallet_is_not_executed(
    market: Connection, adbc: "AdbcConnection", venue: PaperBroker, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    name = replay(adbc, REPLAY, start=START, end=START + timedelta(days=1), now=FILLED).wallet
    assert name is not None
    with pytest.raises(ValueError, match="expected the mode paper or live, was replay"):
        execute_pending(market, venue, name, now=FILLED)


def test_the_venue_rejects_what_the_account_cannot_pay(
    market: Connection, venue: PaperBroker, add_candles: AddCandles
) -> None:
    add_candles([100.0, 100.0, 100.0, 200.0], opens=[100.0, 100.0, 100.0, 150.0])
    decision(market, 9.0, DECIDED)
    execute_pending(market, venue, "paper", now=SENT)
    execute_pending(market, venue, "paper", now=FILLED)
    assert rows(market, "SELECT state, reason FROM trading.orders") == [("rejected", "insufficient_cash")]
    assert rows(market, "SELECT balance FROM trading.cash") == [(1000,)]


def test_a_mode_without_a_venue_is_refused(market: Connection, wallet: Wallet) -> None:
    assert isinstance(venue_for(wallet, market), PaperBroker)
    with pytest.raises(ValueError, match="expected the mode paper or live, was replay"):
        venue_for(replace(wallet, mode="replay"), market)
