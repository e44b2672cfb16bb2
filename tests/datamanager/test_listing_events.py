"""Who was listed under which symbol, as far as was known: no delisting and no new symbol before its announcement."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.listing_events import read_universe
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import SourcesError, load_sources
from tests.datamanager.conftest import document

Connection = psycopg.Connection[Any]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
# Facebook traded as FB until 2022-06-08 and as META since, which was announced on 2022-05-31. Twitter's last session on
# the NYSE was 2022-10-27; the merger was agreed on 2022-04-25.
META = {"event": "renamed", "on": "2022-06-09T00:00:00", "known": "2022-05-31T00:00:00", "symbol": "FB"}
TWITTER = {"event": "delisted", "on": "2022-10-28T00:00:00", "known": "2022-04-25T00:00:00"}


def day(text: str) -> datetime:
    """Its first instant, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sync(url: str, folder: Path, events: Mapping[str, list[dict[str, Any]]], *, now: datetime = NOW) -> None:
    """Bring listings of those symbols, each with its events, into the database."""
    sources = document()
    [first] = sources["financial_instruments"]
    sources["financial_instruments"] = [
        {**first, "id": f"{n:03}CC", "symbol": symbol, "start_date": "2012-01-01T00:00:00", "events": several}
        for n, (symbol, several) in enumerate(events.items())
    ]
    sources["websites"][0]["financial_instruments"] = [one["id"] for one in sources["financial_instruments"]]
    (folder / "Sources.json").write_text(json.dumps(sources))
    sync_listings(load_sources(folder / "Sources.json"), url=url, now=now)


def symbols(
    connection: Connection, at: str, known_at: str | None = None, stored_at: datetime | None = None
) -> set[str]:
    """What was listed then, as far as was known then or at another time."""
    listed = read_universe(connection, day(at), known_at=day(known_at or at), stored_at=stored_at)
    connection.rollback()
    return {one.symbol for one in listed}


def test_the_universe_is_that_of_its_date_as_far_as_was_known(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    sync(database_url, tmp_path, {"META": [META], "TWTR": [TWITTER], "IBM": []})
    assert symbols(connection, "2011-12-31") == set()
    assert symbols(connection, "2022-04-01") == {"FB", "TWTR", "IBM"}
    assert symbols(connection, "2022-06-08") == {"FB", "TWTR", "IBM"}
    assert symbols(connection, "2022-06-09") == {"META", "TWTR", "IBM"}
    assert symbols(connection, "2022-10-28") == {"META", "IBM"}
    # What is to come: planned from the announcement on, and not before.
    assert symbols(connection, "2022-11-01", known_at="2022-04-24") == {"FB", "TWTR", "IBM"}
    assert symbols(connection, "2022-11-01", known_at="2022-04-25") == {"FB", "IBM"}
    assert symbols(connection, "2022-11-01", known_at="2022-05-31") == {"META", "IBM"}
    [twitter] = [
        one for one in read_universe(connection, day("2022-05-01"), known_at=day("2022-05-01")) if one.delisted_at
    ]
    assert (twitter.symbol, twitter.delisted_at) == ("TWTR", day("2022-10-28"))


def test_what_was_called_off_or_put_off_counts_from_when_that_was_known(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    put_off = {**TWITTER, "on": "2022-12-01T00:00:00", "known": "2022-10-01T00:00:00"}
    called_off = {**TWITTER, "on": None, "known": "2022-11-15T00:00:00"}
    sync(database_url, tmp_path, {"TWTR": [TWITTER, put_off, called_off]})
    found = [
        bool(symbols(connection, "2023-01-01", known_at=known)) for known in ("2022-09-30", "2022-11-14", "2022-11-15")
    ]
    assert found == [False, False, True]
    assert symbols(connection, "2022-11-01", known_at="2022-09-30") == set()
    assert symbols(connection, "2022-11-01", known_at="2022-10-01") == {"TWTR"}


def test_a_correction_of_the_list_is_stored_beside_what_it_said(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    sync(database_url, tmp_path, {"TWTR": [{**TWITTER, "on": "2022-10-01T00:00:00"}]})
    for hour in (1, 2):  # the second time nothing is new
        sync(database_url, tmp_path, {"TWTR": [TWITTER]}, now=NOW.replace(hour=hour))
    assert connection.execute("SELECT count(*) FROM records.listing_events").fetchone() == (2,)
    assert symbols(connection, "2022-10-15") == {"TWTR"}
    assert symbols(connection, "2022-10-15", stored_at=NOW) == set()
    with pytest.raises(psycopg.errors.RaiseException):
        connection.execute("DELETE FROM records.listing_events")


def test_several_symbols_of_a_listing_follow_each_other(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    earlier = {"event": "renamed", "on": "2015-03-02T00:00:00", "known": "2015-02-01T00:00:00", "symbol": "OLD"}
    sync(database_url, tmp_path, {"META": [META, earlier]})
    assert [symbols(connection, at) for at in ("2015-03-01", "2015-03-02", "2022-06-09")] == [{"OLD"}, {"FB"}, {"META"}]


def test_a_symbol_that_a_listing_had_twice_is_told_each_time(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    """AAA until 2013, BBB until 2015, AAA again until 2017, which was put off from 2016; CCC since."""
    changes = [
        ("AAA", 1, "2013-01-01", "2012-12-01"),
        ("BBB", 1, "2015-01-01", "2014-12-01"),
        ("AAA", 2, "2016-01-01", "2015-10-01"),
        ("AAA", 2, "2017-01-01", "2015-11-01"),
    ]
    events = [
        {
            "event": "renamed",
            "symbol": symbol,
            "occurrence": number,
            "on": f"{on}T00:00:00",
            "known": f"{known}T00:00:00",
        }
        for symbol, number, on, known in changes
    ]
    sync(database_url, tmp_path, {"CCC": events})
    times = ("2012-06-01", "2013-01-01", "2014-12-31", "2015-01-01", "2016-06-01", "2017-01-01")
    assert [symbols(connection, at) for at in times] == [{"AAA"}, {"BBB"}, {"BBB"}, {"AAA"}, {"AAA"}, {"CCC"}]


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([{**TWITTER, "occurrence": 2}], r"occurrence: expected none for delisted"),
        ([{**META, "occurrence": 0}], "occurrence"),
        ([{**META, "symbol": ""}], "symbol"),
        ([{**TWITTER, "symbol": "FB"}], r"events\[0\]\.symbol: expected none for delisted"),
        ([{"event": "renamed", "on": None, "known": "2022-05-31T00:00:00"}], r"symbol: expected the symbol until then"),
        ([TWITTER, TWITTER], r"events\[1\]\.known: expected an event once"),
        ([{**TWITTER, "on": "2022-13-01T00:00:00"}], "on"),
        ([{"event": "delisted", "on": "2022-10-28T00:00:00"}], "known"),
    ],
)
def test_a_wrong_event_is_refused_by_its_path(
    database_url: str, tmp_path: Path, events: list[dict[str, Any]], fault: str
) -> None:
    with pytest.raises(SourcesError, match=fault):
        sync(database_url, tmp_path, {"META": events})
