"""Instruments, listings and sessions in the database."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice, product
from string import ascii_uppercase
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.calendars import CalendarError, sessions
from strades_pipelines.datamanager.listings import assign_ids, listing_id, sync_listings
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.settings import PROJECT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCES = load_sources(PROJECT / "Sources.json")
Connection = psycopg.Connection[Any]


def test_sync_writes_each_listing_once_whatever_its_series(connection: Connection, database_url: str) -> None:
    synced = sync_listings(SOURCES, url=database_url, now=NOW)
    assert (synced.instruments, synced.listings) == (19, 12)
    row = connection.execute(
        "SELECT currency, tick_size, lot_size, adjustment, calendar, valid_from, valid_to FROM records.listings"
        " WHERE listing_id = %s",
        [listing_id("gateio", "BTC_USDT")],
    ).fetchone()
    assert row == ("USDT", Decimal("0.1"), Decimal("0.00001"), "raw", "24/7", datetime(2015, 7, 1, tzinfo=UTC), None)
    apple = connection.execute("SELECT calendar, adjustment FROM records.listings WHERE symbol = 'AAPL'").fetchone()
    assert apple == ("XNYS", "split")


def test_sessions_are_the_exchanges_own(connection: Connection, database_url: str) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    found = connection.execute(
        "SELECT session_date, open_time, close_time, is_half_day FROM records.sessions WHERE calendar = 'XNYS'"
    ).fetchall()
    days = {row[0]: row[1:] for row in found}
    assert days[date(2024, 7, 3)] == (
        datetime(2024, 7, 3, 13, 30, tzinfo=UTC),
        datetime(2024, 7, 3, 17, tzinfo=UTC),
        True,
    )
    assert days[date(2024, 1, 2)] == (
        datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        datetime(2024, 1, 2, 21, tzinfo=UTC),
        False,
    )
    assert date(2024, 7, 4) not in days
    assert date(2001, 9, 12) not in days
    assert (min(days), max(days)) == (date(1999, 1, 4), date(2026, 12, 31))


def test_a_session_has_its_lunch_break_and_one_without_has_none(connection: Connection, database_url: str) -> None:
    """Tokyo rests from 11:30 to 12:30 of its clock, nine hours ahead (its exchange's hours); Chicago does not."""
    moved = [replace(each, calendar="XTKS") if each.symbol == "IBM" else each for each in SOURCES.instruments]
    sync_listings(replace(SOURCES, instruments=tuple(moved)), url=database_url, now=NOW)
    query = "SELECT break_start, break_end FROM records.sessions WHERE calendar = %s AND session_date = '2024-01-04'"
    lunch = (datetime(2024, 1, 4, 2, 30, tzinfo=UTC), datetime(2024, 1, 4, 3, 30, tzinfo=UTC))
    assert connection.execute(query, ["XTKS"]).fetchall() == [lunch]
    assert connection.execute(query, ["XNYS"]).fetchall() == [(None, None)]


def test_second_sync_writes_nothing(connection: Connection, database_url: str) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    versions = "SELECT xmin::text FROM records.listings UNION ALL SELECT xmin::text FROM records.sessions"
    before = connection.execute(versions).fetchall()
    connection.commit()
    synced = sync_listings(SOURCES, url=database_url, now=NOW)
    assert (synced.instruments, synced.listings, synced.sessions, synced.bar_series) == (0, 0, 0, 0)
    assert connection.execute(versions).fetchall() == before


def test_changed_instrument_is_corrected_and_a_dropped_one_stays(connection: Connection, database_url: str) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    websites = tuple(
        replace(website, financial_instruments=website.financial_instruments[1:])
        if website.name in ("yahoo", "pages")
        else website
        for website in SOURCES.websites
    )
    instruments = tuple(
        replace(each, name="Big Blue", tick_size=Decimal("0.05")) if each.symbol == "IBM" else each
        for each in SOURCES.instruments
    )
    synced = sync_listings(replace(SOURCES, websites=websites, instruments=instruments), url=database_url, now=NOW)
    assert (synced.instruments, synced.listings, synced.sessions) == (1, 2, 0)  # one at each venue
    ticks = dict(connection.execute("SELECT symbol, tick_size FROM records.listings WHERE venue = 'yahoo'").fetchall())
    assert (ticks["IBM"], ticks["AAPL"]) == (Decimal("0.05"), Decimal("0.01"))


def test_next_year_adds_its_sessions_alone(connection: Connection, database_url: str) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    synced = sync_listings(SOURCES, url=database_url, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert (synced.instruments, synced.listings) == (0, 0)
    assert 245 <= synced.sessions <= 255


def test_listing_id_is_a_function_of_venue_and_symbol() -> None:
    assert listing_id("gateio", "BTC_USDT") == listing_id("gateio", "BTC_USDT")
    assert listing_id("gateio", "BTC_USDT") != listing_id("yahoo", "BTC_USDT")
    assert 0 <= listing_id("gateio", "BTC_USDT") < 2**31


@pytest.mark.parametrize("name", ["NOPE", "24/7", ""])
def test_unknown_calendar_is_named(name: str) -> None:
    with pytest.raises(CalendarError, match="expected a calendar"):
        sessions(name, 2020, 2021)


def test_bar_series_say_what_is_asked_for_and_go_when_it_is_no_more(connection: Connection, database_url: str) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    query = (
        'SELECT source, starts_at, ends_at, step_seconds, reach_seconds FROM records.bar_series WHERE "interval" = %s'
    )
    query += " AND listing_id = %s"
    apple, bitcoin = listing_id("yahoo", "AAPL"), listing_id("gateio", "BTC_USDT")
    march = datetime(2000, 3, 1, tzinfo=UTC), datetime(2013, 3, 2, tzinfo=UTC)
    assert connection.execute(query, ["1d", apple]).fetchall() == [("yahoo", *march, 86_400, None)]
    # Gate.io gives the last 9,990 bars of each interval.
    first = datetime(2024, 1, 1, tzinfo=UTC)
    assert connection.execute(query, ["1m", bitcoin]).fetchall() == [("gateio", first, None, 60, 9_990 * 60)]
    assert connection.execute(query, ["1d", bitcoin]).fetchall() == [("gateio", first, None, 86_400, 9_990 * 86_400)]
    connection.commit()
    fewer = tuple(website for website in SOURCES.websites if website.name != "yahoo")
    assert sync_listings(replace(SOURCES, websites=fewer), url=database_url, now=NOW).bar_series == 5
    assert connection.execute(query, ["1d", apple]).fetchall() == []


def test_sessions_are_worked_out_again_by_another_version_of_their_library(
    connection: Connection, database_url: str
) -> None:
    sync_listings(SOURCES, url=database_url, now=NOW)
    connection.execute("DELETE FROM records.sessions WHERE session_date >= '2026-01-01'")
    connection.commit()
    assert sync_listings(SOURCES, url=database_url, now=NOW).sessions == 0
    connection.execute("UPDATE records.calendars SET made_by = 'exchange_calendars 0'")
    connection.commit()
    assert 245 <= sync_listings(SOURCES, url=database_url, now=NOW).sessions <= 255


# Of the 48 pairs of yahoo among symbols of three and four letters: sha256(venue, symbol) has equal first 31 bits.
PAIRS = [("BIJI", "GLQA"), ("HWNS", "JOXX"), ("JYBO", "KCDR"), ("KCGO", "KFFA"), ("JLRB", "KYMS"), ("LFJW", "LKUP")]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_listings_of_one_hash_are_two_listings(
    pair: tuple[str, str], connection: Connection, database_url: str
) -> None:
    assert listing_id("yahoo", pair[0]) == listing_id("yahoo", pair[1])
    sync_listings(_yahoo(*pair), url=database_url, now=NOW)
    rows = connection.execute("SELECT symbol, listing_id FROM records.listings ORDER BY symbol").fetchall()
    assert [symbol for symbol, _ in rows] == sorted(pair)
    assert len({id_ for _, id_ in rows}) == 2
    series = connection.execute("SELECT listing_id FROM records.bar_series").fetchall()
    assert {id_ for (id_,) in series} == {id_ for _, id_ in rows}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_listing_keeps_its_id_when_one_of_the_same_hash_comes_or_takes_its_place(
    pair: tuple[str, str], connection: Connection, database_url: str
) -> None:
    ids = "SELECT listing_id FROM records.listings WHERE symbol = %s"
    for later in (_yahoo(*pair), _yahoo(pair[0])):
        sync_listings(_yahoo(pair[1]), url=database_url, now=NOW)
        sync_listings(later, url=database_url, now=NOW)
        assert connection.execute(ids, [pair[1]]).fetchall() == [(listing_id("yahoo", pair[1]),)]
        assert connection.execute(ids, [pair[0]]).fetchall() != [(listing_id("yahoo", pair[1]),)]
        connection.execute("TRUNCATE records.listings CASCADE")
        connection.commit()


def test_fifty_thousand_listings_have_an_id_each_whatever_their_order() -> None:
    names = [("yahoo", "".join(letters)) for letters in islice(product(ascii_uppercase, repeat=4), 50_000)]
    names += [("yahoo", symbol) for pair in PAIRS for symbol in pair]
    ids = assign_ids(names, {})
    assert set(ids) == set(names)
    assert len(set(ids.values())) == len(set(names))
    assert max(ids.values()) < 2**31
    assert assign_ids(reversed(names), {}) == ids
    assert assign_ids(names[:100], ids) == ids


def _yahoo(*symbols: str) -> Sources:
    """A Sources.json of one website with these symbols."""
    website = SOURCES.website("yahoo")
    known = next(iter(SOURCES.instruments_of(website)))
    instruments = tuple(replace(known, id=symbol.lower(), symbol=symbol) for symbol in symbols)
    return replace(
        SOURCES,
        websites=(replace(website, financial_instruments=tuple(one.id for one in instruments)),),
        instruments=instruments,
    )
