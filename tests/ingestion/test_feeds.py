"""Feeds as they are in the wild and as their specifications have them; test_expected.py compares them with feed-rs."""

import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.feed_reader import plain
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


def test_youtube_feed_is_articles(shared_data: Path) -> None:
    record = parsed((shared_data / "payloads/feeds/feed_rs/atom/atom_mediarss_youtube_1.xml").read_bytes())["records"][
        0
    ]
    assert record["article_id"] == "yt:video:0A1ouV7iD8o"
    assert record["title"] == "Navigating with Quantum Entanglement"
    assert record["url"] == "https://www.youtube.com/watch?v=0A1ouV7iD8o"
    assert record["authors"] == ["PBS Space Time"]
    # its <published> and its <updated>
    assert (record["published_at"], record["knowledge_time"]) == ("2020-12-22T19:15:01Z", "2020-12-25T23:12:12Z")


def test_an_entry_without_id_has_one_of_its_link_and_title_and_without_a_date_is_known_when_seen() -> None:
    one, same = (
        parsed(RSS % (ITEM % (b"x &amp; y", b"")))["records"],
        parsed(RSS % (ITEM % (b"x &amp; y", b"")))["records"],
    )
    other = parsed(RSS % (ITEM % (b"z", b"")))["records"]
    assert one[0]["article_id"] == same[0]["article_id"] != other[0]["article_id"]
    assert (one[0]["title"], one[0]["published_at"]) == ("x & y", None)
    assert instant(one[0]["knowledge_time"]) == NOW


EDITED = {
    "Atom 1.0": b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>u:t</id><entry><id>u:1</id><title>a</title>
        <published>%s</published><updated>%s</updated></entry></feed>""",
    "Atom 0.3": b"""<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>t</title><entry><id>u:1</id><title>a</title>
        <issued>%s</issued><modified>%s</modified></entry></feed>""",
    "RSS with dcterms": b"""<rss version="2.0" xmlns:dcterms="http://purl.org/dc/terms/"><channel><title>t</title><item>
        <title>a</title><pubDate>%s</pubDate><dcterms:modified>%s</dcterms:modified></item></channel></rss>""",
    "RSS with Atom": b"""<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>t</title><item>
        <title>a</title><pubDate>%s</pubDate><atom:updated>%s</atom:updated></item></channel></rss>""",
    "Atom with its publishing protocol": b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:app="http://www.w3.org/2007/app">
        <title>t</title><id>u:t</id><entry><id>u:1</id><title>a</title>
        <published>%s</published><app:edited>%s</app:edited></entry></feed>""",
    "JSON Feed": b"""{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": "1", "title": "a",
        "date_published": "%s", "date_modified": "%s"}]}""",
}  # RFC 4287 4.2.9 and 4.2.15, RFC 5023 10.2, the Atom 0.3 draft, DCMI terms, JSON Feed 1.1
each_form = pytest.mark.parametrize("form", EDITED)


@each_form
def test_an_edited_entry_is_known_from_its_edit_and_keeps_its_publication(form: str) -> None:
    [edited] = parsed(EDITED[form] % (b"2024-03-05T14:00:00Z", b"2024-03-06T15:15:00-05:00"))["records"]
    assert (edited["published_at"], edited["knowledge_time"]) == ("2024-03-05T14:00:00Z", "2024-03-06T20:15:00Z")
    [imported] = parsed(EDITED[form] % (b"2024-03-05T14:00:00Z", b"2024-03-01T00:00:00Z"))["records"]
    assert imported["published_at"] == imported["knowledge_time"] == "2024-03-05T14:00:00Z"


@each_form
@pytest.mark.parametrize("date", [b"2024-03-05", b"2024-03-05T14:00:00", b"Tue, 05 Mar 2024 16:05:00 HST"])
def test_an_entry_one_of_whose_dates_is_not_understood_is_known_when_it_was_fetched(form: str, date: bytes) -> None:
    for dates in ((date, b"2024-03-06T20:15:00Z"), (b"2024-03-05T14:00:00Z", date)):
        [entry] = parsed(EDITED[form] % dates)["records"]
        assert (entry["published_at"], instant(entry["knowledge_time"])) == (None, NOW)


