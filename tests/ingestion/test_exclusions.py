"""A record that is left out is gone from current records, readable as of before, and comes back by an undo."""

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

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.stored_rows import read_rows
from strades_pipelines.market.ids import int31
from tests.ingestion.conftest import NOW, Store, add_listing, gate_body, gate_row
from tests.ingestion.test_data_requests import BAR, MANUAL_BAR, ask, outcome, records, sources

__all__ = ["sources"]
Connection = psycopg.Connection[Any]
OPEN = datetime(2026, 11, 1, tzinfo=UTC)
KEY = [str(int31("gateio", "BTC_USDT")), "1m", "2026-11-01 00:00:00+00"]
HOUR = timedelta(hours=1)


def mark(connection: Connection, kind: str, key: list[str] = KEY, table: str = "candles") -> int:
    """An accepted request to leave a record out, or to undo that."""
    given = {"table": table, "key": json.dumps(key)}
    return ask(connection, b"{}", protocol=kind, source=None, given=given, kind=kind)


def carry_out(url: str, sources: Sources, hours: int) -> list[str]:
    """Carry out what waits, so many hours after the first load."""
    return list(carry_out_requests(url, sources, clock=lambda: NOW + hours * HOUR).values())


def closes(url: str, at: datetime | None = None) -> list[float]:
    """The closes of the bars that stand; with a time those that a reader of then saw."""
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        found = read_as_of(
            cursor, "records.candles", ("close",), known_at=NOW + 99 * HOUR, recorded_as_of=at, order_by=("open_time",)
        )
    return [float(close) for close in found["close"].to_pylist()]


