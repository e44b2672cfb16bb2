"""News and filings: what was known then in the words of then, each with its bytes, and no page twice or left out."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import psycopg
import pytest

from dashboard.core.numbers import MINUS
from dashboard.overall_data import news, reports
from strades_pipelines.database.connection import connect
from tests.dashboard.conftest import CLOCK, NEWS_TABLE, ClientOf, store

Connection = psycopg.Connection[Any]
FIRST, EDITED = CLOCK - timedelta(hours=9), CLOCK - timedelta(hours=3)
HOSTILE = "<script>alert(1)</script>"


def article(
    connection: Connection, article_id: str, title: str, at: datetime, *, source: str = "wire", fetch_id: int = 101
) -> None:
    """An article that was published, known and stored at once; its address is one that no browser may open."""
    connection.execute(
        "INSERT INTO records.articles VALUES (%s, %s, 'javascript:alert(1)', %s, %s, NULL, '{}', 'en', '{}', %s, %s, "
        "'stated', %s, %s)",
        [source, article_id, title, f"summary {HOSTILE}", at, at, fetch_id, at],
    )


def filing(connection: Connection, document_id: str, form: str, at: datetime, *, fetch_id: int = 101) -> None:
    """A filing of Apple that its archive took in at a time."""
    connection.execute(
        "INSERT INTO records.documents VALUES ('sec', %s, '0000320193', %s, %s, 'https://sec.example/1', '2023-09-30', "
        "%s, %s, 'stated', %s, %s)",
        [document_id, form, f"{form} {HOSTILE}", at, at, fetch_id, at],
    )


def supersede(connection: Connection, kind: str, changed: str, *, fetch_id: int, at: datetime) -> None:
    """Keep the stored version as a revision, and put another text in its place, that of a later fetch."""
    connection.execute(f"INSERT INTO records.{kind}_revisions SELECT *, %s FROM records.{kind}s", [at])
    connection.execute(
        f"UPDATE records.{kind}s SET title = %s, fetch_id = %s, recorded_at = %s", [changed, fetch_id, at]
    )


@pytest.fixture
def edited(market: Connection, site: str) -> Connection:
    """An article about Bitcoin whose publisher changed its words, under the time of the first ones."""
    for fetch_id, at in ((101, FIRST), (102, EDITED)):
        store(market, fetch_id, f"feed of {at}".encode(), at=at)
    article(market, "a/1?b=#c", "Bitcoin <b>halts</b>", FIRST)
    supersede(market, "article", "Bitcoin resumes", fetch_id=102, at=EDITED)
    market.execute("INSERT INTO ops.article_tones VALUES ('wire', 'a/1?b=#c', %s, 'words-1', 2, 5, '{11}')", [FIRST])
    market.commit()
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute(NEWS_TABLE)
        dbt.execute(
            "INSERT INTO cleaned.news VALUES ('wire', 'a/1?b=#c', 11, '', '', NULL, %s, 102, %s)", [FIRST, EDITED]
        )
    return market


def address(at: datetime) -> str:
    """A time as the form of the clock sends it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def test_an_edit_is_not_shown_before_the_answer_that_shows_it(edited: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    now = client.get("/news/").content.decode()
    assert "Bitcoin resumes" in now
    assert "&lt;b&gt;halts" not in now
    assert 'href="/markets/11/">gateio:BTC_USDT</a>' in now
    assert f'<span class="gain">+2</span> <span class="loss">{MINUS}5</span>' in now
    assert 'href="/bodies/102/"' in now
    then = client.get("/news/", {"as_of": address(EDITED - timedelta(minutes=1))}).content.decode()
    assert "Bitcoin &lt;b&gt;halts" in then
    assert "resumes" not in then
    # The words of then mention Bitcoin too, but only those of now were read for it: nothing is claimed of the others.
    assert 'href="/markets/11/"' not in then
    before = client.get("/news/", {"as_of": address(FIRST - timedelta(minutes=1))}).content.decode()
    assert "Bitcoin" not in before
    assert "none was known then" in before


def test_an_article_s_page_has_its_versions_bytes_and_no_link_that_runs(
    edited: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    [link] = re.findall(r'href="(/news/article/[^"]+)"', client.get("/news/").content.decode())
    page = client.get(unescape(link)).content.decode()
    assert "Bitcoin resumes" in page
    assert "Bitcoin &lt;b&gt;halts" in page  # the version before
    assert "summary &lt;script&gt;" in page
    assert 'href="javascript' not in page
    assert "<code>words-1</code>" in page
    [(sha256,)] = edited.execute("SELECT encode(sha256, 'hex') FROM rawsources.fetches WHERE fetch_id = 102").fetchall()
    edited.commit()
    assert sha256 in page
    assert client.get(f"{unescape(link)}&as_of={address(FIRST - timedelta(minutes=1))}").status_code == 404


def test_the_same_title_elsewhere_is_a_duplicate_only_about_the_same_time(
    edited: Connection, client_of: ClientOf
) -> None:
    for article_id, at in (("2", EDITED), ("3", CLOCK - timedelta(days=4))):
        article(edited, article_id, "BITCOIN resumes", at, source="other")
    edited.commit()
    client = client_of("viewer")
    page = client.get("/news/article/", {"source": "wire", "article": "a/1?b=#c"}).content.decode()
    assert page.count("BITCOIN resumes") == 1
    assert page.count('href="/news/article/?source=other') == 1


def test_filters_say_what_they_find_and_why_they_find_nothing(
    edited: Connection, site: str, client_of: ClientOf
) -> None:
    article(edited, "2", "Rain", CLOCK - timedelta(days=5), source="other")
    edited.commit()
    client = client_of("viewer")

    def titles(**wanted: str) -> set[str]:
        page = client.get("/news/", wanted).content.decode()
        return set(re.findall(r'article=[^"]+">([^<]+)</a>', page))

    assert titles() == {"Bitcoin resumes", "Rain"}
    assert titles(symbol="btc_usdt") == titles(symbol="gateio:BTC_USDT") == titles(days="1") == {"Bitcoin resumes"}
    assert titles(source="other") == titles(words="RAI") == {"Rain"}
    assert titles(symbol="ETH_USDT") == set()
    assert "No market has this symbol" in client.get("/news/", {"symbol": HOSTILE}).content.decode()
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute("DROP TABLE cleaned.news")
    assert "not worked out yet" in client.get("/news/", {"symbol": "BTC_USDT"}).content.decode()


def test_pages_have_each_article_once_in_order_of_when_it_was_known(
    edited: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):  # two of them at the same instant
        article(edited, f"~{n}", f"Number {n}", FIRST + timedelta(minutes=n // 2))
    edited.commit()
    monkeypatch.setattr(news, "SHOWN_ARTICLES", 2)
    client, address_, found = client_of("viewer"), "/news/?words=", []
    while address_:
        page = client.get(address_).content.decode()
        found += re.findall(r'article=[^"]+">([^<]+)</a>', page)
        links = re.findall(r'href="(\?[^"]+)" rel="next"', page)
        address_ = "/news/" + unescape(links[0]) if links else ""
    assert found == ["Bitcoin resumes", "Number 3", "Number 2", "Number 1", "Number 0"]


def test_what_cannot_be_is_not_found_or_said(edited: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    for path in (
        "/news/?before=x",
        "/news/?before=2024-01-01~a~b",
        "/news/?source=%00",
        "/news/?words=" + "x" * 3000,
        "/news/article/",
        "/news/article/?source=wire&article=NOPE",
        "/reports/?before=~~",
        "/reports/filing/?source=sec&document=x",
    ):
        assert client.get(path).status_code == 404, path
    for as_of in ("0001-01-01T00:00", "2024-02-30T00:00", "9999-01-01T00:00"):
        assert client.get("/news/", {"as_of": as_of, "days": "365"}).status_code == 400, as_of
    empty = client.get("/reports/").content.decode()
    assert "No filing yet" in empty


def test_filings_as_they_were_known_with_the_size_of_the_bytes_that_name_them(
    market: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fetch_id, at in ((101, FIRST), (102, EDITED)):
        store(market, fetch_id, f"list of {at}".encode(), at=at)
    filing(market, "0000320193-23-000106", "10-K", FIRST)
    supersede(market, "document", "the annual report, renamed", fetch_id=102, at=EDITED)
    filing(market, "0000320193-23-000107", "8-K", FIRST)
    market.commit()
    client = client_of("viewer")
    page = client.get("/reports/", {"entity": "320193", "form": "10-k"}).content.decode()
    assert "the annual report, renamed" in page
    assert "8-K &lt;script" not in page
    assert re.search(rf'href="/bodies/102/">{len(f"list of {EDITED}")}.B<', page)
    then = client.get("/reports/", {"as_of": address(EDITED - timedelta(minutes=1))}).content.decode()
    assert "10-K &lt;script&gt;" in then
    assert "renamed" not in then
    [link] = re.findall(r'href="(/reports/filing/[^"]+)"><b>10-K', page)
    shown = client.get(unescape(link)).content.decode()
    assert 'href="https://sec.example/1" rel="noopener noreferrer nofollow"' in shown
    assert "2023-09-30" in shown
    assert "<script" not in shown
    monkeypatch.setattr(reports, "SHOWN_FILINGS", 1)
    first = client.get("/reports/").content.decode()
    [older] = re.findall(r'href="(\?[^"]+)" rel="next"', first)
    second = client.get("/reports/" + unescape(older)).content.decode()
    assert ("renamed" in first, "8-K" in first, "renamed" in second, "8-K" in second) == (True, False, False, True)