@pytest.mark.parametrize("swap", [False, True])
def test_the_latest_of_all_dates_of_an_entry_counts_in_whatever_order_they_are(swap: bool) -> None:
    """dc:date and dcterms:modified are one field to feedparser: the last one in the entry."""
    created, modified = b"<dc:date>2024-03-05T14:00:00Z</dc:date>", b"<t:modified>2024-03-07T14:00Z</t:modified>"
    names = b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/"'
    for published in (b"", b"<pubDate>Tue, 05 Mar 2024 14:00:00 GMT</pubDate>"):
        dates = published + (modified + created if swap else created + modified)
        feed = RSS.replace(b"<rss ", b"<rss %s " % names)
        [entry] = parsed(feed % (ITEM % (b"a", dates)))["records"]
        assert (entry["published_at"], entry["knowledge_time"]) == ("2024-03-05T14:00:00Z", "2024-03-07T14:00:00Z")
        [entry] = parsed(feed % (ITEM % (b"a", dates.replace(b"14:00Z", b"14:00"))))["records"]
        assert (entry["published_at"], instant(entry["knowledge_time"])) == (None, NOW)


def test_a_feed_that_is_not_well_formed_is_known_from_its_edit_too() -> None:
    body = EDITED["RSS with dcterms"] % (b"2024-03-05T14:00:00Z", b"2024-03-06T20:15:00Z")
    for broken in (b"junk " + body, body.replace(b"<title>a<", b"<title>a &nbsp; b<"), body.replace(b'"2.0"', b"2.0")):
        [entry] = parsed(broken)["records"]
        assert (entry["published_at"], entry["knowledge_time"]) == ("2024-03-05T14:00:00Z", "2024-03-06T20:15:00Z")


def test_dates_of_other_vocabularies_are_not_those_of_the_words() -> None:
    feed = RSS.replace(
        b"<rss ", b'<rss xmlns:ev="http://purl.org/rss/1.0/modules/event/" xmlns:x="https://x.example/" '
    )
    dates = b"<pubDate>Tue, 05 Mar 2024 14:00:00 GMT</pubDate><ev:date>junk</ev:date><x:updated>2024-04-01</x:updated>"
    [entry] = parsed(feed % (ITEM % (b"a", dates)))["records"]
    assert entry["published_at"] == entry["knowledge_time"] == "2024-03-05T14:00:00Z"


def test_dates_of_what_an_entry_contains_are_not_its_own() -> None:
    source = b"<source><id>u:s</id><title>s</title><updated>2025-01-01T00:00:00Z</updated></source>"
    body = EDITED["Atom 1.0"] % (b"2024-03-05T14:00:00Z", b"2024-03-05T14:00:00Z")
    [entry] = parsed(body.replace(b"</entry>", source + b"</entry>"))["records"]
    assert entry["published_at"] == entry["knowledge_time"] == "2024-03-05T14:00:00Z"


@each_form
def test_a_date_that_is_left_out_or_empty_leaves_the_other_one(form: str) -> None:
    for dates in ((b"", b"2024-03-06T20:15:00Z"), (b"2024-03-06T20:15:00Z", b"")):
        [entry] = parsed(EDITED[form] % dates)["records"]
        assert entry["published_at"] == entry["knowledge_time"] == "2024-03-06T20:15:00Z"


def test_an_entry_of_tomorrow_is_known_when_it_was_seen_and_its_neighbour_too() -> None:
    date = (NOW + timedelta(days=1)).strftime("<pubDate>%a, %d %b %Y %H:%M:%S GMT</pubDate>").encode()
    found = parsed(RSS % (ITEM % (b"late", date) + ITEM % (b"good", b"")))
    assert [(record["title"], record["published_at"]) for record in found["records"]] == [
        ("good", None),
        ("late", None),
    ]
    assert {instant(record["knowledge_time"]) for record in found["records"]} == {NOW}
    assert found["rejects"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking</body></html>",
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss version="2.0"/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r [<!ENTITY a "b">]><rss/>'.encode("utf-16"),
        b"/etc/passwd",
        RSS % b"<item><title>&#xD800;</title></item><item><",
        b'{"items": 1}',
        (RSS % (ITEM % (b"x", b"")))[:-40],
    ],
)
def test_what_is_no_whole_feed_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(BodyRefused) as refused:
        parsed(body)
    assert "\n" not in str(refused.value)


def test_an_undated_article_is_known_once_its_answer_had_come(store: Store, connection: Any, database_url: str) -> None:
    sent, came = NOW, NOW + timedelta(seconds=20)
    fetch_id = store(RSS % (ITEM % (b"undated", b"")), protocol="feed", source="news", given={}, fetched_at=sent,
                     answered_at=came)  # fmt: skip
    load_stored(url=database_url, now=came)
    assert connection.execute("SELECT knowledge_time FROM records.articles").fetchall() == [(came,)]
    with connection.cursor() as cursor:
        assert verify_fetch(cursor, fetch_id).faults == ()


