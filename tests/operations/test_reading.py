"""What `strades gaps` and `strades revisions` say, against rows written by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.operations.gaps import NoLedger, read_gaps
from strades_pipelines.operations.revisions import read_revisions
from tests.ingestion.conftest import NOW, Store, add_listing, gate_body, gate_row, store  # noqa: F401

Connection = psycopg.Connection[Any]
LEDGER = """
    CREATE TABLE cleaned.gaps (listing_id integer, "interval" text, gap_start timestamptz, gap_end timestamptz,
        missing bigint, cause text)
"""
HOUR = datetime(2026, 11, 1, 5, tzinfo=UTC)


@pytest.fixture
def ledger(database_url: str) -> Connection:
    """A gap ledger of two listings, as the contract with dbt has it; acts as the server's owner."""
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute(LEDGER)
    for venue, symbol, cause in (("gateio", "BTC_USDT", "not_fetched"), ("yahoo", "IBM", "venue_closed")):
        add_listing(connection, venue, symbol)
        connection.execute(
            "INSERT INTO cleaned.gaps SELECT listing_id, '1m', %s, %s, 60, %s FROM records.listings WHERE venue = %s",
            [HOUR, HOUR + timedelta(hours=1), cause, venue],
        )
    return connection


def test_gaps_are_filtered_and_summed_by_cause(ledger: Connection) -> None:
    every = read_gaps(ledger, None, None, None)
    assert [gap["instrument"] for gap in every["gaps"]] == ["gateio:BTC_USDT", "yahoo:IBM"]
    assert every["missing"] == {"not_fetched": 60, "venue_closed": 60}
    assert every["gaps"][0]["gap_end"] - every["gaps"][0]["gap_start"] == timedelta(hours=1)
    for one in (("IBM", None, None), ("yahoo:IBM", "1m", None), (None, None, "venue_closed")):
        assert [gap["instrument"] for gap in read_gaps(ledger, *one)["gaps"]] == ["yahoo:IBM"]
    assert read_gaps(ledger, None, "1d", None) == {"gaps": [], "missing": {}}
    with pytest.raises(BadInput, match="--instrument: expected one of gateio:BTC_USDT, yahoo:IBM; found 'X'"):
        read_gaps(ledger, "X", None, None)


def test_a_ledger_that_was_not_made_is_said_in_one_line(connection: Connection) -> None:
    with pytest.raises(NoLedger, match="strades run"):
        read_gaps(connection, None, None, None)


def test_a_change_is_told_with_both_values_and_its_time(
    store: Store,  # noqa: F811
    connection: Connection,
    database_url: str,
) -> None:
    for hours, close in enumerate((101.0, 100.5, 99.5)):
        at = NOW + timedelta(hours=hours)
        store(gate_body(gate_row(0, close=close)), request_key=str(hours), fetched_at=at)
        load_stored(url=database_url, now=at)
    found = read_revisions(connection)
    assert [row["changed"] for row in found] == [
        {"close": {"old": 100.5, "new": 99.5}},
        {"close": {"old": 101.0, "new": 100.5}},
    ]
    assert [row["superseded_at"][:13] for row in found] == ["2026-11-22T14", "2026-11-22T13"]
    assert found[0]["instrument"] == "gateio:BTC_USDT"
    assert found[0]["key"] == {"interval": "1m", "open_time": "2026-11-01T00:00:00+00:00"}
    assert not found[0]["withdrawn"]
    first = (NOW, NOW + timedelta(hours=1, minutes=1))
    assert read_revisions(connection, kind="candle", instrument="BTC_USDT", stretch=first) == found[1:]
    assert read_revisions(connection, kind="observation") == []
    assert len(read_revisions(connection, limit=1)) == 1
    with pytest.raises(BadInput, match="--kind: expected one of candle"):
        read_revisions(connection, kind="candles")


def test_a_withdrawn_row_has_no_new_value(store: Store, connection: Connection, database_url: str) -> None:  # noqa: F811
    store(gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    connection.execute("INSERT INTO records.candle_revisions SELECT *, now() FROM records.candles")
    connection.execute("DELETE FROM records.candles")
    [row] = read_revisions(connection)
    assert row["withdrawn"]
    assert row["changed"]["close"] == {"old": 101.0, "new": None}
