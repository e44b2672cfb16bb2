"""Stored rows are what their stored bytes say, or the difference is named."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.ingestion.bodies import BodyCorrupt, unpack
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.verify import rows_from_fetch, stored_body, verify_fetch
from tests.ingestion.conftest import NOW, Store, gate_body, gate_row

Connection = psycopg.Connection[Any]
LATER = NOW + timedelta(hours=1)


def test_stored_body_is_the_bytes_that_came(store: Store, connection: Connection) -> None:
    body = gate_body(gate_row(0))
    fetch_id = store(body)
    with connection.cursor() as cursor:
        assert stored_body(cursor, fetch_id) == body


def test_corrupt_body_is_named_by_its_hash(store: Store, connection: Connection) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1)), corrupt=True)
    found = connection.execute("SELECT encode(sha256, 'hex') FROM rawsources.bodies").fetchone()
    assert found
    with connection.cursor() as cursor, pytest.raises(BodyCorrupt, match=found[0]):
        stored_body(cursor, fetch_id)
    with connection.cursor() as cursor:
        assert found[0] in verify_fetch(cursor, fetch_id).faults[0]


@pytest.mark.parametrize("packed", [b"", b"not zstd", b"(\xb5/\xfd\x04\x00"])
def test_bytes_that_are_no_frame_are_corrupt(packed: bytes) -> None:
    with pytest.raises(BodyCorrupt, match="zstd frame of 3 bytes"):
        unpack(bytes(32), 3, packed)


def test_unknown_fetch_is_a_lookup_error(connection: Connection) -> None:
    with connection.cursor() as cursor, pytest.raises(LookupError, match="7"):
        stored_body(cursor, 7)


def test_every_row_of_a_fetch_is_found_again_in_its_bytes(
    store: Store, connection: Connection, database_url: str
) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1), gate_row(2, closed="false"), gate_row(3, close=900.0)))
    load_stored(url=database_url, now=LATER)
    with connection.cursor() as cursor:
        rows = rows_from_fetch(cursor, fetch_id)
        assert [(row["venue"], row["symbol"], row["close"]) for row in rows["candle"]] == [
            ("gateio", "BTC_USDT", 101.0)
        ] * 2
        verification = verify_fetch(cursor, fetch_id)
    assert (verification.rows, verification.faults) == (2, ())


@pytest.mark.parametrize(
    "change",
    [
        "close = close + 0.5",
        "volume = NULL",
        "knowledge_time = knowledge_time + interval '1 second'",
        "\"interval\" = '5m'",
        "open_time = open_time - interval '1 minute'",
    ],
)
def test_changed_row_is_a_fault(store: Store, connection: Connection, database_url: str, change: str) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1)))
    load_stored(url=database_url, now=LATER)
    connection.execute(
        f"UPDATE records.candles SET {change} WHERE open_time = (SELECT min(open_time) FROM records.candles)"
    )
    with connection.cursor() as cursor:
        verification = verify_fetch(cursor, fetch_id)
    assert (verification.rows, len(verification.faults)) == (2, 1)
    assert verification.sha256 in verification.faults[0]


def test_rows_of_every_kind_are_verified(store: Store, connection: Connection, database_url: str) -> None:
    trade = (
        b'[{"id":"9","create_time_ms":"1764547200123.456000","currency_pair":"BTC_USDT",'
        b'"side":"buy","amount":"1","price":"2"}]'
    )
    given = {"symbol": "BTC_USDT", "venue": "gateio"}
    fetched_at = datetime.fromisoformat("2026-01-01T00:00:00Z")
    trades = store(trade, protocol="gateio_trades", source="gateio_trades", given=given, fetched_at=fetched_at)
    rate = (
        b'<g:Envelope xmlns:g="http://www.gesmes.org/xml/2002-08-01"'
        b' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2024-06-26">'
        b'<Cube currency="USD" rate="1.0689"/></Cube></Cube></g:Envelope>'
    )
    rates = store(rate, protocol="ecb_fx_daily", source="ecb", given={})
    load_stored(url=database_url, now=LATER)
    with connection.cursor() as cursor:
        for fetch_id, kind in ((trades, "trade"), (rates, "observation")):
            assert list(rows_from_fetch(cursor, fetch_id)) == [kind]
            assert verify_fetch(cursor, fetch_id).faults == ()
    connection.execute("UPDATE records.trades SET price = 3")
    connection.execute("UPDATE records.observations SET value = 1.1")
    with connection.cursor() as cursor:
        assert [len(verify_fetch(cursor, fetch_id).faults) for fetch_id in (trades, rates)] == [1, 1]
