"""Quotes, and trades that say no side, go cold as others do: what was read as of a time is read, and what was heard."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.cold_store import verify_month
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES
from strades_pipelines.ingestion.archiving import archive_month, restore_month
from strades_pipelines.lineage.heard_rows import follow_quotes
from strades_pipelines.lineage.row_lineage import Lineage
from tests.ingestion.conftest import NOW
from tests.ingestion.test_archiving import BTC, FIRST, JANUARY, TRADES_TABLE, archive, market, read

__all__ = ["market"]
Connection = psycopg.Connection[Any]
QUOTES_TABLE = MONTHLY_TABLES["records.quotes"]
MIDDLE = FIRST + timedelta(days=12)
COLUMNS = (
    *("listing_id", "quote_id", "event_time", "bid", "bid_size", "ask", "ask_size"),
    *("fetch_id", "recorded_at", "knowledge_time"),
)
# Every third has no bid, every fifth no sizes.
QUOTES = """
    INSERT INTO records.quotes
    SELECT l.listing_id, n::text, t.at, CASE WHEN n %% 3 > 0 THEN 99 + n %% 7 END, CASE WHEN n %% 5 > 0 THEN 1 END, 110,
        CASE WHEN n %% 5 > 0 THEN n END, t.at, 'stated', 1, t.at + interval '30 seconds'
    FROM records.listings AS l CROSS JOIN generate_series(0, 2400) AS n
    CROSS JOIN LATERAL (SELECT %(first)s + n * interval '20 minutes' AS at) AS t
