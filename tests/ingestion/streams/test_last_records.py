"""The newest trade and quote of a listing, whatever order they come in; who listens is told only of a newer one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.streams.last_records import LAST_TABLES, update_last_records

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CHANNEL = LAST_TABLES["trade"].channel


def add(connection: "psycopg.Connection[Any]", fetch_id: int, number: str, seconds: int, price: float) -> None:
    """A trade of listing 1 that a fetch brought, so many seconds after `NOW`."""
    at = NOW + timedelta(seconds=seconds)
    row = [number, at, price, at, fetch_id, at]
    connection.execute("INSERT INTO records.trades VALUES (1, %s, %s, %s, 1, 'buy', %s, 'stated', %s, %s)", row)


def test_the_newest_trade_stays_whatever_comes_late_and_only_it_is_told_of(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    connection.execute("INSERT INTO records.listings VALUES (1, 'v', 's', 'USD', 0.1, 0.1, 'raw', '24/7')")
    add(connection, 1, "8", 1, 80.0)
    add(connection, 1, "10", 2, 100.0)
    add(connection, 1, "9", 2, 90.0)  # of one instant the number decides
    add(connection, 2, "7", 0, 70.0)
    add(connection, 3, "11", 2, 110.0)
    connection.commit()
    with connect(database_url) as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {CHANNEL}")
        for fetches, price, told in (([1], 100.0, 1), ([2], 100.0, 0), ([1, 2], 100.0, 0), ([2, 3], 110.0, 1)):
            update_last_records(connection, "trade", fetches, NOW)
            connection.commit()
            assert connection.execute("SELECT price FROM records.last_trades").fetchall() == [(price,)]
            assert [each.payload for each in listener.notifies(timeout=0.3)] == ["[1]"] * told


def test_more_listings_than_one_notification_holds_are_told_of_in_several(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    listings = range(1_900_000_000, 1_900_001_000)  # of as many digits as there are
    for listing in listings:
        row = [listing, str(listing)]
        connection.execute("INSERT INTO records.listings VALUES (%s, 'v', %s, 'USD', 1, 1, 'raw', '24/7')", row)
        row = [listing, NOW, NOW, NOW]
        connection.execute("INSERT INTO records.trades VALUES (%s, '1', %s, 1, 1, 'buy', %s, 'stated', 1, %s)", row)
    connection.commit()
    with connect(database_url) as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {CHANNEL}")
        update_last_records(connection, "trade", [1], NOW)
        connection.commit()
        told = [json.loads(each.payload) for each in listener.notifies(timeout=1)]
    assert [listing for part in told for listing in part] == list(listings)


def test_the_newest_quote_stays_with_the_side_on_which_nobody_stands(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("INSERT INTO records.listings VALUES (1, 'v', 's', 'USD', 0.1, 0.1, 'raw', '24/7')")
    for fetch_id, number, seconds, bid, ask in ((1, "9", 2, 1.0, 2.0), (1, "10", 2, None, 3.0), (2, "8", 1, 5.0, 6.0)):
        at = NOW + timedelta(seconds=seconds)
        row = [number, at, bid, ask, at, fetch_id, at]
        connection.execute("INSERT INTO records.quotes VALUES (1, %s, %s, %s, NULL, %s, 7, %s, 'stated', %s, %s)", row)
    for fetches in ([1], [2]):
        update_last_records(connection, "quote", fetches, NOW)
        kept = connection.execute("SELECT quote_id, bid, bid_size, ask, ask_size FROM records.last_quotes").fetchall()
        assert kept == [("10", None, None, 3.0, 7.0)]
