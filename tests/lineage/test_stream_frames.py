"""Frames of a cold month: a trace still leads to their bytes, which are those that were parsed."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES
from strades_pipelines.ingestion.archiving import archive_month, restore_month
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.lineage.row_lineage import NotFound, Row
from strades_pipelines.lineage.stream_frames import verify
from strades_pipelines.lineage.stream_replay import replay_connection
from tests.ingestion.conftest import NOW
from tests.ingestion.test_archiving import CHILD, JANUARY, market

__all__ = ["market"]
Connection = psycopg.Connection[Any]
FRAMES_TABLE = MONTHLY_TABLES["rawsources.frames"]
BORDER = datetime(2026, 2, 1, tzinfo=UTC)
ALL = "SELECT * FROM rawsources.frames ORDER BY connection, sequence"
FETCH = """
    INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, method, url, given, month, fetched_at,
        answered_at, outcome, sha256, run_id)
    VALUES (%s, 's', 'gateio_trades_stream', %s, 'STREAM', 'u', %s, '2026-01-01', %s, %s, 'stored', %s, 'r')
"""


def trade(number: int, at: datetime) -> bytes:
    """A frame of Gate.io with one trade."""
    result = {"id": number, "create_time_ms": f"{at.timestamp() * 1000:.3f}", "side": "buy", "amount": "1"}
    result |= {"currency_pair": "BTC_USDT", "price": "100"}
    return json.dumps({"channel": "spot.trades", "event": "update", "result": result}).encode()


def add_batch(connection: Connection, fetch_id: int, times: list[datetime], *, parsed: bytes | None = None) -> None:
    """A batch of connection 7, its fetch and its frames; `parsed`: other bytes than those of its frames."""
    frames = [trade(100 * fetch_id + number, at) for number, at in enumerate(times)]
    with connection.cursor() as cursor:
        sha256 = keep_body(cursor, join_frames(frames) if parsed is None else parsed)
    given = Jsonb({"symbol": "BTC_USDT", "venue": "gateio", "calendar": "24/7"})
    key = f"7 {10 * fetch_id}-{10 * fetch_id + len(frames) - 1} BTC_USDT"
    connection.execute(FETCH, [fetch_id, key, given, times[-1], times[-1], sha256])
    for number, (frame, at) in enumerate(zip(frames, times, strict=True)):
        row = [10 * fetch_id + number, at, fetch_id, frame]
        connection.execute("INSERT INTO rawsources.frames VALUES (7, %s, 's', %s, %s, %s)", row)


@pytest.fixture
def framed(market: Connection) -> Connection:
    """A batch of January, one across its end, and one of February; an acknowledgement without a fetch."""
    second = timedelta(seconds=1)
    market.execute("INSERT INTO rawsources.frames VALUES (7, 0, 's', %s, NULL, 'ok')", [BORDER - 9000 * second])
    for fetch_id, offsets in ((11, (-7200, -7199)), (12, (-1, 0, 1)), (13, (7200, 7201))):
        add_batch(market, fetch_id, [BORDER + offset * second for offset in offsets])
    market.commit()
    return market


def verified(connection: Connection) -> list[Row]:
    """The three fetches with their frames and faults."""
    found = [verify(connection, fetch_id) for fetch_id in (11, 12, 13)]
    connection.rollback()
    return found


def archive(url: str) -> Any:
    """Archive the frames of January."""
    return archive_month(FRAMES_TABLE, JANUARY, url=url, now=NOW, progress=lambda _line: None)


def test_cold_frames_are_traced_with_those_beside_them_and_come_back(framed: Connection, database_url: str) -> None:
    before, rows = verified(framed), framed.execute(ALL).fetchall()
    framed.rollback()
    places = [(fetch["connection"], fetch["first_frame"], fetch["last_frame"], fetch["faults"]) for fetch in before]
    assert places == [(7, 110, 111, []), (7, 120, 122, []), (7, 130, 131, [])]
    month = archive(database_url)
    assert (month.row_count, len(framed.execute(ALL).fetchall())) == (4, 4)
    framed.rollback()
    assert verified(framed) == before
    with pytest.raises(BadInput, match="whose frames are in the database, those of 2026-01 are cold"):
        replay_connection(7, database_url)
    with pytest.raises(NotFound):
        replay_connection(8, database_url)
    assert restore_month(FRAMES_TABLE, JANUARY, url=database_url) == 4
    assert framed.execute(ALL).fetchall() == rows
    framed.rollback()
    assert replay_connection(7, database_url).frames == 8


def test_cold_frames_that_are_not_the_bytes_that_were_parsed_are_a_fault(framed: Connection, database_url: str) -> None:
    hour = timedelta(hours=1)
    add_batch(framed, 14, [BORDER - hour], parsed=join_frames([trade(1400, BORDER - 2 * hour)]))
    framed.commit()
    archive(database_url)
    assert verify(framed, 14)["faults"] == ["fetch 14: its frames are not the bytes that were parsed"]
    assert [fetch["faults"] for fetch in verified(framed)] == [[], [], []]


def test_a_store_that_is_away_is_a_fault_of_its_fetches(framed: Connection, database_url: str, tmp_path: Path) -> None:
    archive(database_url)
    (tmp_path / "store").rename(tmp_path / "moved")
    first, _, last = verified(framed)
    assert first["faults"][0].startswith("fetch 11: its frames are in a cold month: rawsources.frames/2026-01/")
    assert last["faults"] == []


@pytest.mark.parametrize("point", ["archive.partitioned", "archive.deleted"])
def test_killed_no_frame_is_lost_and_the_next_try_ends(framed: Connection, database_url: str, point: str) -> None:
    before = verified(framed)
    child = [sys.executable, "-c", CHILD, database_url, FRAMES_TABLE.name, NOW.isoformat()]
    killed = subprocess.run(child, env={**os.environ, "STRADES_CRASH_AT": point}, start_new_session=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(framed.execute(ALL).fetchall()) == 8
    framed.rollback()
    assert archive(database_url).row_count == 4
    assert verified(framed) == before