"""


@pytest.fixture
def quoted(market: Connection) -> Connection:
    """Quotes of two listings from before January to after it; one of January was revised."""
    market.execute(QUOTES, {"first": FIRST})
    later = NOW - timedelta(days=3)
    one = "WHERE quote_id = '100' AND listing_id = %s"
    market.execute(f"INSERT INTO records.quote_revisions SELECT q.*, %s FROM records.quotes AS q {one}", [later, BTC])
    market.execute(f"UPDATE records.quotes SET ask = 111, recorded_at = %s {one}", [later, BTC])
    market.commit()
    return market


def quotes(url: str, table: str = "records.quotes", **asked: Any) -> list[Any]:
    """Quotes as of a time, by their key."""
    order = ("listing_id", "event_time", "quote_id")
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        return list(read_as_of(cursor, table, COLUMNS, known_at=NOW, order_by=order, **asked).to_pylist())


def heard(url: str) -> Lineage:
    """What a decision of January on quotes heard."""
    window = {"heard_from": MIDDLE.isoformat(), "heard_to": (MIDDLE + timedelta(hours=2)).isoformat()}
    inputs = {"quotes": {"listing_ids": [BTC], **window}}
    lineage = Lineage("d", decision={"decision_id": "d", "wallet": "none", "trigger_kind": "quote", "inputs": inputs})
    with connect(url, role="strades_dashboard") as reader:
        reader.read_only = True  # as the pages read
        follow_quotes(reader, lineage)
    return lineage


def test_cold_quotes_are_read_and_traced_as_they_were_and_come_back_the_same(
    quoted: Connection, database_url: str
) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"table": "records.heard_quotes"},
        {"recorded_as_of": MIDDLE},
        {"table": "records.heard_quotes", "recorded_as_of": NOW - timedelta(days=4)},
        {"where": f"event_time < '{MIDDLE}'", "span": (None, MIDDLE), "listings": None},
    ]
    before = [quotes(database_url, **each) for each in asked]
    traced, hashed = heard(database_url), table_hashes(database_url)
    assert (len(before[0]), len(traced.quotes), traced.faults) == (2 * 2401, 4, [])
    month = archive_month(QUOTES_TABLE, JANUARY, url=database_url, now=NOW, progress=lambda _line: None)
    assert month is not None
    assert month.row_count == 2 * 31 * 72 - 1
    hot = f"SELECT count(*) FROM records.quotes AS t WHERE {QUOTES_TABLE.of_month(JANUARY)}"
    assert quoted.execute(hot).fetchone() == (1,)  # the one with an old version
    quoted.rollback()
    assert [quotes(database_url, **each) for each in asked] == before
    assert heard(database_url) == traced
    verify_month(month, month.path)
    assert restore_month(QUOTES_TABLE, JANUARY, url=database_url) == month.row_count
    assert table_hashes(database_url) == hashed
    assert quoted.execute("SELECT to_regclass('records.quotes_2026_01') IS NOT NULL").fetchone() == (True,)


def test_a_late_quote_of_a_cold_month_is_stored_and_read(quoted: Connection, database_url: str) -> None:
    before = quotes(database_url)
    archive_month(QUOTES_TABLE, JANUARY, url=database_url, now=NOW, progress=lambda _line: None)
    at = MIDDLE + timedelta(seconds=1)
    late = "INSERT INTO records.quotes VALUES (%s, 'late', %s, 1, 1, 2, 1, %s, 'stated', 9, %s)"
    quoted.execute(late, [BTC, at, at, NOW - timedelta(hours=1)])
    quoted.commit()
    now = quotes(database_url)
    assert [row for row in now if row["quote_id"] != "late"] == before
    assert [row["event_time"] for row in now if row["quote_id"] == "late"] == [at]
    assert quotes(database_url, recorded_as_of=NOW - timedelta(hours=2)) == before


def test_a_cold_quote_that_is_corrected_is_heard_when_it_was(quoted: Connection, database_url: str) -> None:
    def first() -> tuple[Any, Any]:
        where = f"quote_id = '864' AND listing_id = {BTC}"
        [row] = quotes(database_url, "records.heard_quotes", where=where)
        [traced] = [row["ask"] for row in heard(database_url).quotes if row["quote_id"] == "865"]
        return row["knowledge_time"], (row["ask"], traced)

    corrected = "INSERT INTO records.quotes SELECT * FROM corrected"
    quoted.execute(
        "CREATE TEMP TABLE corrected AS SELECT listing_id, quote_id, event_time, bid, bid_size, 112.0::float8,"
        " ask_size, knowledge_time, knowledge_basis, 9::bigint, %s::timestamptz FROM records.quotes"
        " WHERE quote_id IN ('864', '865') AND listing_id = %s",
        [NOW - timedelta(hours=1), BTC],
    )
    quoted.commit()
    at, asks = first()
    archive_month(QUOTES_TABLE, JANUARY, url=database_url, now=NOW, progress=lambda _line: None)
    assert (first(), asks) == ((at, asks), (110, 110))
    quoted.execute(corrected)
    quoted.commit()
    assert first() == (at, (112, 112))


def test_a_store_that_is_away_is_a_fault_of_the_trace(quoted: Connection, database_url: str, tmp_path: Path) -> None:
    archive_month(QUOTES_TABLE, JANUARY, url=database_url, now=NOW, progress=lambda _line: None)
    (tmp_path / "store").rename(tmp_path / "moved")
    lineage = heard(database_url)
    assert (lineage.quotes, len(lineage.faults)) == ([], 1)
    assert lineage.faults[0].startswith("decision d: its quotes are in a cold month: records.quotes/2026-01/")


def test_trades_without_a_side_go_cold_and_come_back(market: Connection, database_url: str) -> None:
    market.execute("UPDATE records.trades SET side = NULL WHERE length(trade_id) = 4")
    market.commit()
    before, hashed = read(database_url), table_hashes(database_url)
    assert {row["side"] for row in before} == {"buy", "sell", None}
    month = archive(database_url)
    assert read(database_url) == before
    verify_month(month, month.path)
    restore_month(TRADES_TABLE, JANUARY, url=database_url)
    assert table_hashes(database_url) == hashed
