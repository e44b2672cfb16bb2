"""What an order goes through between us and its venue, where either says or does what it should not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, NotSent, RateLimited, Rejected, Unknown
from strades_pipelines.brokerage.decision_store import store_decisions
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import for_each
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.retirement import retire_unlisted
from strades_pipelines.brokerage.waiting import waiting
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, TradingDecision
from tests.brokerage.conftest import AAPL, BTC, MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT, decision

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

S = OrderState
SECOND = timedelta(seconds=1)
Answer = VenueOrder | BrokerError | Exception | None


class Scripted:
    """A venue that answers what it is told to: orders, errors, or nothing it knows."""

    name = "paper"
    links_orders = True
    lacks: frozenset[str] = frozenset()

    def __init__(self, *answers: Answer | Callable[[str], Answer], grace: timedelta = timedelta(0)) -> None:
        self.answers, self.grace = list(answers), grace
        self.calls: list[str] = []

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        answer = self._answer("submit", order.intent_id)
        assert answer is not None
        return answer

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        return self._answer("lookup", order.intent_id)

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        return self._answer("cancel", order.intent_id)

    def _answer(self, call: str, intent_id: str) -> VenueOrder | None:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(intent_id)
        if isinstance(answer, Exception):
            raise answer
        return answer


def says(state: OrderState, *fills: tuple[str, str], reason: str | None = None) -> Callable[[str], VenueOrder]:
    """The venue's word on an order: its state, and its fills by name and quantity, at 101 each."""
    parts = tuple(VenueFill(name, Decimal(size), Decimal(101), Decimal("0.1"), FILLED) for name, size in fills)
    return lambda intent_id: VenueOrder(intent_id, "V1", state, reason, parts, message=b"as it came")


def states(market: Connection) -> list[str]:
    """The states that the one order went through, without how it began."""
    found = rows(market, "SELECT state FROM trading.order_events ORDER BY sequence")
    assert [state for (state,) in found[:2]] == ["planned", "submitting"]
    return [state for (state,) in found[2:]]


@pytest.fixture
def passes(market: Connection, wallet: Wallet, add_candles: AddCandles) -> Callable[[Scripted, int], list[str]]:
    """So many passes, ten minutes apart at last, over a decision to hold 2; returns the states of its order."""
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)

    def run(venue: Scripted, count: int) -> list[str]:
        for number in range(count):
            execute_pending(market, venue, "paper", now=SENT + number * 6 * MINUTE)
        return states(market)

    return run


Passes = Callable[[Scripted, int], list[str]]


def test_14_partial_fills_are_each_booked_once_whatever_is_told_again(market: Connection, passes: Passes) -> None:
    venue = Scripted(
        says(S.ACCEPTED),
        says(S.PARTIALLY_FILLED, ("a", "0.5")),
        says(S.PARTIALLY_FILLED, ("a", "0.5"), ("b", "1")),
        says(S.FILLED, ("b", "1"), ("c", "0.5"), ("a", "0.5")),
    )
    assert passes(venue, 4) == ["accepted", "partially_filled", "partially_filled", "filled"]
    assert rows(market, "SELECT filled FROM trading.order_events WHERE sequence > 2 ORDER BY sequence") == [
        (Decimal("0.5"),),
        (Decimal("1.5"),),
        (2,),
    ]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]
    assert verify_ledger(market, "paper") == []


def test_14_a_fill_before_the_acknowledgement_counts(market: Connection, passes: Passes) -> None:
    assert passes(Scripted(Unknown("time-out"), says(S.FILLED, ("a", "2"))), 2) == ["unknown", "filled"]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]


def test_14_what_was_filled_before_a_cancel_is_kept(market: Connection, passes: Passes) -> None:
    assert passes(Scripted(says(S.ACCEPTED), says(S.CANCELLED, ("a", "0.5"), reason="by the venue")), 2) == [
        "accepted",
        "cancelled",
    ]
    assert rows(market, "SELECT filled, reason FROM trading.orders") == [(Decimal("0.5"), "by the venue")]


def test_a_venue_that_says_filled_before_it_tells_the_fills_is_asked_again(market: Connection, passes: Passes) -> None:
    venue = Scripted(says(S.FILLED), says(S.FILLED, ("a", "1")), says(S.FILLED, ("a", "1"), ("b", "1")))
    assert passes(venue, 3) == ["accepted", "partially_filled", "filled"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(S.UNKNOWN, reason="pending_review"), "the venue names a state that is not known: pending_review"),
        (says(S.ACCEPTED, ("a", "3")), "the venue filled 3 of 2, of which 0 are recorded"),
        (says(S.ACCEPTED, ("a", "-1")), "the venue filled -1 of 2, of which 0 are recorded"),
        (says(S.REJECTED, ("a", "1")), "the venue rejected the order and filled 1 of it"),
        (lambda _: says(S.ACCEPTED)("OTHER"), "the venue answered with another order, OTHER"),
    ],
)
def test_a_reply_that_makes_no_sense_is_kept_and_the_order_is_unknown(
    answer: Callable[[str], VenueOrder], said: str, market: Connection, passes: Passes
) -> None:
    assert passes(Scripted(answer), 1) == ["unknown"]
    query = "SELECT reason, message FROM trading.order_events ORDER BY sequence DESC LIMIT 1"
    assert rows(market, query) == [(said, b"as it came")]
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(0,)]