def test_an_id_of_any_length_is_stored_and_its_neighbours_too(store: Store, connection: Any, database_url: str) -> None:
    long = secrets.token_hex(4_000).encode()  # random, so that the index cannot compress it
    items = [b"<guid>" + identity + b"</guid>" for identity in (b"short", long)]
    store(RSS % b"".join(ITEM % (b"a", item) for item in items), protocol="feed", source="news", given={})
    load_stored(url=database_url, now=NOW)
    found = {identity for (identity,) in connection.execute("SELECT article_id FROM records.articles")}
    assert found == {"short", hashlib.sha256(long).hexdigest()}


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


EARLY, LATE = "2024-03-05T14:00:00Z", "2024-03-06T20:15:00Z"  # as in EDITED, publication and edit


@pytest.mark.parametrize(
    "markup",
    [
        "x<br>y",
        "<p>x<p>y",
        "<ul><li>x<li>y</ul>",
        "x</p>y",
        "</b></i>x",
        "<img src=a>x",
        "a < b",
        "<![CDATA[<item>]]><br>",
    ],
)
@pytest.mark.parametrize("form", ["RSS with dcterms", "RSS with Atom", "Atom 1.0"])
def test_markup_that_nobody_escaped_hides_no_edit(form: str, markup: str) -> None:
    """XML 1.0, 3: what a tag opens must be closed; the publisher's tags in a text are not, and nest all behind them."""
    tag = "summary" if form.startswith("Atom") else "description"
    whole = (EDITED[form] % (EARLY.encode(), LATE.encode())).decode()
    begin, end = ("<entry>", "</entry>") if form.startswith("Atom") else ("<item>", "</item>")
    entry = whole[whole.index(begin) : whole.index(end) + len(end)]
    broken = entry.replace("</title>", f"</title><{tag}>{markup}</{tag}>")
    unedited = broken.replace(LATE, EARLY).replace("<title>a", "<title>b").replace("u:1", "u:2")
    for pair in (broken + unedited, unedited + broken):
        records = parsed(whole.replace(entry, pair).encode())["records"]
        assert {record["title"]: record["knowledge_time"] for record in records} == {"a": LATE, "b": EARLY}


@pytest.mark.parametrize("inner", ["<x:item>r</x:item>", "<x:news><x:item/><x:entry>r</x:entry></x:news>"])
def test_an_element_of_another_vocabulary_is_no_entry(inner: str) -> None:
    """Google Trends has ht:news_item, others x:item: only those of the feed's own vocabulary are its entries."""
    body = EDITED["RSS with dcterms"] % (EARLY.encode(), LATE.encode())
    body = body.replace(b"<rss ", b'<rss xmlns:x="https://x.example/ns" ').replace(
        b"</item>", inner.encode() + b"</item>"
    )
    [entry] = parsed(body)["records"]
    assert (entry["published_at"], entry["knowledge_time"]) == (EARLY, LATE)
    [broken] = parsed(body.replace(b"<title>a", b"<title>a<br>"))["records"]
    assert broken["knowledge_time"] == LATE or instant(broken["knowledge_time"]) == NOW


@pytest.mark.parametrize("form", ["RSS with dcterms", "RSS with Atom"])
def test_a_vocabulary_named_with_https_is_the_same(form: str) -> None:
    body = (EDITED[form] % (EARLY.encode(), LATE.encode())).replace(b'="http://', b'="https://')
    [entry] = parsed(body)["records"]
    assert (entry["published_at"], entry["knowledge_time"]) == (EARLY, LATE)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"If a<b then c>d", "If a<b then c>d"),
        (b"Bond yields <s and others>", "Bond yields <s and others>"),
        (b"<b>Up</b> <i class='x'>5%</i><br/><video controls muted></video>", "Up 5%"),
        (b"<p hidden>a</p><a href=x>b</a>", "ab"),
    ],
)
def test_words_behind_an_elements_name_are_no_attributes(written: bytes, shown: str) -> None:
    [entry] = parsed(RSS % (ITEM % (b"<![CDATA[%s]]>" % written, b"")))["records"]
    assert entry["title"] == shown


def test_a_title_like_a_tag_that_never_ends_costs_what_its_letters_cost() -> None:
    """Each `=` was tried as the one of an attribute: 100,000 of them took minutes."""
    began = time.process_time()
    assert plain("<a " + "=" * 100_000) == "<a " + "=" * 100_000
    assert time.process_time() - began < 5.0
