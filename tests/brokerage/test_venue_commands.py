"""A page cancels an order and flattens a wallet: once, with the outcome recorded, whichever process is killed."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.pending_commands import TOO_LATE, carry_out_pending
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import PROJECT
from tests.brokerage.conftest import MINUTE, AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT
from tests.brokerage.test_limits import Desk, Hand, desk

__all__ = ["desk"]
EXITS = """
    SELECT i.side, i.quantity, o.state FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    WHERE i.reduce_only
"""
OUTCOMES = "SELECT outcome FROM trading.commands WHERE request_key IS NOT NULL ORDER BY command_id"


def ask(connection: Connection, kind: str, at: datetime, *, order: str = "", wallet: str = "paper") -> None:
    """Leave the row that a page leaves."""
    connection.execute(
        "INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key) "
        "VALUES (%s, 'wallet', %s, 'dashboard:ada', %s, 'a page', jsonb_build_object('intent_id', %s::text), "
        "gen_random_uuid())",
        [kind, wallet, at, order],
    )
    connection.commit()


def carry_out(connection: Connection, url: str, now: datetime) -> list[str]:
    return list(carry_out_pending(connection, clock=lambda: now, connect_venue=lambda: connect(url)).values())


@pytest.fixture
def held(desk: Desk, market: Connection, add_candles: AddCandles) -> Hand:
    """Two bitcoins were bought, and one is to be sold higher up."""
    add_candles([*CLOSES, 104.0, 104.0])
    hand = desk({})
    assert hand.order("2", DECIDED) == "accepted"
    hand.step(FILLED)
    assert hand.order("-1", FILLED, limit="200") == "accepted"
    return hand


def open_order(connection: Connection) -> str:
    [(intent_id,)] = rows(connection, "SELECT intent_id FROM trading.orders WHERE state = 'accepted'")
    return str(intent_id)


def test_a_flatten_halts_at_once_cancels_and_closes_once(held: Hand, market: Connection, database_url: str) -> None:
    ask(market, "flatten", FILLED)
    assert current_state(market, "paper") == "halted"
    assert carry_out(market, database_url, FILLED) == ["flattened"]
    assert rows(market, EXITS) == [("sell", Decimal(2), "accepted")]
    assert rows(market, "SELECT count(*) FROM trading.orders WHERE state = 'cancelled'") == [(1,)]
    ask(market, "flatten", FILLED)
    assert carry_out(market, database_url, FILLED) == ["flattened"]
    assert len(rows(market, EXITS)) == 1
    held.step(FILLED + 2 * MINUTE)
    assert rows(market, "SELECT quantity FROM trading.positions") == [(0,)]
    assert current_state(market, "paper") == "halted"


def test_a_flatten_that_was_killed_goes_on_and_sends_no_second_exit(
    held: Hand, market: Connection, database_url: str
) -> None:
    ask(market, "flatten", FILLED)
    words = (
        "import sys; from tests.brokerage.test_venue_commands import carry_out, connect, datetime; "
        "carry_out(connect(sys.argv[1]), sys.argv[1], datetime.fromisoformat(sys.argv[2]))"
    )
    for point in ("trading.exits_decided", "trading.command_written"):
        done = subprocess.run(
            [sys.executable, "-c", words, database_url, FILLED.isoformat()],
            cwd=PROJECT,
            env=os.environ | {"STRADES_CRASH_AT": point},
            start_new_session=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, point
        assert rows(market, OUTCOMES) == [(None,)]
    assert carry_out(market, database_url, FILLED) == ["flattened"]
    assert rows(market, EXITS) == [("sell", Decimal(2), "accepted")]


def test_a_cancel_says_what_came_of_it(held: Hand, market: Connection, database_url: str) -> None:
    order = open_order(market)
    ask(market, "cancel", FILLED, order=order)
    assert carry_out(market, database_url, FILLED) == ["cancelled"]
    ask(market, "cancel", FILLED, order=order)
    ask(market, "cancel", FILLED, order="NOPE")
    ask(market, "cancel", FILLED, order=order, wallet="another")
    told = carry_out(market, database_url, FILLED)
    assert told[0] == f"refused: order {order} is cancelled: there is nothing to cancel"
    assert told[1].startswith("refused: intent: expected the id of an order, was 'NOPE'")
    assert told[2] == f"refused: order {order} is not of wallet another"
    assert current_state(market, "paper") == "active"


@pytest.mark.parametrize("kind", ["cancel", "flatten"])
@pytest.mark.parametrize("seconds", [-61, 61], ids=["of a time to come", "waited"])
def test_one_that_waited_too_long_touches_no_order(
    kind: str, seconds: int, held: Hand, market: Connection, database_url: str
) -> None:
    """A position that is sold an hour after somebody wanted it sold is sold for no reason; the halt stays."""
    order = open_order(market)
    ask(market, kind, FILLED, order=order)
    assert carry_out(market, database_url, FILLED + timedelta(seconds=seconds)) == [TOO_LATE]
    assert rows(market, EXITS) == []
    assert open_order(market) == order
    assert current_state(market, "paper") == ("halted" if kind == "flatten" else "active")


def test_a_fault_at_the_venue_ends_the_command_with_its_reason_and_keeps_the_wallet_halted(
    held: Hand, market: Connection, database_url: str
) -> None:
    market.execute("ALTER TABLE trading.paper_venue_orders RENAME TO gone")
    market.commit()
    ask(market, "flatten", FILLED)
    [outcome] = carry_out(market, database_url, FILLED)
    assert outcome.startswith('not flattened: relation "trading.paper_venue_orders" does not exist')
    assert current_state(market, "paper") == "halted"


def test_a_wallet_that_is_not_there_is_not_flattened(market: Connection, database_url: str) -> None:
    decided = SENT
    ask(market, "flatten", decided, wallet="nobody")
    assert carry_out(market, database_url, decided) == ["refused: wallet nobody does not trade"]
