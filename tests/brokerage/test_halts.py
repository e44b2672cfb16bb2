"""The kill switch: after a halt has returned no new order reaches a venue, while cancels and look-ups do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import ALL, Request, Scope, log_command, log_outcome
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import current_state, halt, resume, send_lock, wait_for_sends, wallets_of
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.settings import PROJECT
from tests.brokerage.conftest import BTC, ETH, MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT, decision
from tests.waiting import MOMENT

PAIR = replace(PAPER, instruments=("gateio:BTC_USDT", "gateio:ETH_USDT"), cash=Decimal(10_000))
WALLET, STRATEGY = Scope("wallet", "paper"), Scope("strategy", "sma_cross")


def asks(scope: Scope = ALL, kind: str = "halt") -> Request:
    return Request(kind, scope, "alice", SENT, "a test")


@contextmanager
def slow_pass(url: str, seconds: float, notes: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pass of another process, from the moment at which it is inside a submit."""
    command = [sys.executable, "-m", "tests.brokerage.sleeping_child", url, SENT.isoformat(), str(seconds), str(notes)]
    child = subprocess.Popen(command, cwd=PROJECT, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not notes.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        yield child
        assert child.wait(60) in (0, -signal.SIGKILL)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def noted(notes: Path) -> dict[str, list[float]]:
    """The venue's record: the times of each kind of call."""
    found: dict[str, list[float]] = {}
    for line in notes.read_text().splitlines():
        what, at = line.split()
        found.setdefault(what, []).append(float(at))
    return found


@pytest.fixture
def two_decisions(market: Connection, add_candles: AddCandles) -> Wallet:
    """A wallet whose strategy decided to buy both of its coins."""
    wallet = open_wallet(market, PAIR, now=START)
    for i, listing in enumerate((BTC, ETH)):
        add_candles(CLOSES, listing=listing)
        made = TradingDecision("paper", "sma_cross", i, listing, DECIDED, "bar", "b", 0, 0.0, 2.0, "why", {})
        insert(market, "signals.decisions", decision_row(made, DECIDED))
    market.commit()
    return wallet


def test_19_a_halt_returns_when_the_send_in_flight_has_ended_and_nothing_is_sent_after(
    market: Connection, two_decisions: Wallet, database_url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with slow_pass(database_url, 1.5, notes):
        halt(market, asks(), "halted")
        assert "end" not in noted(notes)
        assert wait_for_sends(market, ["paper"], seconds=5) == []
        returned = time.time()
    calls = noted(notes)
    assert len(calls["begin"]) == len(calls["end"]) == 1
    assert calls["end"][0] < returned
    assert rows(market, "SELECT count(*) FROM trading.paper_venue_orders") == [(1,)]
    assert rows(market, "SELECT state, reason FROM trading.orders ORDER BY state") == [
        ("accepted", None),
        ("cancelled", "wallet_halted; it was never sent"),
    ]


def test_a_send_that_hangs_is_named_after_the_time_that_was_given(
    market: Connection, two_decisions: Wallet, database_url: str, tmp_path: Path
) -> None:
    with slow_pass(database_url, MOMENT, tmp_path / "notes") as child:
        halt(market, asks(), "halted")
        begun = time.monotonic()
        assert wait_for_sends(market, ["another", "paper"], seconds=0.3) == ["paper"]
        assert time.monotonic() - begun < MOMENT / 2
        child.kill()


def test_a_killed_sender_holds_up_no_halt(
    market: Connection, two_decisions: Wallet, database_url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with slow_pass(database_url, 30, notes) as child:
        child.kill()
        halt(market, asks(), "halted")
        assert wait_for_sends(market, ["paper"], seconds=5) == []
    assert "end" not in noted(notes)


def test_19_cancels_and_look_ups_go_on_in_a_halted_wallet(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES[:3])
    wanted = decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        execute_pending(market, venue, "paper", now=SENT)
        halt(market, asks(), "halted")
        request_cancel(market, wanted, by="alice", at=SENT, now=SENT)
        market.commit()
        execute_pending(market, venue, "paper", now=SENT + MINUTE / 10)
    assert rows(market, "SELECT state FROM trading.paper_venue_orders") == [("cancelled",)]


def test_a_fill_is_booked_in_a_halted_wallet(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        execute_pending(market, venue, "paper", now=SENT)
        halt(market, asks(), "halted")
        execute_pending(market, venue, "paper", now=FILLED)
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]


@pytest.mark.parametrize(
    ("scope", "halted"),
    [
        (WALLET, {"paper"}),
        (STRATEGY, {"paper", "neighbour"}),
        (ALL, {"paper", "neighbour", "other"}),
    ],
)
def test_a_halt_stops_the_wallets_of_its_scope_until_the_same_scope_is_resumed(
    scope: Scope, halted: set[str], market: Connection, wallet: Wallet
) -> None:
    open_wallet(market, replace(PAPER, name="neighbour"), now=START)
    open_wallet(market, replace(PAPER, name="other", strategy="buy_and_hold", parameters={}), now=START)

    def states() -> dict[str, str]:
        return {name: load_wallet(market, name).state for name in ("paper", "neighbour", "other")}

    assert set(wallets_of(market, scope)) == halted
    halt(market, asks(scope), "halted")
    assert {name for name, state in states().items() if state == "halted"} == halted
    for another in {WALLET, STRATEGY, ALL} - {scope}:
        assert not resume(market, asks(another, "resume"))[1]
    assert {name for name, state in states().items() if state == "halted"} == halted
    assert resume(market, asks(scope, "resume"))[1]
    assert set(states().values()) == {"active"}


def test_a_wallet_opened_later_falls_under_the_halt_of_its_strategy(market: Connection) -> None:
    halt(market, asks(STRATEGY), "halted")
    wallet = open_wallet(market, PAPER, now=START)
    assert (wallet.state, wallet.state_reason) == ("halted", "strategy sma_cross: a test")


def test_the_strictest_of_several_states_counts(market: Connection, wallet: Wallet) -> None:
    halt(market, asks(WALLET), "reducing")
    halt(market, asks(ALL), "halted")
    assert current_state(market, "paper") == "halted"
    resume(market, asks(ALL, "resume"))
    assert current_state(market, "paper") == "reducing"


def test_an_order_planned_before_a_halt_to_reducing_is_sent_only_if_it_is_an_exit(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for now in (SENT, FILLED):
            execute_pending(market, venue, "paper", now=now)
        for number, (target, state) in enumerate(((3.0, "cancelled"), (1.0, "accepted"))):
            at = FILLED + number * MINUTE
            decision(market, target, at)
            intend(market, load_wallet(market, "paper"), now=at)
            market.commit()
            halt(market, asks(), "reducing")
            execute_pending(market, venue, "paper", now=at)
            last = "SELECT state FROM trading.orders INNER JOIN trading.intents USING (intent_id) ORDER BY intended_at"
            assert rows(market, last)[-1] == (state,)
            resume(market, asks(kind="resume"))


@pytest.mark.parametrize(("point", "state"), [("trading.halt_written", "active"), ("trading.halt_committed", "halted")])
def test_13_a_halt_that_was_killed_is_whole_or_not_there(
    point: str, state: str, market: Connection, wallet: Wallet, database_url: str
) -> None:
    words = "from tests.brokerage.test_halts import *; halt(connect(sys.argv[1]), asks(WALLET), 'halted')"
    done = subprocess.run(
        [sys.executable, "-c", words, database_url],
        cwd=PROJECT,
        env=os.environ | {"STRADES_CRASH_AT": point},
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert current_state(market, "paper") == state
    logged = [("halt", None)] if state == "halted" else []
    assert rows(market, "SELECT kind, outcome FROM trading.commands") == logged
    halt(market, asks(WALLET), "halted")
    assert wait_for_sends(market, ["paper"], seconds=1) == []
    assert current_state(market, "paper") == "halted"


def test_senders_do_not_wait_for_one_another(market: Connection, wallet: Wallet, database_url: str) -> None:
    with connect(database_url) as other, send_lock(market, "paper"):
        other.execute("SET lock_timeout = '100ms'")
        with send_lock(other, "paper"):
            pass
        assert wait_for_sends(other, ["paper"], seconds=0.1) == ["paper"]
    assert wait_for_sends(market, ["paper"], seconds=0.1) == []


Change = Callable[[Connection], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.execute("DELETE FROM trading.commands"),
        lambda c: c.execute("UPDATE trading.commands SET requested_by = 'bob'"),
        lambda c: c.execute("UPDATE trading.commands SET outcome = 'x', finished_at = now(), reason = 'y'"),
        lambda c: [log_outcome(c, 1, outcome, now=SENT) for outcome in ("done", "undone")],  # type: ignore[func-returns-value]
    ],
)
def test_a_command_is_kept_as_it_was_given_and_its_outcome_once(change: Change, market: Connection) -> None:
    log_command(market, asks(), {})
    market.commit()
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        change(market)
