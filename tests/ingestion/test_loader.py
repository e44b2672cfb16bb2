"""Loading stored bodies: once, in order, whole or not at all."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.ingestion import loader
from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import GATE, NOW, Store, add_listing, gate_body, gate_row

Connection = psycopg.Connection[Any]
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def closes(connection: Connection) -> list[tuple[int, float]]:
    """Minute and close of each stored bar."""
    rows = connection.execute("SELECT open_time, close FROM records.candles ORDER BY open_time").fetchall()
    return [((open_time - NOVEMBER) // timedelta(minutes=1), close) for open_time, close in rows]


def revisions(connection: Connection) -> list[float]:
    """The closes of the old versions, in the order they were superseded."""
    rows = connection.execute("SELECT close FROM records.candle_revisions ORDER BY superseded_at, recorded_at")
    return [close for (close,) in rows]


def test_load_writes_final_bars_with_their_fetch_and_times(
    store: Store, connection: Connection, database_url: str
) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1), gate_row(2, closed="false")))
    summary = load_stored(url=database_url, now=LATER)
    assert (summary.parsed, summary.refused, summary.tables["records.candles"].inserted) == (1, [], 2)
    row = connection.execute(
        "SELECT open_time, close_time, open, high, low, close, volume, quote_volume, trade_count, knowledge_time,"
        " knowledge_basis, fetch_id, recorded_at FROM records.candles ORDER BY open_time LIMIT 1"
    ).fetchone()
    minute = NOVEMBER + timedelta(minutes=1)
    wanted = (NOVEMBER, minute, 100.0, 102.0, 99.0, 101.0, 10.25, 1000.5, None, minute, "stated", fetch_id, LATER)
    assert row == wanted
    assert connection.execute("SELECT outcome, records, rejects FROM records.parses").fetchall() == [("parsed", 3, 0)]


def test_7_second_load_reads_and_writes_nothing(store: Store, connection: Connection, database_url: str) -> None:
    store(gate_body(gate_row(0), gate_row(1)))
    load_stored(url=database_url, now=NOW)
    before = connection.execute("SELECT xmin::text, * FROM records.candles ORDER BY open_time").fetchall()
    connection.commit()
    summary = load_stored(url=database_url, now=LATER)
    assert (summary.parsed, dict(summary.tables)) == (0, {})
    assert connection.execute("SELECT xmin::text, * FROM records.candles ORDER BY open_time").fetchall() == before


def test_same_rows_from_another_fetch_keep_the_first_fetch(
    store: Store, connection: Connection, database_url: str
) -> None:
    first = store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    store(gate_body(gate_row(0), gate_row(1)), fetched_at=LATER)
    summary = load_stored(url=database_url, now=LATER)
    loaded = summary.tables["records.candles"]
    assert (loaded.inserted, loaded.revised, loaded.unchanged) == (1, 0, 1)
    assert connection.execute("SELECT fetch_id FROM records.candles ORDER BY open_time").fetchall()[0] == (first,)


def test_8_changed_value_moves_its_old_version_to_the_revisions(
    store: Store, connection: Connection, database_url: str
) -> None:
    store(gate_body(gate_row(0), gate_row(1)))
    load_stored(url=database_url, now=NOW)
    store(gate_body(gate_row(0, close=99.5)), fetched_at=LATER)
    load_stored(url=database_url, now=LATER)
    assert closes(connection) == [(0, 99.5), (1, 101.0)]
    old = connection.execute("SELECT close, recorded_at, superseded_at FROM records.candle_revisions").fetchall()
    assert old == [(101.0, NOW, LATER)]


@pytest.mark.parametrize("together", [True, False])
def test_three_versions_end_in_the_same_state_in_one_load_or_in_three(
    store: Store, connection: Connection, database_url: str, *, together: bool
) -> None:
    for n, close in enumerate((101.0, 99.5, 100.5)):
        store(gate_body(gate_row(0, close=close), gate_row(n + 1)), fetched_at=NOW + timedelta(minutes=n))
        if not together:
            load_stored(url=database_url, now=LATER + timedelta(minutes=n))
    load_stored(url=database_url, now=LATER)
    assert closes(connection) == [(0, 100.5), (1, 101.0), (2, 101.0), (3, 101.0)]
    assert revisions(connection) == [101.0, 99.5]


def test_value_that_returns_is_a_revision_each_time(store: Store, connection: Connection, database_url: str) -> None:
    for n, close in enumerate((101.0, 99.5, 101.0, 101.0)):
        store(gate_body(gate_row(0, close=close)), fetched_at=NOW + timedelta(minutes=n))
    load_stored(url=database_url, now=LATER)
    assert (closes(connection), revisions(connection)) == ([(0, 101.0)], [101.0, 99.5])


def test_earlier_fetch_loaded_later_does_not_replace_a_newer_value(
    store: Store, connection: Connection, database_url: str
) -> None:
    newer = store(gate_body(gate_row(0, close=99.5)), fetched_at=LATER)
    load_stored(url=database_url, now=LATER)
    store(gate_body(gate_row(0), gate_row(1)), fetched_at=NOW)
    load_stored(url=database_url, now=LATER + timedelta(hours=1))
    assert closes(connection) == [(0, 99.5), (1, 101.0)]
    assert 101.0 in revisions(connection)  # as a load in the order of the fetches keeps it
    assert connection.execute("SELECT fetch_id FROM records.candles ORDER BY open_time").fetchall()[0] == (newer,)


def test_refused_body_loads_nothing_and_spares_its_neighbours(
    store: Store, connection: Connection, database_url: str
) -> None:
    bad = store(b"<html>busy</html>", request_key="bad")
    store(gate_body(gate_row(0)), request_key="good", fetched_at=LATER)
    summary = load_stored(url=database_url, now=LATER)
    assert (summary.parsed, len(summary.refused), closes(connection)) == (1, 1, [(0, 101.0)])
    row = connection.execute("SELECT outcome, error, records FROM records.parses WHERE fetch_id = %s", [bad]).fetchone()
    assert row is not None
    assert (row[0], row[2]) == ("refused", 0)
    assert row[1].startswith("expected JSON")
    assert "\n" not in row[1]


def test_corrupt_stored_body_is_refused_with_its_hash(store: Store, connection: Connection, database_url: str) -> None:
    store(gate_body(gate_row(0), gate_row(1, close=100.25)), corrupt=True)
    summary = load_stored(url=database_url, now=LATER)
    sha256 = connection.execute("SELECT encode(sha256, 'hex') FROM rawsources.bodies").fetchall()[0][0]
    assert sha256 in summary.refused[0]
    assert closes(connection) == []


def test_body_without_listing_waits_for_it(store: Store, connection: Connection, database_url: str) -> None:
    store(gate_body(gate_row(0)), given=GATE | {"symbol": "ETH_USDT"})
    summary = load_stored(url=database_url, now=LATER)
    assert "ETH_USDT" in summary.skipped[0]
    assert connection.execute("SELECT count(*) FROM records.parses").fetchone() == (0,)


def test_window_chooses_fetches_that_asked_for_a_part_of_it(
    store: Store, connection: Connection, database_url: str
) -> None:
    for day in (0, 1):
        start = NOVEMBER + timedelta(days=day)
        store(gate_body(gate_row(1440 * day)), request_key=f"{day}", window=(start, start + timedelta(days=1)))
    load_stored(url=database_url, now=LATER, window=(NOVEMBER + timedelta(days=1), NOVEMBER + timedelta(days=2)))
    assert closes(connection) == [(1440, 101.0)]


def test_not_modified_answer_is_parsed_again_only_where_the_clock_decides(
    store: Store, connection: Connection, database_url: str
) -> None:
    store(gate_body(gate_row(0)))
    store(gate_body(gate_row(0)), outcome="not_modified", fetched_at=LATER)
    assert load_stored(url=database_url, now=LATER).parsed == 1


def test_another_parser_version_parses_again_only_when_asked(
    store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    monkeypatch.setattr(loader, "PARSER_VERSION", "next")
    assert load_stored(url=database_url, now=LATER).parsed == 0
    assert load_stored(url=database_url, now=LATER, reparse=True).parsed == 1
    assert connection.execute("SELECT parser_version FROM records.parses").fetchall() == [("next",)]
    assert load_stored(url=database_url, now=LATER, reparse=True).parsed == 0


@pytest.mark.parametrize("again", [False, True])
def test_7_unchanged_reparse_writes_no_row_whoever_brought_it_first(
    store: Store, connection: Connection, database_url: str, *, again: bool
) -> None:
    fetch_ids = [store(gate_body(gate_row(1), gate_row(0)))]
    if again:  # a bar that both brought is the first one's; the second has more in it than is stored under its name
        fetch_ids.append(store(gate_body(gate_row(1), gate_row(2)), fetched_at=LATER))
    load_stored(url=database_url, now=NOW)
    query = "SELECT xmin::text, * FROM records.candles ORDER BY open_time"
    before = connection.execute(query).fetchall()
    connection.commit()
    summary = load_stored(url=database_url, now=LATER, fetch_ids=fetch_ids, reparse=True)
    loaded = summary.tables["records.candles"]
    assert (loaded.inserted, loaded.revised, loaded.unchanged) == (0, 0, len(before))
    assert (connection.execute(query).fetchall(), revisions(connection)) == (before, [])


def test_reparse_moves_rows_the_body_does_not_yield_to_the_revisions(
    store: Store, connection: Connection, database_url: str
) -> None:
    fetch_id = store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    connection.execute(
        "UPDATE records.candles SET open_time = open_time - interval '1 minute', fetch_id = %s", [fetch_id]
    )
    connection.commit()
    load_stored(url=database_url, now=LATER, fetch_ids=[fetch_id], reparse=True)
    assert closes(connection) == [(0, 101.0)]
    assert revisions(connection) == [101.0]


@pytest.mark.parametrize(
    ("point", "loaded"),
    [("records.parsed", 0), ("database.rows_written", 0), ("records.copied", 0), ("records.fetch_committed", 2)],
)
def test_killed_load_leaves_all_or_nothing_and_the_next_one_completes_it(
    store: Store, connection: Connection, database_url: str, tmp_path: Path, point: str, loaded: int
) -> None:
    store(gate_body(gate_row(0), gate_row(1), gate_row(2, close=500.0)))
    code = (
        "from datetime import UTC, datetime\nfrom strades_pipelines.ingestion.loader import load_stored\n"
        f"load_stored(url={database_url!r}, now=datetime(2026, 11, 22, tzinfo=UTC))"
    )
    environment = os.environ | {"STRADES_CRASH_AT": point, "STRADES_HOME": str(tmp_path)}
    died = subprocess.run(
        [sys.executable, "-c", code], env=environment, start_new_session=True, check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    counts = (
        "SELECT (SELECT count(*) FROM records.candles), (SELECT count(*) FROM records.parses),"
        " (SELECT count(*) FROM records.rejects)"
    )
    assert connection.execute(counts).fetchone() == ((2, 1, 1) if loaded else (0, 0, 0))
    connection.commit()
    load_stored(url=database_url, now=LATER)
    assert connection.execute(counts).fetchone() == (2, 1, 1)


def test_unchanged_body_makes_a_bar_final_once_its_session_has_closed(
    store: Store, connection: Connection, database_url: str, shared_data: Path
) -> None:
    add_listing(connection, "yahoo", "AAPL", "XNYS")
    connection.commit()
    body = (shared_data / "payloads/yahoo/chart/chart-aapl.json").read_bytes()  # 22 February 2022 alone
    chart: dict[str, Any] = {
        "protocol": "yahoo_chart",
        "source": "yahoo",
        "given": {"symbol": "AAPL", "venue": "yahoo"},
    }
    store(body, **chart, fetched_at=datetime(2022, 2, 22, 20, 59, tzinfo=UTC))
    load_stored(url=database_url, now=NOW)
    assert closes(connection) == []
    connection.commit()
    store(body, **chart, fetched_at=datetime(2022, 2, 22, 21, 5, tzinfo=UTC), outcome="not_modified")
    load_stored(url=database_url, now=NOW)
    assert [close for _, close in closes(connection)] == [164.32000732421875]


def test_two_loads_at_once_do_the_work_of_one(store: Store, connection: Connection, database_url: str) -> None:
    for n in range(60):
        store(gate_body(*(gate_row(minute, close=100.0 + n / 64) for minute in range(3))), request_key=f"{n}",
              fetched_at=NOW + timedelta(seconds=n))  # fmt: skip
    with ThreadPoolExecutor(2) as both:
        summaries = list(both.map(lambda _: load_stored(url=database_url, now=LATER), range(2)))
    assert sum(summary.parsed for summary in summaries) == 60
    assert closes(connection) == [(minute, 100.0 + 59 / 64) for minute in range(3)]
    assert connection.execute("SELECT count(*) FROM records.parses").fetchone() == (60,)


def test_7_loaded_twice_is_nothing_new_and_all_raw_parsed_again_is_the_same_to_the_table_hash(
    store: Store, connection: Connection, database_url: str
) -> None:
    for n, close in enumerate((101.0, 99.5, 100.5)):  # versions, a rejected row, a refused body, another kind of record
        rows = [gate_row(0, close=close), gate_row(n + 1), ["x"] * 8]
        store(gate_body(*rows), request_key=f"k{n}", fetched_at=NOW + timedelta(minutes=n))
    store(b"<html>busy</html>", request_key="bad")
    fred = {"symbol": "VIXCLS", "unit": "index"}
    store(b"observation_date,VIXCLS\n2024-01-02,13.2\n2024-01-03,.\n", protocol="fred_csv", source="fred", given=fred)
    load_stored(url=database_url, now=LATER)
    before = table_hashes(database_url)
    load_stored(url=database_url, now=LATER + timedelta(days=1))
    assert table_hashes(database_url) == before
    fetch_ids = [fetch_id for (fetch_id,) in connection.execute("SELECT fetch_id FROM rawsources.fetches")]
    load_stored(url=database_url, now=LATER + timedelta(days=1), fetch_ids=fetch_ids, reparse=True)
    assert table_hashes(database_url) == before
    loaded = "candles", "candle_revisions", "observations", "rejects", "parses"
    connection.execute(f"TRUNCATE {', '.join('records.' + name for name in loaded)}")
    connection.commit()
    assert table_hashes(database_url) != before
    load_stored(url=database_url, now=LATER)
    assert table_hashes(database_url) == before


PARTS = [(NOVEMBER + n * timedelta(minutes=10), NOVEMBER + (n + 1) * timedelta(minutes=10)) for n in range(6)]


@pytest.fixture
def parts(store: Store) -> None:
    """A stored answer for each of six stretches, with the first bar of the next, as some providers give it."""
    for n, window in enumerate(PARTS):
        body = gate_body(*(gate_row(minute, close=100.0 + minute / 64) for minute in range(10 * n, 10 * n + 11)))
        store(body, request_key=f"part {n}", window=window, fetched_at=NOW + timedelta(seconds=n))


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 4, 2), None])
def test_12_parts_in_any_order_or_at_once_give_the_table_hash_of_one_load(
    order: tuple[int, ...] | None, parts: None, connection: Connection, database_url: str
) -> None:
    load_stored(url=database_url, now=LATER)
    at_once = table_hashes(database_url)
    connection.execute("TRUNCATE records.candles, records.candle_revisions, records.rejects, records.parses")
    connection.commit()
    with ThreadPoolExecutor(1 if order else 3) as both:
        windows = [PARTS[n] for n in order or range(6)]
        list(both.map(lambda window: load_stored(url=database_url, now=LATER, window=window), windows))
    assert closes(connection) == [(minute, 100.0 + minute / 64) for minute in range(61)]
    assert table_hashes(database_url) == at_once
