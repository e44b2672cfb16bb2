"""A wallet's orders on their way several at once: what it costs, and what is right when one of them goes wrong."""

import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.pq import Trace
from requests import PreparedRequest, Response

from sandbox.venue.in_process import InProcessAdapter
from strades_pipelines.brokerage.brokers.venue_errors import NotSent, RateLimited, Unknown
from strades_pipelines.brokerage.command_log import ALL, Request
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AtAlpaca, AtGate
from tests.brokerage.brokers.benches import VENUES
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, SENT
from tests.brokerage.test_order_life import Scripted, says

S = OrderState
SECOND = timedelta(seconds=1)
STATES = """
    SELECT o.state FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id) ORDER BY d.ordinal
"""


def decide(market: Connection, wallet: str, listing: int, count: int, at: Any = DECIDED) -> list[str]:
    """Decisions to buy one unit each, at the market; returns their intent ids."""
    made = [
        TradingDecision(
            wallet, "s", 0, listing, at, "bar", "b", n, 0.0, 0.0, "why", {}, OrderRequest(Decimal(1), OrderTerms())
        )
        for n in range(count)
    ]
    for decision in made:
        assert insert(market, "signals.decisions", decision_row(decision, at))
    market.commit()
    return [decision.intent_id() for decision in made]


def states(market: Connection) -> list[str]:
    return [state for (state,) in rows(market, STATES)]


@pytest.fixture
def three(market: Connection, wallet: Wallet, add_candles: AddCandles) -> list[str]:
    """The intents of three decisions to buy a coin each."""
    add_candles(CLOSES)
    return decide(market, "paper", BTC, 3)


class Crowd(InProcessAdapter):
    """A venue's door that takes its time, and counts how many are inside at once."""

    def __init__(self, inner: InProcessAdapter) -> None:
        super().__init__(inner._venues, inner._wait)
        self._one_at_a_time = inner._one_at_a_time
        self.inside, self.most, self.lock = 0, 0, threading.Lock()

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.05)
        try:
            return super().send(request, *args, **options)
        finally:
            with self.lock:
                self.inside -= 1


@pytest.mark.parametrize("name", VENUES)
def test_orders_of_a_batch_are_in_flight_at_once_after_one_commit(name: str, market: Connection) -> None:
    at = VENUES[name](market, in_flight=4)
    prepare(market, at.listing_id)
    crowd = Crowd(at.adapter)
    session = at.client.exchange.session if isinstance(at, AtGate) else at.broker._client._session
    session.mount("http://", crowd)
    intents = decide(market, at.wallet.name, at.listing_id, 8, START + MINUTE)
    done = execute_pending(market, at.broker, at.wallet.name, now=START + MINUTE)
    assert sorted(done.sent) == sorted(intents)
    assert crowd.most == 4
    placed = [order.ticket.client_order_id.removeprefix("t-") for order in at.venue.exchange.orders.values()]
    assert sorted(placed) == sorted(intents)
    # A row knows the transaction that wrote it.
    assert rows(
        market, "SELECT count(*), count(DISTINCT xmin::text) FROM trading.order_events WHERE state = 'submitting'"
    ) == [(8, 1)]
    execute_pending(market, at.broker, at.wallet.name, now=START + 2 * MINUTE)
    assert set(states(market)) == {"filled"}
    assert rows(market, "SELECT quantity FROM trading.positions") == [(8,)]


class Traced:
    """Alpaca's venue, which ends the trace of what goes to the database at the first order."""

    def __init__(self, at: AtAlpaca, market: Connection) -> None:
        self._broker, self._market = at.broker, market
        self.name, self.grace = at.broker.name, at.broker.grace
        self.links_orders, self.lacks = at.broker.links_orders, at.broker.lacks
        self.lookup, self.cancel = at.broker.lookup, at.broker.cancel

    def submit(self, order: Any, *, at: Any) -> Any:
        self._market.pgconn.untrace()
        return self._broker.submit(order, at=at)


@pytest.mark.parametrize("count", [1, 20])
def test_a_decision_is_on_the_wire_after_few_statements_and_one_commit_that_waits(
    count: int, market: Connection
) -> None:
    at = AtAlpaca(market)
    prepare(market, at.listing_id)
    decide(market, at.wallet.name, at.listing_id, count, START + MINUTE)
    market.prepare_threshold = None  # so that each statement goes over as text
    with tempfile.TemporaryFile("w+") as told:
        market.pgconn.trace(told.fileno())
        market.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        execute_pending(market, Traced(at, market), at.wallet.name, now=START + MINUTE)
        told.seek(0)
        sent = [line for line in told if line.startswith("F\t")]
    # Whatever their number: what needs no wait of its own goes over with the others.
    assert waits_for_the_server(sent) <= 12
    assert commits_that_wait(sent) == 1


def waits_for_the_server(sent: list[str]) -> int:
    """How often an answer was waited for, by what went to the server; at a pipeline's end a Flush follows its Sync."""
    kinds = [line.split("\t")[2].split()[0] for line in sent]
    pairs = zip(kinds, ["", *kinds], strict=False)
    return sum(kind in ("Query", "Sync") or (kind == "Flush" and before != "Sync") for kind, before in pairs)


