"""Cold months say what they said in the database, whoever reads as of a time; no kill loses a trade."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.cold_store import ColdStoreError, cold_months
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.crash import observe_crash_points
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES
from strades_pipelines.ingestion.archiving import archive_month, restore_month
from strades_pipelines.lineage.heard_rows import follow_trades
from strades_pipelines.lineage.row_lineage import Lineage
from strades_pipelines.market.ids import int31
from strades_pipelines.settings import settings
from tests.ingestion.conftest import NOW, add_listing

Connection = psycopg.Connection[Any]
JANUARY = date(2026, 1, 1)
TRADES_TABLE = MONTHLY_TABLES["records.trades"]
FIRST = datetime(2025, 12, 31, tzinfo=UTC)
LAST = datetime(2026, 2, 2, tzinfo=UTC)
BTC, ETH = int31("gateio", "BTC_USDT"), int31("gateio", "ETH_USDT")
COLUMNS = ("listing_id", "trade_id", "event_time", "price", "size", "side", "knowledge_time", "fetch_id", "recorded_at")
TRADES = """
    INSERT INTO records.trades
    SELECT l.listing_id, 'é' || n, t.at, 100 + n %% 7, 0.5, (ARRAY['buy', 'sell'])[1 + n %% 2], t.at, 'stated', 1,
        t.at + interval '30 seconds'
    FROM records.listings AS l CROSS JOIN generate_series(0, 2400) AS n
    CROSS JOIN LATERAL (SELECT %(first)s + n * interval '20 minutes' AS at) AS t
"""
POINTS = (
    "archive.partitioned",
    "archive.written",
    "archive.uploaded",
    "archive.verified",
    "archive.deleted",
    "archive.committed",
)
CHILD = """
import sys
from datetime import date, datetime
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES
from strades_pipelines.ingestion.archiving import archive_month
url, table, now = sys.argv[1:]
archive_month(MONTHLY_TABLES[table], date(2026, 1, 1), url=url, now=datetime.fromisoformat(now), progress=print)
"""


@pytest.fixture
def market(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Trades of two listings from before January to after it, and an empty store."""
    for symbol in ("BTC_USDT", "ETH_USDT"):
        add_listing(connection, "gateio", symbol)
    connection.execute(TRADES, {"first": FIRST})
    connection.commit()
    monkeypatch.setenv("STRADES_COLD_STORE", str(tmp_path / "store"))
    settings.cache_clear()
    yield connection
    settings.cache_clear()


def read(
    url: str, *, table: str = "records.trades", where: str = "true", at: datetime | None = None, **span: Any
) -> list[Any]:
    """Trades as of a time, by their key."""
    columns = COLUMNS if table == "records.trades" else COLUMNS[:7]
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        found = read_as_of(
            cursor,
            table,
            columns,
            known_at=NOW,
            recorded_as_of=at,
            where=where,
            order_by=("listing_id", "event_time", "trade_id"),
            **span,
        )
    return list(found.to_pylist())


def archive(url: str) -> Any:
    """Archive January."""
    return archive_month(TRADES_TABLE, JANUARY, url=url, now=NOW, progress=lambda _line: None)


def hot(connection: Connection) -> list[int]:
    """How many trades of January, and of other months, are in the database."""
    is_of_january = "event_time >= '2026-01-01' AND event_time < '2026-02-01'"
    query = f"SELECT count(*) FILTER (WHERE {is_of_january}), count(*) FROM records.trades"
    january, every = connection.execute(query).fetchone() or (0, 0)
    connection.rollback()
    return [january, every - january]


def test_cold_trades_are_read_beside_hot_ones_as_they_were(market: Connection, database_url: str) -> None:
    middle = FIRST + timedelta(days=12)
    asked: list[dict[str, Any]] = [
        {},
        {"table": "records.heard_trades"},
        {"at": middle},
        {"table": "records.heard_trades", "at": middle},
        {"where": f"listing_id = {ETH} AND event_time >= '{middle}'", "span": (middle, None), "listings": [ETH]},
        {"where": f"event_time < '{middle}'", "span": (None, middle)},
    ]
    before = [read(database_url, **each) for each in asked]
    month = archive(database_url)
    assert (month.row_count, hot(market)) == (2 * 31 * 72, [0, 2 * (2401 - 31 * 72)])
    assert [read(database_url, **each) for each in asked] == before
    assert archive(database_url) == month  # again: nothing to do
    assert restore_month(TRADES_TABLE, JANUARY, url=database_url) == month.row_count
    assert hot(market) == [month.row_count, 2 * (2401 - 31 * 72)]
    assert [read(database_url, **each) for each in asked] == before


def test_the_inputs_of_decisions_did_not_change_and_are_told_of_nothing(market: Connection, database_url: str) -> None:
    market.execute("DELETE FROM trading.input_changes")
    market.commit()
    archive(database_url)
    restore_month(TRADES_TABLE, JANUARY, url=database_url)
    assert market.execute("SELECT count(*) FROM trading.input_changes").fetchone() == (0,)
    market.execute("DELETE FROM records.trades WHERE trade_id = 'é80'")  # and the triggers are on again
    assert market.execute("SELECT count(*) FROM trading.input_changes").fetchone() != (0,)


