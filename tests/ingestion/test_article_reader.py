"""A page of one article: its words without what stands around them, known when the page was fetched."""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.article_reader import MOST_ELEMENTS
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion.conftest import NOW, Store

TEXT = (
    "The central bank left its rate at four percent on Thursday. It said that prices rise more slowly than it had "
    "expected, and that it would look at the next figures before it decides again. Most banks had expected that."
)
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Rates stay | The Paper</title>
<meta property="og:title" content="Rates stay as they are"><meta name="author" content="Ada Byron">
<link rel="canonical" href="https://paper.example.org/rates"><meta property="article:published_time" content="{date}">
<script>document.write('CANARY of a script')</script></head>
<body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>
<article><h1>Rates stay as they are</h1><p>{text}</p><p>The next meeting is in six weeks.</p></article>
<footer>Copyright The Paper. All rights reserved.</footer></body></html>"""


def page(text: str = TEXT, date: str = "2026-11-19T13:00:00+01:00") -> bytes:
    return PAGE.format(text=text, date=date).encode()


def read(body: bytes) -> dict[str, Any]:
    parsed = parse_bounded(load_protocol("news_article"), body, given={}, fetched_at=NOW)
    assert parsed.rejects == ()
    [row] = parsed.tables["article"].to_pylist()
    return dict(row)


def test_an_article_is_its_title_authors_and_words_and_nothing_around_them() -> None:
    row = read(page())
    assert (row["title"], row["authors"], row["language"]) == ("Rates stay as they are", ["Ada Byron"], "en")
    assert row["article_id"] == row["url"] == "https://paper.example.org/rates"
    assert row["text"].endswith(f"{TEXT} The next meeting is in six weeks.")
    assert not any(word in row["text"] for word in ("Sport", "Copyright", "CANARY"))


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("2026-11-19T13:00:00+01:00", datetime(2026, 11, 19, 12, tzinfo=UTC)),
        ("2026-11-19", None),  # an extractor takes it for midnight
        ("2026-11-19T13:00:00", None),
        ("yesterday", None),
        ("2031-01-01T00:00:00Z", None),
    ],
)
def test_it_is_known_when_it_was_fetched_whenever_it_says_that_it_was_published(
    stated: str, wanted: datetime | None
) -> None:
    row = read(page(date=stated))
    assert row["published_at"] == wanted
    assert (row["knowledge_time"], row["knowledge_basis"]) == (NOW, "observed")


def test_what_was_fetched_is_an_article_of_the_records_and_its_new_words_a_revision(
    store: Store, connection: psycopg.Connection[Any], database_url: str
) -> None:
    later = NOW + timedelta(hours=1)
    for body, fetched_at in ((page(), NOW), (page(TEXT.replace("four", "five")), later)):
        store(body, protocol="news_article", source="paper", given={}, request_key="p", fetched_at=fetched_at)
        summary = load_stored(url=database_url, now=fetched_at)
        assert (summary.refused, summary.rejects) == ([], 0)
    query = "SELECT text LIKE '%%at five percent%%', knowledge_time FROM records.articles"
    assert connection.execute(query).fetchall() == [(True, later)]
    query = "SELECT text LIKE '%%at four percent%%', knowledge_time FROM records.article_revisions"
    assert connection.execute(query).fetchall() == [(True, NOW)]


HOSTILE = {
    "nested": b"<html><title>t</title><body>" + b"<div>" * 20_000 + b"x" * 300,
    "many elements": b"<html><title>t</title><body><article>" + b"<p>w</p>" * (MOST_ELEMENTS + 1),
    "no article": b"<html><title>t</title><body>" + b"<a href='/x'>link</a> " * 2_000,
    "a notice": page("Please enable JavaScript.").replace(b"<p>The next meeting is in six weeks.</p>", b""),
    "entities": b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><r>&a;</r>',
    "binary": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_page_is_refused_in_one_line_and_little_time(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(BodyRefused) as refused:
        read(body)
    assert str(refused.value).isprintable()
    assert time.process_time() - started < 5


def test_without_the_extra_a_page_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(BodyRefused, match=r"pip install 'strades\[pages\]'"):
        read(page())
