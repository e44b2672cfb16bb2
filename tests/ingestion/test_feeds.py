"""Feeds as they are in the wild, compared with what another project (feed-rs) reads out of the same bytes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.ingestion.verify import verify_fetch
from tests.ingestion.conftest import NOW, Store

RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>%s</channel></rss>"""
ITEM = b"<item><title>%s</title><link>https://example.org/a</link>%s</item>"


def parsed(body: bytes, fetched_at: datetime = NOW) -> dict[str, Any]:
    """What `strades parse feed` prints."""
    return document(load_protocol("feed"), body, given={}, fetched_at=fetched_at)


def instant(text: str | None) -> datetime | None:
    """A time of either parse, to the second."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0) if text else None


def names() -> list[str]:
    """The feeds that feed-rs has an expectation for."""
    return [
        "atom/atom_mediarss_youtube_1.xml",
        "atom/atom_example_1.xml",
        "atom/atom_spec_1.xml",
        "jsonfeed/jsonfeed_spec_1.json",
        "rss0/rss_0.91_spec_1.xml",
        "rss1/rss_1.0_biorxiv.xml",
        "rss2/rss_2.0_bbc.xml",
        "rss2/rss_2.0_spiegel.xml",
        "rss2/rss_2.0_cloudflare.xml",
        "rss2/rss_2.0_ghost_1.xml",
        "rss2/rss_2.0_rps.xml",
    ]


@pytest.mark.parametrize("name", names())
def test_entries_are_those_that_another_reader_finds(shared_data: Path, name: str) -> None:
    body = (shared_data / "payloads/feeds/feed_rs" / name).read_bytes()
    wanted = json.loads((shared_data / "expected/feeds" / Path(name).with_suffix(".expected.json")).read_text())
    found = parsed(body)
    assert found["rejects"] == []
    assert len(found["records"]) == len(wanted["entries"])
    by_title = {record["title"]: record for record in found["records"]}
    for entry in wanted["entries"]:
        title = entry["title"] and " ".join(entry["title"]["content"].split())
        record = by_title[title] if title else found["records"][0]
        published = instant(entry["published"] or entry["updated"])
        assert instant(record["published_at"]) == published
        assert instant(record["knowledge_time"]) == (published or NOW)
        links = [link["href"].rstrip("/") for link in entry["links"]]
        assert not links or (record["url"] or "").rstrip("/") in links


def test_youtube_feed_is_articles(shared_data: Path) -> None:
    record = parsed((shared_data / "payloads/feeds/feed_rs/atom/atom_mediarss_youtube_1.xml").read_bytes())["records"][
        0
    ]
    assert record["article_id"] == "yt:video:0A1ouV7iD8o"
    assert record["title"] == "Navigating with Quantum Entanglement"
    assert record["url"] == "https://www.youtube.com/watch?v=0A1ouV7iD8o"
    assert record["authors"] == ["PBS Space Time"]
    assert record["published_at"] == record["knowledge_time"] == "2020-12-22T19:15:01Z"


def test_an_entry_without_id_has_one_of_its_link_and_title_and_without_a_date_is_known_when_seen() -> None:
    one, same = (
        parsed(RSS % (ITEM % (b"x &amp; y", b"")))["records"],
        parsed(RSS % (ITEM % (b"x &amp; y", b"")))["records"],
    )
    other = parsed(RSS % (ITEM % (b"z", b"")))["records"]
    assert one[0]["article_id"] == same[0]["article_id"] != other[0]["article_id"]
    assert (one[0]["title"], one[0]["published_at"]) == ("x & y", None)
    assert instant(one[0]["knowledge_time"]) == NOW


def test_an_entry_of_tomorrow_is_rejected_and_its_neighbour_kept() -> None:
    date = (NOW + timedelta(days=1)).strftime("<pubDate>%a, %d %b %Y %H:%M:%S GMT</pubDate>").encode()
    found = parsed(RSS % (ITEM % (b"late", date) + ITEM % (b"good", b"")))
    assert [record["title"] for record in found["records"]] == ["good"]
    assert [reject["reason"] for reject in found["rejects"]] == ["time_in_the_future"]


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking</body></html>",
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss version="2.0"/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r [<!ENTITY a "b">]><rss/>'.encode("utf-16"),
        b"/etc/passwd",
        b'{"items": 1}',
        (RSS % (ITEM % (b"x", b"")))[:-40],
    ],
)
def test_what_is_no_whole_feed_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(BodyRefused) as refused:
        parsed(body)
    assert "\n" not in str(refused.value)


def test_an_undated_article_stays_known_from_its_first_sight(store: Store, connection: Any, database_url: str) -> None:
    body = RSS % (ITEM % (b"undated", b"<category>a</category><category>b</category>"))
    first = store(body, protocol="feed", source="news", given={})
    load_stored(url=database_url, now=NOW)
    later = NOW + timedelta(hours=2)
    store(body + b"\n", protocol="feed", source="news", given={}, fetched_at=later)
    summary = load_stored(url=database_url, now=later)
    assert (summary.tables["records.articles"].revised, summary.tables["records.articles"].unchanged) == (0, 1)
    rows = connection.execute("SELECT source, knowledge_time, categories, fetch_id FROM records.articles").fetchall()
    assert rows == [("news", NOW, ["a", "b"], first)]
    with connection.cursor() as cursor:
        assert verify_fetch(cursor, first).rows == 1
        assert verify_fetch(cursor, first).faults == ()
    edited = store(
        body.replace(b"<category>a", b"<category>c"), protocol="feed", source="news", given={}, fetched_at=later
    )
    load_stored(url=database_url, now=later)
    assert connection.execute("SELECT categories, fetch_id FROM records.articles").fetchall() == [(["c", "b"], edited)]
    assert connection.execute("SELECT categories FROM records.article_revisions").fetchall() == [(["a", "b"],)]
