"""Halts and resumes that pages ask for: in force at once, carried out once, in order, whoever is killed."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import ALL, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import current_state, halt, resume, send_lock
from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet, set_state
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import PROJECT
from tests.brokerage.conftest import AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, SENT, decision
from tests.brokerage.test_halts import STRATEGY, WALLET, asks

OUTCOMES = "SELECT outcome FROM trading.commands ORDER BY command_id"


def ask(connection: Connection, scope: Scope, kind: str = "halt", at: datetime = SENT) -> None:
    """Leave the row that a page leaves."""
    connection.execute(
        "INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key) "
        "VALUES (%s, %s, %s, 'dashboard:ada', %s, 'a page', '{}', gen_random_uuid())",
        [kind, scope.kind, scope.name, at],
    )
    connection.commit()


def carry_out(connection: Connection) -> list[str]:
    return list(carry_out_pending(connection, clock=lambda: SENT).values())


@pytest.mark.parametrize("scope", [WALLET, STRATEGY, ALL])
def test_a_halt_that_waits_lets_no_order_out(
    scope: Scope, market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    ask(market, scope)
    with connect(database_url) as theirs:
        executed = execute_pending(market, PaperBroker(theirs, wallet), "paper", now=SENT)
    assert list(executed.refusals.values()) == ["wallet_halted"]
    assert rows(market, "SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]


def test_a_halt_that_waits_concerns_its_scope_alone(market: Connection, wallet: Wallet) -> None:
    ask(market, Scope("wallet", "sma_cross"))
    ask(market, Scope("strategy", "paper"))
    assert load_wallet(market, "paper").state == "active"


@pytest.mark.parametrize("scope", [WALLET, STRATEGY, ALL])
def test_it_is_carried_out_once_and_stays_until_it_is_resumed(scope: Scope, market: Connection, wallet: Wallet) -> None:
    ask(market, scope)
    assert carry_out(market) == ["halted"]
    assert carry_out(market) == []
    assert current_state(market, "paper") == "halted"
    ask(market, scope, "resume")
    assert current_state(market, "paper") == "halted"
    assert carry_out(market) == ["resumed"]
    assert current_state(market, "paper") == "active"
    assert rows(market, OUTCOMES) == [("halted",), ("resumed",)]


def test_a_send_in_flight_is_waited_for_and_named(
    market: Connection, wallet: Wallet, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strades_pipelines.brokerage.pending_commands.SEND_SECONDS", 0.1)
    ask(market, WALLET)
    with connect(database_url) as sender, send_lock(sender, "paper"):
        assert carry_out(market) == ["wallet paper was still sending after 5 s"]
    assert current_state(market, "paper") == "halted"


@pytest.mark.parametrize(
    ("point", "outcome"), [("trading.command_written", None), ("trading.command_committed", "halted")]
)
def test_one_that_is_killed_still_waits_or_is_done(
    point: str, outcome: str | None, market: Connection, wallet: Wallet, database_url: str
) -> None:
    ask(market, WALLET)
    words = "from tests.brokerage.test_pending_commands import *; carry_out(connect(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", words, database_url],
        cwd=PROJECT,
        env=os.environ | {"STRADES_CRASH_AT": point},
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert rows(market, OUTCOMES) == [(outcome,)]
    assert current_state(market, "paper") == "halted"
    assert carry_out(market) == (["halted"] if outcome is None else [])
    resume(market, asks(WALLET, "resume"))
    assert current_state(market, "paper") == "active"


def test_an_old_wish_to_resume_ends_no_later_halt(market: Connection, wallet: Wallet) -> None:
    ask(market, ALL)
    ask(market, ALL, "resume")
    later = halt(market, asks(), "halted")
    assert carry_out(market) == ["halted", f"refused: command {later} halted all wallets later"]
    assert current_state(market, "paper") == "halted"


@pytest.mark.parametrize("seconds", [-61, 61], ids=["waited", "of a time to come"])
def test_a_resume_that_waited_too_long_is_refused(seconds: int, market: Connection, wallet: Wallet) -> None:
    set_state(market, "paper", "halted", reason="a fault of Strades")
    market.commit()
    ask(market, WALLET, "resume", at=SENT + timedelta(seconds=seconds))
    [outcome] = carry_out(market)
    assert outcome.startswith("refused: nothing carried it out within a minute")
    assert current_state(market, "paper") == "halted"


def test_to_resume_what_is_not_halted_is_refused_with_the_reason(market: Connection, wallet: Wallet) -> None:
    ask(market, WALLET, "resume")
    [outcome] = carry_out(market)
    assert outcome.startswith("refused: wallet paper: nothing to resume")


def test_a_resume_at_the_terminal_ends_a_halt_that_waits(market: Connection, wallet: Wallet) -> None:
    ask(market, STRATEGY)
    command_id, ended = resume(market, asks(STRATEGY, "resume"))
    assert ended
    assert current_state(market, "paper") == "active"
    assert rows(market, OUTCOMES)[0] == (f"ended by command {command_id}",)
    assert carry_out(market) == []


def test_what_the_terminal_does_itself_is_left_to_it(market: Connection, wallet: Wallet) -> None:
    command_id = halt(market, asks(WALLET), "reducing")
    assert carry_out(market) == []
    resume(market, asks(WALLET, "resume"))
    assert current_state(market, "paper") == "active"
    assert rows(market, OUTCOMES)[0] == (None,)
    assert command_id == 1