def test_a_bar_is_seen_before_the_mark_and_after_the_undo_and_not_between(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    store(gate_body(gate_row(0), gate_row(1, 100.5)))
    load_stored(url=database_url, now=NOW)
    excluded = mark(connection, "exclusion")
    assert carry_out(database_url, sources, 1) == ["done: records.candles: 1 row left out"]
    assert closes(database_url) == [100.5]
    load_stored(url=database_url, now=NOW + 2 * HOUR, reparse=True, fetch_ids=all_fetches(connection))
    assert closes(database_url) == [100.5]  # the same bytes, read again, do not bring it back
    mark(connection, "restoration")
    assert carry_out(database_url, sources, 3) == ["done: records.candles: 1 row taken in again"]
    seen = [closes(database_url, NOW + timedelta(minutes=minutes)) for minutes in (59, 61, 179, 181)]
    assert seen == [[101.0, 100.5], [100.5], [100.5], [101.0, 100.5]]
    marks = connection.execute(
        "SELECT key, is_excluded, marked_at, marked_by, reason FROM records.exclusions ORDER BY exclusion_id"
    ).fetchall()
    assert marks == [
        (KEY, True, NOW + HOUR, "dashboard:ada", "a slip"),
        (KEY, False, NOW + 3 * HOUR, "dashboard:ada", "a slip"),
    ]
    assert outcome(connection, excluded)[1]  # the words that were accepted stay
    with pytest.raises(psycopg.errors.RaiseException):
        connection.execute("DELETE FROM records.exclusions")


@pytest.mark.parametrize("is_undone", [False, True])
def test_the_order_of_loads_and_marks_does_not_matter(
    store: Store, connection: Connection, database_url: str, sources: Sources, is_undone: bool
) -> None:
    first = store(gate_body(gate_row(0), gate_row(1)), request_key="1")
    second = store(gate_body(gate_row(0, 101.5), gate_row(1, 101.25)), request_key="2", fetched_at=NOW + HOUR)
    found = []
    for number, order in enumerate(([first, second, None], [first, None, second], [second, None, first])):
        connection.execute("TRUNCATE records.candles, records.candle_revisions, records.parses, records.exclusions")
        connection.commit()
        for step in order:
            if step is None:
                mark(connection, "exclusion")
                assert carry_out(database_url, sources, 2 + number)[0].startswith("done")
            else:
                load_stored(url=database_url, now=NOW + HOUR, fetch_ids=[step])
        # Whatever other bodies say of the key, to parse one of them again does not bring it back.
        load_stored(url=database_url, now=NOW + 8 * HOUR, fetch_ids=[first], reparse=True)
        if is_undone:
            mark(connection, "restoration")
            assert carry_out(database_url, sources, 9 + number)[0].startswith("done")
        found.append(connection.execute("SELECT open_time, close, fetch_id FROM records.candles ORDER BY 1").fetchall())
        connection.commit()
    expected = [(OPEN, 101.5, second)] * is_undone + [(OPEN + timedelta(minutes=1), 101.25, second)]
    assert found == [expected] * 3


def test_a_mark_that_would_change_nothing_says_so(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    wrong = [
        mark(connection, "restoration"),
        mark(connection, "exclusion", [*KEY[:2], "2026-11-02 00:00:00+00"]),
        mark(connection, "exclusion", [*KEY[:2], "'; DROP TABLE records.candles; --"]),
        mark(connection, "exclusion", KEY[:2]),
        mark(connection, "exclusion", table="listings"),
        ask(connection, b"{}", protocol="exclusion", source=None, given={}, kind="exclusion"),
    ]
    told = carry_out_requests(database_url, sources, clock=lambda: NOW + HOUR)
    assert list(told) == wrong
    assert all(line.startswith("not done: expected ") and "\n" not in line for line in told.values()), told
    assert closes(database_url) == [101.0]
    assert connection.execute("SELECT count(*) FROM records.exclusions").fetchone() == (0,)


def test_a_mark_that_is_killed_before_its_outcome_is_made_once(
    store: Store, connection: Connection, database_url: str, sources: Sources, tmp_path: Path
) -> None:
    store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    mark(connection, "exclusion")
    code = (
        "from datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from strades_pipelines.datamanager.sources import load_sources\n"
        "from strades_pipelines.ingestion.data_requests import carry_out_requests\n"
        f"carry_out_requests({database_url!r}, load_sources(Path({str(tmp_path / 'Sources.json')!r})),"
        " clock=lambda: datetime(2026, 11, 22, 13, tzinfo=UTC))"
    )
    environment = os.environ | {"STRADES_CRASH_AT": "records.exclusion_committed", "STRADES_HOME": str(tmp_path)}
    died = subprocess.run(
        [sys.executable, "-c", code], env=environment, start_new_session=True, check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    assert carry_out(database_url, sources, 2) == ["done: records.candles: 1 row left out"]
    marks = connection.execute("SELECT is_excluded, marked_at FROM records.exclusions").fetchall()
    assert (marks, closes(database_url)) == ([(True, NOW + HOUR)], [])


def all_fetches(connection: Connection) -> list[int]:
    """The ids of all stored fetches."""
    found = connection.execute("SELECT fetch_id FROM rawsources.fetches WHERE source = 'gateio'").fetchall()
    connection.commit()
    return [fetch_id for (fetch_id,) in found]


def test_an_undo_reads_only_bodies_that_were_loaded_since_the_mark(
    store: Store, connection: Connection, database_url: str, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty years of one-minute bodies of the same symbol are not parsed again while all loads wait."""
    bodies = [gate_body(gate_row(0, 101 + number / 8)) for number in range(9)]
    older = [store(body, request_key=str(n), fetched_at=NOW + n * HOUR) for n, body in enumerate(bodies[:8])]
    load_stored(url=database_url, now=NOW + 8 * HOUR)
    mark(connection, "exclusion")
    carry_out(database_url, sources, 9)
    newer = store(bodies[8], request_key="8", fetched_at=NOW + 10 * HOUR)
    load_stored(url=database_url, now=NOW + 10 * HOUR)
    mark(connection, "restoration")
    read: list[int] = []

    def noting(cursor: Any, ids: Any, kind: str) -> Any:
        read.extend(ids)
        return read_rows(cursor, ids, kind)

    monkeypatch.setattr("strades_pipelines.ingestion.exclusions.read_rows", noting)
    assert carry_out(database_url, sources, 11) == ["done: records.candles: 1 row taken in again"]
    assert sorted(read) == sorted([older[-1], newer])
    assert closes(database_url) == [102.0]


def test_a_typed_record_that_a_mark_leaves_out_is_not_done(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    mark(connection, "exclusion")
    carry_out(database_url, sources, 1)
    typed = ask(connection, records(BAR), **MANUAL_BAR)
    told = carry_out_requests(database_url, sources, clock=lambda: NOW + 2 * HOUR)
    assert told[typed].startswith("not done: what it says is left out by a mark"), told
    assert closes(database_url) == []


MOVED = "SELECT ex_date::text FROM records.moved_actions"


@pytest.mark.parametrize("action", ["split", "dividend"])
@pytest.mark.parametrize("kind", ["corrected", "left out", "parsed again", "read otherwise"])
def test_what_was_moved_stays_so_where_what_took_its_place_is_corrected(
    connection: Connection, database_url: str, sources: Sources, action: str, kind: str
) -> None:
    """The 3rd was moved to the 5th. It stands again where the 5th is left out, or no body ever said that of it."""
    add_listing(connection, "gateio", "BTC_USDT")
    numbers = (4.0, None) if action == "split" else (None, 0.24)
    for fetch_id, day in ((1, 3), (2, 5)):
        at = OPEN + timedelta(days=day - 1)
        connection.execute(
            "INSERT INTO records.corporate_actions VALUES (%s, %s, %s, %s, %s, NULL, %s, 'stated', %s, %s)",
            [KEY[0], at.date(), action, *numbers, at, fetch_id, NOW + fetch_id * timedelta(minutes=1)],
        )
    connection.commit()
    assert connection.execute(MOVED).fetchall() == [("2026-11-03",)]
    connection.rollback()
    if kind == "left out":
        mark(connection, "exclusion", [KEY[0], "2026-11-05", action], "corporate_actions")
        assert carry_out(database_url, sources, 1) == ["done: records.corporate_actions: 1 row left out"]
    else:
        kept = "INSERT INTO records.corporate_action_revisions SELECT *, %s FROM records.corporate_actions WHERE {}"
        connection.execute(kept.format("fetch_id = 2"), [NOW + HOUR])
        changed = "ratio = ratio * 2, amount = amount * 2, fetch_id = 3, recorded_at = %s WHERE fetch_id = 2"
        if kind == "corrected":
            connection.execute(f"UPDATE records.corporate_actions SET {changed}", [NOW + HOUR])
        elif kind == "read otherwise":
            changed = changed.replace("fetch_id = 3, ", "")
            connection.execute(f"UPDATE records.corporate_actions SET {changed}", [NOW + HOUR])
        else:
            connection.execute("DELETE FROM records.corporate_actions WHERE fetch_id = 2")
        connection.commit()
    expected = [("2026-11-03",)] if kind == "corrected" else []
    assert connection.execute(MOVED).fetchall() == expected