def test_what_is_loaded_again_is_there_once_and_other_values_count_from_then(
    market: Connection, database_url: str
) -> None:
    before = read(database_url)
    market.execute("CREATE TEMP TABLE kept AS SELECT * FROM records.trades WHERE trade_id IN ('é80', 'é81')")
    market.commit()
    archive(database_url)
    later = NOW - timedelta(days=1)
    market.execute(
        "INSERT INTO records.trades SELECT listing_id, trade_id, event_time, "
        "CASE trade_id WHEN 'é81' THEN 7 ELSE price END, size, side, knowledge_time, knowledge_basis, 2, %s FROM kept",
        [later],
    )
    market.commit()
    now = read(database_url)
    assert [row for row in now if row["trade_id"] != "é81"] == [row for row in before if row["trade_id"] != "é81"]
    assert {row["price"] for row in now if row["trade_id"] == "é81"} == {7.0}
    assert read(database_url, at=later - timedelta(seconds=1)) == before
    assert read(database_url, at=later) == now
    restore_month(TRADES_TABLE, JANUARY, url=database_url)
    assert read(database_url, at=later - timedelta(seconds=1)) == before
    assert read(database_url) == now
    old = market.execute("SELECT trade_id, fetch_id, superseded_at FROM records.trade_revisions").fetchall()
    assert old == [("é81", 1, later)] * 2


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_no_trade_is_lost_and_the_next_try_ends(
    market: Connection, database_url: str, point: str
) -> None:
    before = read(database_url)
    child = [sys.executable, "-c", CHILD, database_url, "records.trades", NOW.isoformat()]
    killed = subprocess.run(child, env={**os.environ, "STRADES_CRASH_AT": point}, start_new_session=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert hot(market)[0] == (0 if point == "archive.committed" else 2 * 31 * 72)
    assert read(database_url) == before
    archive(database_url)
    assert hot(market)[0] == 0
    assert read(database_url) == before


def test_a_store_that_gives_back_other_bytes_keeps_the_trades_in_the_database(
    market: Connection, database_url: str, tmp_path: Path
) -> None:
    def damage(point: str) -> None:
        if point == "archive.uploaded":
            [file] = (tmp_path / "store").rglob("*.parquet")
            file.write_bytes(file.read_bytes()[:-20] + bytes(20))

    before = read(database_url)
    with observe_crash_points(damage), pytest.raises(ColdStoreError, match=r"records\.trades/2026-01"):
        archive(database_url)
    assert (hot(market)[0], read(database_url)) == (2 * 31 * 72, before)


def test_trades_that_change_while_they_are_archived_stay(market: Connection, database_url: str) -> None:
    def correct(point: str) -> None:
        if point == "archive.uploaded":
            market.execute("UPDATE records.trades SET price = 1 WHERE trade_id = 'é80'")
            market.commit()

    with observe_crash_points(correct), pytest.raises(RuntimeError, match="changed while they were archived"):
        archive(database_url)
    assert hot(market)[0] == 2 * 31 * 72


def test_a_file_that_is_gone_or_damaged_is_said_and_nothing_is_read_without_it(
    market: Connection, database_url: str, tmp_path: Path
) -> None:
    archive(database_url)
    [file] = (tmp_path / "store").rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:2000] + bytes([whole[2000] ^ 255]) + whole[2001:])
    with pytest.raises(ColdStoreError):
        read(database_url)
    with pytest.raises(ColdStoreError):
        restore_month(TRADES_TABLE, JANUARY, url=database_url)
    file.unlink()
    with pytest.raises(ColdStoreError, match=r"records\.trades/2026-01"):
        read(database_url)
    assert (
        len(
            read(
                database_url, span=(LAST - timedelta(days=1), None), where=f"event_time >= '{LAST - timedelta(days=1)}'"
            )
        )
        > 0
    )
    file.write_bytes(whole)
    assert len(read(database_url)) == 2 * 2401


def test_a_trade_that_was_revised_stays_with_its_old_versions(market: Connection, database_url: str) -> None:
    market.execute(
        "INSERT INTO records.trade_revisions SELECT *, recorded_at FROM records.trades "
        "WHERE trade_id = 'é80' AND listing_id = %s",
        [BTC],
    )
    market.commit()
    archive(database_url)
    assert hot(market)[0] == 1


@pytest.mark.parametrize(("month", "now"), [(date(2026, 1, 2), NOW), (JANUARY, datetime(2026, 3, 3, tzinfo=UTC))])
def test_a_month_must_be_whole_and_over(market: Connection, database_url: str, month: date, now: datetime) -> None:
    with pytest.raises(BadInput, match="MONTH: expected one that is over for 31 days"):
        archive_month(TRADES_TABLE, month, url=database_url, now=now, progress=print)
    with pytest.raises(BadInput, match="expected a cold month"):
        restore_month(TRADES_TABLE, JANUARY, url=database_url)
    assert archive_month(TRADES_TABLE, date(2020, 1, 1), url=database_url, now=NOW, progress=print) is None
    with market.cursor() as cursor:
        assert cold_months(cursor, "records.trades") == []


@pytest.mark.parametrize("role", ["strades_app", "strades_dashboard"])
def test_a_decision_is_traced_to_the_trades_that_it_heard_where_they_are_cold(
    market: Connection, database_url: str, role: str
) -> None:
    heard = FIRST + timedelta(days=12)
    window = {"heard_from": heard.isoformat(), "heard_to": (heard + timedelta(hours=2)).isoformat()}
    inputs = {"trades": {"listing_ids": [BTC], **window}}
    decision = {"decision_id": "d", "wallet": "none", "trigger_kind": "trade", "inputs": inputs}

    def trades() -> Lineage:
        lineage = Lineage("d", decision=decision)
        with connect(database_url, role=role) as reader:
            reader.read_only = True  # as the pages read
            follow_trades(reader, lineage)
        return lineage

    before = trades()
    assert (len(before.trades), before.faults) == (6, [])
    archive(database_url)
    assert trades() == before