def commits_that_wait(sent: list[str]) -> int:
    """How many transactions that wrote something waited for the disk, by what went to the server."""
    found, writes, is_lazy = 0, False, False
    for line in sent:
        if '"BEGIN"' in line:
            writes = is_lazy = False
        writes = writes or "INSERT INTO" in line or "UPDATE " in line
        is_lazy = is_lazy or "synchronous_commit = off" in line
        found += '"COMMIT"' in line and writes and not is_lazy
    return found


def test_a_venue_that_takes_no_more_in_the_middle_holds_back_the_rest(market: Connection, three: list[str]) -> None:
    limited = RateLimited("429", retry_after=timedelta(seconds=40))
    venue = Scripted(says(S.ACCEPTED), limited, says(S.ACCEPTED), says(S.ACCEPTED), says(S.ACCEPTED))
    execute_pending(market, venue, "paper", now=SENT)
    assert venue.calls == ["submit", "submit"]
    assert states(market) == ["accepted", "planned", "planned"]
    assert rows(market, "SELECT reason FROM trading.orders WHERE intent_id = '" + three[2] + "'") == [
        ("held back: the venue takes no more: 429",)
    ]
    execute_pending(market, venue, "paper", now=SENT + 39 * SECOND)
    assert venue.calls[2:] == ["lookup"]
    venue.calls.clear()
    venue.answers.append(says(S.ACCEPTED))
    execute_pending(market, venue, "paper", now=SENT + 40 * SECOND)
    assert sorted(venue.calls) == ["lookup", "submit", "submit"]
    assert states(market) == ["accepted"] * 3


def test_a_fault_of_ours_in_one_order_halts_the_wallet_and_leaves_the_others_right(
    market: Connection, three: list[str]
) -> None:
    venue = Scripted(says(S.ACCEPTED), TypeError("unsupported operand"))
    with pytest.raises(TypeError):
        execute_pending(market, venue, "paper", now=SENT)
    assert venue.calls == ["submit", "submit"]
    # It may have been sent; the one behind it was not begun.
    assert states(market) == ["accepted", "submitting", "planned"]
    assert rows(market, "SELECT state FROM trading.wallets") == [("halted",)]


def test_a_halt_in_the_middle_of_a_batch_holds_back_the_rest_for_good(
    market: Connection, three: list[str], database_url: str
) -> None:
    def halted(intent_id: str) -> Any:
        with connect(database_url) as person:
            halt(person, Request("halt", ALL, "alice", SENT, "a test"), "halted")
        return says(S.ACCEPTED)(intent_id)

    venue = Scripted(halted)
    execute_pending(market, venue, "paper", now=SENT)
    assert venue.calls == ["submit"]
    assert (
        rows(market, "SELECT state, reason FROM trading.orders WHERE intent_id <> '" + three[0] + "'")
        == [("cancelled", "wallet_halted; it was never sent")] * 2
    )


class Watch:
    """Seconds since a pass began, which a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def after(self, seconds: float, answer: Any) -> Callable[[str], Any]:
        """An answer that takes so long."""

        def answered(intent_id: str) -> Any:
            self.seconds += seconds
            return answer(intent_id) if callable(answer) else answer

        return answered


def test_an_order_is_as_old_as_its_send_however_long_its_pass_went_on_before(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    """A pass that waited 40 s before it sent; 20 s after the send the venue may still show the order late."""
    add_candles(CLOSES)
    decide(market, "paper", BTC, 1)
    venue = Scripted(Unknown("time-out"), None, None, says(S.ACCEPTED), grace=30 * SECOND)
    for seconds, before in ((0, 40.7), (60, 0.0), (90, 0.0)):
        execute_pending(market, venue, "paper", now=SENT + seconds * SECOND, elapsed=lambda: before)  # noqa: B023
    assert venue.calls == ["submit", "lookup", "lookup", "submit"]  # after 20 s, and after 50
    sent = rows(market, "SELECT recorded_at FROM trading.order_events WHERE state = 'submitting' ORDER BY sequence")
    assert sent == [(SENT + 40 * SECOND,), (SENT + 90 * SECOND,)]


def test_slow_answers_to_look_ups_take_no_time_from_sending(market: Connection, three: list[str]) -> None:
    watch = Watch()
    venue = Scripted(Unknown("time-out"), Unknown("time-out"), Unknown("time-out"))
    execute_pending(market, venue, "paper", now=SENT)
    decide(market, "paper", BTC, 2, DECIDED + SECOND)
    venue.answers = [*[watch.after(13, Unknown("time-out"))] * 3, watch.after(13, says(S.ACCEPTED)), says(S.ACCEPTED)]
    execute_pending(market, venue, "paper", now=SENT + 10 * SECOND, elapsed=watch)
    assert venue.calls[3:] == ["lookup", "lookup", "lookup", "submit", "submit"]
    assert watch.seconds == 52


Answer = Callable[[str], Any]


@pytest.mark.parametrize("first", [NotSent("no connection"), RateLimited("429")])
def test_a_grace_counts_from_when_an_order_was_last_sent(
    first: Exception, market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    decide(market, "paper", BTC, 1)
    venue = Scripted(first, Unknown("time-out"), None, grace=timedelta(seconds=30))
    for seconds in (0, 60, 70):
        execute_pending(market, venue, "paper", now=SENT + seconds * SECOND)
    # Ten seconds after it was sent the venue may still show it late: no second order.
    assert venue.calls == ["submit", "submit", "lookup"]
    assert states(market) == ["unknown"]
