"""Statistics: what was believed when, by the releases of a real series."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import psycopg
import pytest

from dashboard.core.numbers import MINUS
from dashboard.overall_data import statistics
from tests.dashboard.conftest import ClientOf, store

Connection = psycopg.Connection[Any]
# Real gross domestic product of the United States, third quarter of 2023, percent a year: the advance, second and
# third estimate as the Bureau of Economic Analysis released them.
QUARTER = datetime(2023, 7, 1, tzinfo=UTC)
RELEASES = [
    (4.9, datetime(2023, 10, 26, 12, 30, tzinfo=UTC)),
    (5.2, datetime(2023, 11, 29, 13, 30, tzinfo=UTC)),
    (4.9, datetime(2023, 12, 21, 13, 30, tzinfo=UTC)),
]
SECOND_QUARTER = 2.1


def observe(connection: Connection, event: datetime, value: float, at: datetime, fetch_id: int, *, table: str) -> None:
    """A value that one fetch brought; the source's own rule says that it was known with the first release."""
    known = RELEASES[0][1]
    row = ["US:GDP<b>", event, value, "percent a year", None, known, "stated", fetch_id, at]
    superseded = [at + timedelta(days=1)] if table.endswith("_revisions") else []
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row + superseded))})", row + superseded)


@pytest.fixture
def released(market: Connection, site: str) -> Connection:
    """The three estimates, each from the answer that showed it a minute after its release."""
    for n, (value, released_at) in enumerate(RELEASES):
        at = released_at + timedelta(minutes=1)
        store(market, 101 + n, str(value).encode(), at=at)
        newest = n == len(RELEASES) - 1
        table = "records.observations" if newest else "records.observation_revisions"
        observe(market, QUARTER, value, at, 101 + n, table=table)
    observe(market, datetime(2023, 4, 1, tzinfo=UTC), SECOND_QUARTER, RELEASES[0][1], 101, table="records.observations")
    market.commit()
    return market


def test_each_as_of_time_shows_the_estimate_of_then_and_the_one_before(
    released: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")

    def figures(as_of: str) -> list[str]:
        page = client.get("/statistics/", {"as_of": as_of}).content.decode()
        row = page.partition("US:GDP&lt;b&gt;</b>")[2].partition("</tr>")[0]
        return re.findall(r'class="num">([^<]+)<', row) + re.findall(r"<small>([a-z ]+ed)</small>", row)

    assert figures("2023-10-26T12:29") == []
    assert figures("2023-10-27T00:00") == ["4.9", "2.1", "never revised"]
    assert figures("2023-11-29T13:30") == ["4.9", "2.1", "never revised"]  # released, but not answered yet
    assert figures("2023-11-30T00:00") == ["5.2", "2.1", "0.3"]
    assert figures("") == ["4.9", "2.1", f"{MINUS}0.3"]


def test_the_series_page_says_what_was_believed_when(released: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    [link] = re.findall(r'href="(/statistics/series/[^"]+)"', client.get("/statistics/").content.decode())
    page = client.get(unescape(link)).content.decode()
    table = page.partition("What was believed when")[2].partition("</table>")[0]
    assert re.findall(r'class="num">([\d.]+)</span> <small>percent', table) == ["4.9", "5.2", "4.9", "2.1"]
    assert re.findall(r'href="/bodies/(\d+)/', table) == ["103", "102", "101", "101"]
    assert "2023-07-01<" in table  # a label of a day, in every time zone
    assert 'class="account" points="0.0' in page
    assert "US:GDP&lt;b&gt;" in page
    assert "US:GDP<b>" not in page
    then = client.get(f"{unescape(link)}&as_of=2023-11-30T00:00").content.decode()
    assert "5.2" in then
    assert 'href="/bodies/103/' not in then
    assert client.get(f"{unescape(link)}&as_of=2023-01-01T00:00").status_code == 404


def test_events_and_series_are_paged(
    released: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.execute(
        "INSERT INTO records.observations SELECT 'A', event_time, value, unit, vintage, knowledge_time, "
        "knowledge_basis, fetch_id, recorded_at FROM records.observations"
    )
    released.commit()
    monkeypatch.setattr(statistics, "SHOWN_SERIES", 1)
    monkeypatch.setattr(statistics, "SHOWN_EVENTS", 1)
    client = client_of("viewer")

    def walk(path: str, query: str, pattern: str) -> list[list[str]]:
        pages = []
        while query:
            page = client.get(path + query).content.decode()
            pages.append(re.findall(pattern, page))
            links = re.findall(r'href="(\?[^"]+)" rel="next"', page)
            query = unescape(links[0]) if links else ""
        return pages

    assert walk("/statistics/", "?words=", r"<b>([^<]+)</b></a><br>") == [["A"], ["US:GDP&lt;b&gt;"]]
    events = walk("/statistics/series/", "?series=US:GDP<b>", r"<tr><td>(2023-\d\d-\d\d)")
    assert events == [["2023-07-01"], ["2023-04-01"]]
    assert client.get("/statistics/", {"words": "gdp"}).content.decode().count("/statistics/series/") == 1
    for path in ("/statistics/series/", "/statistics/series/?series=%00", "/statistics/series/?series=A&before=x",
                 "/statistics/?words=%00"):  # fmt: skip
        assert client.get(path).status_code == 404, path


def test_an_empty_list_says_where_series_come_from(client_of: ClientOf) -> None:
    client = client_of("viewer")
    assert "No series yet" in client.get("/statistics/").content.decode()
    assert "none was known then" in client.get("/statistics/", {"words": "x"}).content.decode()
