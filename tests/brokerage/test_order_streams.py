"""The streams of venues over the sandbox's WebSocket: a fill is booked at once, whatever a stream loses or repeats."""

import importlib
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.venue import execution
from sandbox.venue.faults import Fault, fault_rule
from sandbox.venue.venue import Venue
from strades_pipelines.brokerage.brokers.selection import stream_for, venue_for
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.order_book import make_due, postpone
from strades_pipelines.brokerage.order_streams import OrderStreams
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.operations.trade_loop import TradeLoop
from strades_pipelines.settings import SettingsError, settings
from tests.brokerage.at_venue import AT_ALPACA, AT_GATE, PAIR, PRICE, SYMBOL, take_no_fees
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, BTC, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.wallet_files import write_wallets
from tests.sandbox.serving import Served, served
from tests.waiting import MOMENT, wait_until

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = START + 2 * MINUTE
LONG = 30.0  # seconds of a wait that something ends
BROKERS = {"alpaca": (AT_ALPACA, SYMBOL, AAPL), "gate": (AT_GATE, PAIR, BTC)}


class Listening:
    """A wallet at a venue of a sandbox in real time, and its stream."""

    def __init__(self, name: str, server: Served, market: Connection) -> None:
        template, self.symbol, listing_id = BROKERS[name]
        self.market = market
        self.venue: Venue = server.app.venues[name]
        take_no_fees(self.venue)
        self.set_price(PRICE)
        prepare(market, listing_id)
        self.wallet: Wallet = open_wallet(market, template, now=START)
        self.broker = venue_for(self.wallet, market)
        self.streams = OrderStreams()

    def set_price(self, price: str) -> None:
        """The one price at which everything trades from now on."""
        execution.hold_price(self.venue.exchange, self.symbol, Decimal(price), None)

    def listen(self) -> None:
        """Connect the stream."""
        self.streams.follow([(self.wallet.broker, "paper")])
        wait_until(lambda: any(feed.channels for feed in self.venue.feeds))

    def rest(self, ordinal: int = 0) -> str:
        """Have an order at 90 that waits there; returns its intent id."""
        at = START + MINUTE
        request = OrderRequest(Decimal(3), OrderTerms(limit=Decimal(90)))
        made = TradingDecision(
            self.wallet.name, "s", 0, self.wallet.listings[0].listing_id, at, "bar", "b", ordinal, 0, 0, "", {}, request
        )
        assert insert(self.market, "signals.decisions", decision_row(made, at))
        self.market.commit()
        execute_pending(self.market, self.broker, self.wallet.name, now=NOW)
        return made.intent_id()

    def hints(self, seconds: float = 1.0) -> set[str]:
        """What is told within that time."""
        end, told = time.monotonic() + seconds, set[str]()
        while (left := end - time.monotonic()) > 0:
            told |= self.streams.wait(left)
        return told


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A sandbox in real time, which the settings name."""
    with served(now=None, extra=tmp_path) as running:
        monkeypatch.setenv("STRADES_SANDBOX_URL", running.url)
        settings.cache_clear()
        yield running
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture(params=BROKERS)
def listening(request: pytest.FixtureRequest, server: Served, market: Connection) -> Iterator[Listening]:
    """A wallet at each venue that has a stream."""
    importlib.import_module("ccxt.pro")  # by a stream, it was seen to take half a minute of those that a test waits
    made = Listening(request.param, server, market)
    yield made
    made.streams.stop()
    wait_until(lambda: not any(thread.name.startswith("stream of") for thread in threading.enumerate()))


def test_a_fill_is_a_hint_to_look_its_order_up(listening: Listening) -> None:
    listening.listen()
    intent_id = listening.rest()
    listening.hints()
    begun = time.monotonic()
    listening.set_price("89")
    assert listening.streams.wait(MOMENT) == {intent_id}
    assert time.monotonic() - begun < MOMENT / 2
    execute_pending(listening.market, listening.broker, listening.wallet.name, now=NOW + MINUTE)
    assert rows(listening.market, "SELECT state, filled FROM trading.orders") == [("filled", 3)]


def test_14_what_is_told_twice_or_late_is_booked_once(listening: Listening) -> None:
    listening.listen()
    for kind in ("duplicate_event", "late_event"):
        listening.venue.faults.rules.append(fault_rule({"kind": kind, "seconds": 0.3}))
    intent_id = listening.rest()
    listening.set_price("89")
    told = []
    for minutes in range(1, 4):
        told.append(listening.hints(0.5))
        execute_pending(listening.market, listening.broker, listening.wallet.name, now=NOW + minutes * MINUTE)
    assert set().union(*told) == {intent_id}
    assert listening.venue.faults.counts[Fault.DUPLICATE_EVENT] > 0
    assert rows(listening.market, "SELECT sum(quantity), count(*) FROM trading.fills") == [(3, 1)]


def test_a_stream_that_ended_is_connected_again(listening: Listening) -> None:
    listening.listen()
    listening.venue.faults.rules.append(fault_rule({"kind": "disconnect", "times": 1}))
    listening.rest()
    wait_until(lambda: listening.venue.faults.counts[Fault.DISCONNECT] == 1)
    wait_until(lambda: any(feed.channels and feed.is_open for feed in listening.venue.feeds))
    listening.hints(0.5)
    second = listening.rest(ordinal=1)
    assert second in listening.hints()


def test_what_the_stream_loses_the_next_pass_finds(listening: Listening) -> None:
    listening.listen()
    listening.venue.faults.rules.append(fault_rule({"kind": "lost_event"}))
    listening.rest()
    listening.set_price("89")
    assert listening.hints(0.5) <= {""}
    execute_pending(listening.market, listening.broker, listening.wallet.name, now=NOW + MINUTE)
    assert rows(listening.market, "SELECT state FROM trading.orders") == [("filled",)]


def test_the_loop_books_a_fill_long_before_its_next_pass(
    listening: Listening, own_world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = BROKERS["alpaca" if listening.wallet.broker == "alpaca" else "gate"][0]
    write_wallets(tmp_path / "Wallets.json", replace(template, opened_at=START))
    monkeypatch.setenv("STRADES_WALLETS", str(tmp_path / "Wallets.json"))
    settings.cache_clear()
    listening.rest()
    ended = threading.Event()

    def end() -> None:
        if ended.is_set():
            raise SystemExit

    monkeypatch.setattr("strades_pipelines.system.stopping.begin_nothing_more_if_requested", end)
    loop = TradeLoop(None, every=60.0)

    def run() -> None:
        with suppress(SystemExit):
            loop.run(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: any(feed.channels for feed in listening.venue.feeds) and loop.totals["passes"] > 0)
    listening.set_price("89")
    begun = time.monotonic()
    wait_until(lambda: rows(listening.market, "SELECT state FROM trading.orders") == [("filled",)])
    assert time.monotonic() - begun < MOMENT  # half of what the next pass waits for
    ended.set()
    loop._streams._hints.put("")
    thread.join(20)
    assert not thread.is_alive()


def test_a_hint_makes_an_order_due_that_the_venue_did_not_answer_for(listening: Listening) -> None:
    intent_id = listening.rest()
    postpone(listening.market, intent_id, now=NOW)
    make_due(listening.market, ["", intent_id])
    assert rows(listening.market, "SELECT state, reason FROM trading.orders") == [("accepted", None)]
    assert rows(listening.market, "SELECT count(*) FROM trading.order_attempts") == [(0,)]


def test_a_broker_without_a_stream_or_keys_is_waited_for_like_before() -> None:
    asked: list[str] = []

    def new_stream(broker: str, mode: str) -> Any:
        asked.append(broker)
        if broker == "alpaca":
            raise SettingsError("ALPACA_API_KEY is not set")
        return stream_for(broker, mode)

    streams = OrderStreams(new_stream)
    for _ in range(2):
        streams.follow([("paper", "paper"), ("alpaca", "paper")])
    assert sorted(asked) == ["alpaca", "alpaca", "paper"]  # a key that comes later is found
    begun = time.monotonic()
    assert streams.wait(0.2) == set()
    assert time.monotonic() - begun >= 0.19


def test_a_decision_ends_the_wait_for_the_next_pass(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    streams = OrderStreams()
    streams.follow_decisions(database_url)

    def is_listening() -> bool:
        rows(market, "SELECT pg_notify('strades_decisions', 'another')")
        return seconds_of_wait(streams, 2.0) < 1.0

    wait_until(is_listening)
    add_candles([100.0, 101.0])
    assert decide(market, adbc, "paper", now=NOW) != []
    assert seconds_of_wait(streams, LONG) < LONG / 2
    assert decide(market, adbc, "paper", now=NOW) == []  # nothing is told of where nothing is new
    assert seconds_of_wait(streams, 0.5) >= 0.5


def seconds_of_wait(streams: OrderStreams, most: float) -> float:
    """How long it waits; no order is to be looked up after that."""
    began = time.monotonic()
    assert streams.wait(most) == set()
    return time.monotonic() - began
