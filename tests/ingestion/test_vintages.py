"""Macro data with vintages: what was known at a date is what FRED says was known then, however its answers came."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion.conftest import store_body

GDP = {"symbol": "GDP", "unit": "billion USD", "venue": "fred", "calendar": "XNYS"}
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KNOWN = """
    SELECT DISTINCT ON (event_time) event_time::date, value FROM records.observation_versions
    WHERE knowledge_time <= %s ORDER BY event_time, knowledge_time DESC, recorded_at DESC
"""
VERSIONS = "SELECT event_time::date, vintage, value, knowledge_time FROM records.observation_versions ORDER BY 1, 2"
Connection = psycopg.Connection[Any]


@pytest.fixture
def recorded(shared_data: Path) -> list[dict[str, str]]:
    """FRED's rows of the quarters from 2010 on, with all vintages to 2019."""
    body = (shared_data / "payloads/fred/series_observations_GDP_realtime_to_2019-01-01.json").read_text()
    return [row for row in json.loads(body)["observations"] if row["date"] >= "2010-01-01"]


def body_of(rows: list[dict[str, str]]) -> bytes:
    return json.dumps({"count": len(rows), "observations": rows}).encode()


def known_at(rows: list[dict[str, str]], day: date) -> dict[date, float]:
    """What FRED itself says was known at the end of a day: the real-time periods that hold it."""
    return {
        date.fromisoformat(row["date"]): float(row["value"])
        for row in rows
        if row["realtime_start"] <= str(day) <= row["realtime_end"] and row["value"] != "."
    }


def keep(url: str, rows: list[dict[str, str]], day: int) -> int:
    """Store a body that was fetched on that day of November; returns its fetch."""
    at = datetime(2026, 11, day, tzinfo=UTC)
    given = {"protocol": "fred_observations", "source": "fred", "request_key": f"GDP {day}", "given": GDP}
    return store_body(url, body_of(rows), fetched_at=at, **given)  # type: ignore[arg-type]


def load(url: str, **choice: Any) -> None:
    """Load what is stored, without a fault."""
    summary = load_stored(url=url, now=NOW, **choice)
    assert (summary.refused, summary.rejects, summary.withdrawn) == ([], 0, 0)


def days() -> Iterator[date]:
    """The days about every release of 2010 to 2018, some of them in between."""
    for n in range(0, 9 * 365, 37):
        yield date(2010, 1, 1) + timedelta(days=n)


def test_what_was_known_at_each_date_is_what_fred_says(
    database_url: str, connection: Connection, recorded: list[dict[str, str]]
) -> None:
    keep(database_url, recorded, 20)
    load(database_url)
    for day in days():
        end = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC) + timedelta(hours=7)  # over in St. Louis
        found = dict(connection.execute(KNOWN, [end]).fetchall())
        assert found == known_at(recorded, day), day


def test_first_releases_are_those_of_freds_own_list(shared_data: Path) -> None:
    folder = shared_data / "payloads/fred"
    all_vintages, first = (
        parse(
            load_protocol("fred_observations"), (folder / name).read_bytes(), given=GDP, fetched_at=NOW
        ).tables["observation"].to_pylist()
        for name in (
            "series_observations_GDP_realtime_to_2019-01-01.json", "series_observations_GDP_initial_release.json",
        )
    )  # fmt: skip
    wanted = {row["event_time"]: (row["vintage"], row["value"]) for row in first}
    found: dict[datetime, tuple[date, float]] = {}
    for row in all_vintages:
        if row["event_time"] in wanted:
            found.setdefault(row["event_time"], (row["vintage"], row["value"]))
    assert len(found) > 90
    assert found == {time: wanted[time] for time in found}
    [latest] = [row for row in all_vintages if row["vintage"] == date(2018, 12, 21) and row["event_time"].year == 2018
                and row["event_time"].month == 7]  # fmt: skip
    assert latest["knowledge_time"] == datetime(2018, 12, 22, 5, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("order", "at_once"), [((1, 2, 3), False), ((2, 3, 1), False), ((3, 3), False), ((4, 3), False), ((3, 1, 2), True)]
)
def test_the_versions_are_the_same_whatever_came_first_and_how_often(
    database_url: str, connection: Connection, recorded: list[dict[str, str]], order: tuple[int, ...], at_once: bool
) -> None:
    bodies = {
        1: [row for row in recorded if row["realtime_start"] <= "2014-06-30"],
        2: [row for row in recorded if row["realtime_start"] <= "2017-06-30"],
        3: recorded,
        4: [row for row in recorded if row["realtime_end"] == "2019-01-01"],
    }
    fetch_ids = []
    for n, which in enumerate(order):
        fetch_ids.append(keep(database_url, bodies[which], 10 + n))
        if not at_once:
            load(database_url)
    load(database_url)
    found = set(connection.execute(VERSIONS).fetchall())
    given = [row for row in recorded if row["value"] != "."]
    assert {row[:3] for row in found} == {
        (date.fromisoformat(row["date"]), date.fromisoformat(row["realtime_start"]), float(row["value"]))
        for row in given
    }
    assert len(found) == len(given)  # each known from one instant
    current = dict(connection.execute("SELECT event_time::date, value FROM records.observations").fetchall())
    assert current == known_at(recorded, date(2019, 1, 1))
    before = connection.execute("SELECT count(*) FROM records.observation_revisions").fetchone()
    load(database_url, fetch_ids=fetch_ids, reparse=True)
    assert set(connection.execute(VERSIONS).fetchall()) == found
    assert connection.execute("SELECT count(*) FROM records.observation_revisions").fetchone() == before


def test_a_vintage_of_today_is_known_from_the_answer_that_shows_it() -> None:
    row = {"date": "2026-07-01", "realtime_start": "2026-11-22", "realtime_end": "9999-12-31", "value": "1.5"}
    [record] = (
        parse(load_protocol("fred_observations"), body_of([row]), given=GDP, fetched_at=NOW)
        .tables["observation"]
        .to_pylist()
    )
    assert (record["knowledge_time"], record["vintage"]) == (NOW, date(2026, 11, 22))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"count": 2, "observations": []}', "expected 2 rows, as /count says, was 0"),
        (b'{"observations": []}', "expected None rows"),
        (b'{"error_code": 400, "error_message": "Bad Request. The series does not exist."}', "does not exist"),
    ],
)
def test_a_body_that_was_cut_or_is_an_error_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BodyRefused, match=said):
        parse(load_protocol("fred_observations"), body, given=GDP, fetched_at=NOW)
