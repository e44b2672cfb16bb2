"""Old frames go; those that a decision heard, that hold bars, or that are not parsed yet stay."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.body_store import keep_body
from strades_pipelines.ingestion.streams import frame_retention
from strades_pipelines.ingestion.streams.frame_retention import delete_old_frames

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=31)
Connection = psycopg.Connection[Any]


def keep(connection: Connection, number: int, at: datetime, *, is_parsed: bool = True) -> None:
    """A frame and its fetch, both of that number."""
    with connection.cursor() as cursor:
        sha256 = keep_body(cursor, str(number).encode())
        cursor.execute(
            "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, method, url, given, month,"
            " fetched_at, answered_at, outcome, sha256, run_id, is_parsed) VALUES"
            " (%s, 'streamed', 'p', %s, 'STREAM', 'u', '{}', '2026-10-01', %s, %s, 'stored', %s, 'r', %s)",
            [number, str(number), at, at, sha256, is_parsed],
        )
    connection.execute("INSERT INTO rawsources.frames VALUES (1, %s, 'streamed', %s, %s, 'x')", [number, at, number])


def add_trade(connection: Connection, fetch_id: int, at: datetime) -> None:
    row = [str(fetch_id), at, at, fetch_id, at]
    connection.execute("INSERT INTO records.trades VALUES (1, %s, %s, 1, 1, 'buy', %s, 'stated', %s, %s)", row)


def add_quote(connection: Connection, fetch_id: int, at: datetime) -> None:
    row = [str(fetch_id), at, at, fetch_id, at]
    connection.execute("INSERT INTO records.quotes VALUES (1, %s, %s, 1, 1, 2, 1, %s, 'stated', %s, %s)", row)


def add_decision(connection: Connection, ordinal: int, at: datetime, inputs: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO signals.decisions (decision_id, wallet, strategy, listing_id, decided_at, trigger_kind,"
        " trigger_id, ordinal, previous_target, target, reason, inputs, recorded_at)"
        " VALUES (%s, 'w', 's', 1, %s, 'trade', 't', %s, 0, 1, '', %s, %s)",
        [str(ordinal), at, ordinal, json.dumps(inputs), at],
    )


def test_old_frames_go_but_for_those_that_a_decision_heard_or_that_hold_bars(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_retention, "BATCH_ROWS", 2)
    connection.execute("INSERT INTO records.listings VALUES (1, 'v', 's', 'USD', 0.1, 0.1, 'raw', '24/7')")
    connection.execute(
        "INSERT INTO ops.stream_states (source, instrument_id, state, gaps, updated_at)"
        " VALUES ('streamed', '1', 'live', 0, %s)",
        [NOW],
    )
    second = timedelta(seconds=1)
    for number, at in ((1, OLD), (2, OLD + 100 * second), (3, OLD + 200 * second), (4, OLD), (7, NOW), (8, OLD)):
        keep(connection, number, at)
    for number, seconds in ((9, 100), (10, 200)):
        keep(connection, number, OLD + seconds * second)
        add_quote(connection, number, OLD + (seconds - 1) * second)
    keep(connection, 5, OLD, is_parsed=False)
    connection.execute("INSERT INTO rawsources.frames VALUES (1, 6, 'streamed', %s, NULL, 'x')", [OLD])
    for number, at in ((1, OLD), (2, OLD + 99 * second), (3, OLD + 200 * second), (7, NOW)):
        add_trade(connection, number, at)
    connection.execute(
        """INSERT INTO records.candles VALUES (1, '1m', %s, %s, 1, 1, 1, 1, 1, 1, 1, %s, 'stated', 4, %s)""",
        [OLD - 60 * second, OLD, OLD, OLD],
    )
    heard = {"listing_ids": [1], "heard_from": (OLD + 80 * second).isoformat(), "heard_to": str(OLD + 100 * second)}
    connection.execute(
        'INSERT INTO trading.wallets (wallet, mode, strategy, parameters, instruments, "interval", currency,'
        " opening_cash, fee_rate, opened_at, code_hash, max_decision_age, broker) VALUES"
        " ('w', 'paper', 's', '{}', '{v:s}', '1m', 'USD', 1, 0, %s, '', '1 minute', 'paper')",
        [OLD],
    )
    for ordinal, kind in enumerate(("trades", "quotes")):
        add_decision(connection, ordinal, OLD + 100 * second, {kind: heard})
    connection.commit()
    assert delete_old_frames(connection, NOW - timedelta(days=30)) == 5
    left = connection.execute("SELECT sequence FROM rawsources.frames ORDER BY 1").fetchall()
    assert left == [(2,), (4,), (5,), (7,), (9,)]
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("DELETE FROM rawsources.frames WHERE sequence = 7")


def test_frames_of_a_cold_month_stay_with_those_that_came_just_after_it(connection: Connection) -> None:
    border = datetime(2026, 2, 1, tzinfo=UTC)
    connection.execute(
        "INSERT INTO ops.stream_states (source, instrument_id, state, gaps, updated_at)"
        " VALUES ('streamed', '1', 'live', 0, %s)",
        [NOW],
    )
    connection.execute(
        "INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)"
        " VALUES ('records.trades', '2026-01-01', 'p', 1, 1, 's', 's', %s)",
        [NOW],
    )
    for number, seconds in enumerate((-60, 0, 59, 60), start=1):
        keep(connection, number, border + timedelta(seconds=seconds))
    connection.commit()
    assert delete_old_frames(connection, NOW) == 1
    left = connection.execute("SELECT sequence FROM rawsources.frames ORDER BY 1").fetchall()
    assert left == [(1,), (2,), (3,)]


def test_a_batch_goes_whole_or_not_at_all(connection: Connection) -> None:
    before, second = NOW - timedelta(days=30), timedelta(seconds=1)
    connection.execute(
        "INSERT INTO ops.stream_states (source, instrument_id, state, gaps, updated_at)"
        " VALUES ('streamed', '1', 'live', 0, %s)",
        [NOW],
    )
    keep(connection, 1, before + second)
    connection.execute("INSERT INTO rawsources.frames VALUES (1, 0, 'streamed', %s, 1, 'y')", [before - second])
    connection.commit()
    assert delete_old_frames(connection, before) == 0
    assert delete_old_frames(connection, before + 2 * second) == 2