def test_a_venue_that_takes_back_what_it_said_is_not_believed(market: Connection, passes: Passes) -> None:
    venue = Scripted(says(S.PARTIALLY_FILLED, ("a", "1")), says(S.REJECTED), says(S.FILLED, ("a", "1"), ("b", "1")))
    assert passes(venue, 3) == ["partially_filled", "unknown", "filled"]


def test_what_was_certainly_not_sent_is_sent_again_under_the_same_id(market: Connection, passes: Passes) -> None:
    venue = Scripted(NotSent("no connection"), says(S.ACCEPTED))
    assert passes(venue, 2) == ["planned", "submitting", "accepted"]
    assert venue.calls == ["submit", "submit"]


def test_a_venue_that_takes_no_more_is_left_alone_as_long_as_it_says(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    venue = Scripted(RateLimited("429", retry_after=timedelta(seconds=40)), says(S.ACCEPTED))
    for seconds in (0, 1, 39, 40):
        execute_pending(market, venue, "paper", now=SENT + seconds * SECOND)
        assert len(venue.calls) == (2 if seconds == 40 else 1)


def test_an_order_the_venue_does_not_show_yet_is_not_sent_a_second_time(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    venue = Scripted(Unknown("time-out"), None, None, None, says(S.ACCEPTED), grace=timedelta(seconds=60))
    for seconds, calls in ((0, 1), (10, 2), (40, 3)):
        execute_pending(market, venue, "paper", now=SENT + seconds * SECOND)
        assert venue.calls == ["submit", "lookup", "lookup"][:calls]
    # After its grace the venue's word stands: it never had it.
    execute_pending(market, venue, "paper", now=SENT + 90 * SECOND)
    assert venue.calls[3:] == ["lookup", "submit"]
    assert states(market)[-2:] == ["submitting", "accepted"]


def test_a_fault_of_ours_halts_its_wallet_and_nothing_is_sent_until_it_is_looked_at(
    market: Connection, wallet: Wallet, add_candles: AddCandles, caplog: pytest.LogCaptureFixture
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    venue = Scripted(TypeError("unsupported operand"), None)
    with pytest.raises(TypeError):
        execute_pending(market, venue, "paper", now=SENT)
    assert "Traceback" in caplog.text
    assert rows(market, "SELECT state, state_reason FROM trading.wallets") == [
        ("halted", "a fault of Strades: TypeError: unsupported operand")
    ]
    # It may have been sent: the venue is asked, but no order goes out.
    execute_pending(market, venue, "paper", now=SENT + SECOND)
    assert venue.calls == ["submit", "lookup"]
    assert rows(market, "SELECT state, reason FROM trading.orders") == [
        ("cancelled", "wallet_halted; the venue never had it")
    ]


def test_what_is_no_longer_wanted_is_cancelled(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES[:3])
    wanted = decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        execute_pending(market, venue, "paper", now=SENT)
        assert request_cancel(market, wanted, by="a person", at=SENT, now=SENT)
        market.commit()
        execute_pending(market, venue, "paper", now=SENT + SECOND)
    assert states(market) == ["accepted", "cancelling", "cancelled"]
    assert rows(market, "SELECT state FROM trading.paper_venue_orders") == [("cancelled",)]


def test_a_cancel_that_comes_too_late_finds_the_fill(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    wanted = decision(market, 2.0, DECIDED)
    venue = Scripted(says(S.ACCEPTED), says(S.ACCEPTED), Rejected("it is over"), says(S.FILLED, ("a", "2")))
    execute_pending(market, venue, "paper", now=SENT)
    request_cancel(market, wanted, by="a person", at=SENT, now=SENT)
    market.commit()
    for seconds in (1, 10):
        execute_pending(market, venue, "paper", now=SENT + seconds * SECOND)
    assert states(market) == ["accepted", "cancelling", "filled"]


def test_an_unknown_order_asks_for_a_run_as_often_as_it_is_due(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    venue = Scripted(*[Unknown("time-out")] * 9)
    keys = set()
    for number in range(9):
        now = SENT + number * 6 * MINUTE
        due = waiting(market, now=now)
        market.commit()
        assert due
        keys.add(tuple(due))
        execute_pending(market, venue, "paper", now=now)
    assert len(keys) == 9  # Dagster launches a run once for one key
    assert waiting(market, now=SENT + 8 * 6 * MINUTE) == []


def test_a_decision_made_anew_for_its_instant_is_no_second_order(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    first = TradingDecision("paper", "sma_cross", 0, BTC, DECIDED, "prediction", "P1", 0, 0.0, 2.0, "why", {})
    anew = replace(first, trigger_id="P2", target=0.0)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        assert store_decisions(market, [first], [2.0], wallet, now=SENT) == [first]
        execute_pending(market, venue, "paper", now=SENT)
        execute_pending(market, venue, "paper", now=FILLED)
        # An article came late: another forecast for the same instant, on which the strategy would have held nothing.
        [correction] = store_decisions(market, [anew], [0.0], wallet, now=FILLED + SECOND)
        assert store_decisions(market, [anew], [0.0], wallet, now=FILLED + 2 * SECOND) == []
        execute_pending(market, venue, "paper", now=FILLED + 2 * SECOND)
    assert (correction.decided_at, correction.target, correction.trigger_kind) == (FILLED + SECOND, 0.0, "revision")
    assert rows(market, "SELECT side, intended_at FROM trading.intents ORDER BY intended_at") == [
        ("buy", DECIDED),
        ("sell", FILLED + SECOND),
    ]
    kept = "SELECT decision_id, target, trigger_id FROM signals.remade_decisions"
    assert rows(market, kept) == [(first.decision_id, 0.0, "P2")]


def test_a_wallet_that_is_taken_out_of_the_file_is_retired(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES[:3])
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        execute_pending(market, venue, "paper", now=SENT)
        late = decision(market, 3.0, SENT)
        assert retire_unlisted(market, ["another"], ["replay", "live"]) == []
        assert retire_unlisted(market, ["another"], ["paper"]) == ["paper"]
        assert execute_pending(market, venue, "paper", now=SENT + SECOND).refusals == {late: "wallet_retiring"}
    assert rows(market, "SELECT state FROM trading.orders") == [("cancelled",)]
    assert rows(market, "SELECT state, state_reason FROM trading.wallets") == [
        ("retired", "Wallets.json no longer lists it")
    ]
    assert waiting(market, now=SENT + MINUTE) == []
    market.commit()
    assert retire_unlisted(market, ["another"], ["paper"]) == []
    open_wallet(market, PAPER, now=SENT)  # listed again
    assert load_wallet(market, "paper").state == "active"


def test_a_daily_wallet_trades_what_its_source_brings_in_the_evening(
    market: Connection, add_days: AddCandles, adbc: "AdbcConnection", database_url: str
) -> None:
    daily = replace(
        PAPER, name="daily", interval="1d", instruments=("yahoo:AAPL",), currency="USD", cash=Decimal(10_000)
    )
    wallet = open_wallet(market, daily, now=START)
    decided = START + timedelta(days=2, hours=21)
    for minutes, sent in ((45, 1), (26 * 60, 0)):
        # Fetched half an hour after the close: decided and stored then. A whole day late it is stale.
        at = decided + timedelta(minutes=minutes)
        made = TradingDecision("daily", "sma_cross", 0, AAPL, decided, "bar", "b", 1 - sent, 0.0, 2.0, "why", {})
        store_decisions(market, [made], [2.0], wallet, now=at)
        market.commit()
        add_days([100.0, 100.0], start=START + timedelta(days=1))
        with connect(database_url) as theirs:
            done = execute_pending(market, PaperBroker(theirs, wallet), "daily", now=at + timedelta(minutes=1))
        assert len(done.sent) == sent, done


def test_a_failed_transaction_of_one_wallet_fails_no_other(
    market: Connection, wallet: Wallet, database_url: str, adbc: "AdbcConnection"
) -> None:
    with connect(database_url) as theirs:

        def work(name: str) -> Any:
            for connection in (market, theirs):
                connection.execute(f"SELECT 1 / {0 if name == 'broken' else 1}")
            with adbc.cursor() as cursor:
                cursor.execute(f"SELECT 1 / {0 if name == 'broken adbc' else 1}")
            return "done"

        results, errors = for_each(["broken", "broken adbc", "paper"], work, [market, theirs, adbc])
    assert results == {"paper": "done"}
    assert sorted(errors) == ["broken", "broken adbc"]


def test_an_order_is_not_over_before_its_last_fill_is_told(market: Connection, passes: Passes) -> None:
    def cancelled(*fills: tuple[str, str]) -> Callable[[str], VenueOrder]:
        return lambda intent_id: replace(says(S.CANCELLED, *fills)(intent_id), filled=Decimal(1))

    venue = Scripted(says(S.ACCEPTED), cancelled(), cancelled(("a", "2")), cancelled(("a", "1")))
    assert passes(venue, 4) == ["accepted", "unknown", "cancelled"]
    assert rows(market, "SELECT filled FROM trading.orders") == [(1,)]
