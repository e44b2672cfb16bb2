"""What a body can cost is bounded: readers take time in proportion to it, a child process ends those that do not."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion import bounded_parse
from strades_pipelines.ingestion.acceptance import refused_bodies
from strades_pipelines.ingestion.bounded_parse import TOO_COSTLY, parse_bounded
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import MOST_BAD_ROWS, BodyRefused
from tests.ingestion.conftest import GATE, NOW, Store
from tests.ingestion.protocols import daily_bars

RSS = b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>%s</channel></rss>'
SPREADSHEET = b"ts_utc,open,high,low,close,volume\n"
PAGE = b"<html><body><table id='quotes'><tr><th>Date<th>Open<th>High<th>Low<th>Close</tr>%s</table></body></html>"
ECB = (
    b'<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
    b' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2024-01-02">%s</Cube></Cube>'
    b"</gesmes:Envelope>"
)
SLOW_FEED = RSS % (b"<a " * 100_000)  # feedparser needs seconds for it


def seconds(protocol: Protocol, body: bytes) -> float:
    """Processor time of a parse, whatever its verdict."""
    start = time.process_time()
    with suppress(BodyRefused):
        parse(protocol, body, given=GATE, fetched_at=NOW)
    return time.process_time() - start


HOSTILE: dict[str, tuple[Callable[[], Protocol], Callable[[int], bytes]]] = {
    "json: a key twice, far apart": (
        lambda: load_protocol("gateio_candles"),
        lambda n: b"{" + b"".join(b'"%d":1,' % i for i in range(n)) + b'"%d":1}' % (n - 1),
    ),
    "json: a long key above many values, and a key twice": (
        lambda: load_protocol("gateio_candles"),
        lambda n: b'{"' + b"k" * n + b'":[' + b"0," * n + b'{"a":1,"a":2}]}',
    ),
    "json: rows without cells": (
        lambda: load_protocol("gateio_candles"),
        lambda n: b'[["1793404800","1","1","1","1","1","1","true"]' + b",[]" * n + b"]",
    ),
    "csv: rows without cells": (daily_bars, lambda n: SPREADSHEET + b"1\n" * n),
    "csv: times that are none": (daily_bars, lambda n: SPREADSHEET + b"2017-02-30,1,1,1,1,1\n" * n),
    "csv: many columns": (daily_bars, lambda n: SPREADSHEET[:-1] + b"".join(b",%d" % i for i in range(n)) + b"\n"),
    "html: rows without cells": (lambda: load_protocol("html_table"), lambda n: PAGE % (b"<tr><td>1" * n)),
    "html: a row of many cells": (lambda: load_protocol("html_table"), lambda n: PAGE % (b"<tr>" + b"<th>a<td>b" * n)),
    "xml: elements without attributes": (lambda: load_protocol("ecb_fx_daily"), lambda n: ECB % (b"<Cube/>" * n)),
    "xml: rejected elements": (
        lambda: load_protocol("ecb_fx_daily"),
        lambda n: ECB % (b'<Cube currency="USD" rate="1"/>' * (n // 4) + b'<Cube currency="\xc2\xa4" rate="x"/>'),
    ),
    "feed: entries": (lambda: load_protocol("feed"), lambda n: RSS % (b"<item>" * n)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_of_twice_the_size_takes_about_twice_the_time(name: str) -> None:
    protocol, body = HOSTILE[name][0](), HOSTILE[name][1]
    seconds(protocol, body(100))  # imports and caches
    small = min(seconds(protocol, body(20_000)) for _ in range(2))
    large = min(seconds(protocol, body(80_000)) for _ in range(2))
    assert large < 8 * small + 0.5, f"{large:.2f} s for four times what took {small:.2f} s"


@pytest.mark.parametrize("rows", [MOST_BAD_ROWS + 1, 20 * MOST_BAD_ROWS])
def test_a_body_of_too_many_bad_rows_is_refused_whole(rows: int) -> None:
    with pytest.raises(BodyRefused, match="at most 10000 bad rows"):
        parse(daily_bars(), SPREADSHEET + b"1\n" * rows, given=GATE, fetched_at=NOW)


def test_a_body_of_more_bad_rows_than_good_ones_is_refused_whole_and_a_short_one_is_not() -> None:
    good = [[str(1793404800 + 60 * i), "1", "1.5", "2", "1", "1", "1", "true"] for i in range(60)]

    def rejects(bad: int) -> int:
        body = json.dumps(good + [["never", *good[0][1:]]] * bad).encode()
        return len(parse(load_protocol("gateio_candles"), body, given=GATE, fetched_at=NOW).rejects)

    assert rejects(60) == 60
    with pytest.raises(BodyRefused, match="most of which are good, was 61 bad ones of 121"):
        rejects(61)
    short = [good[0], *([["never", *good[0][1:]]] * 40)]
    kept = parse(load_protocol("gateio_candles"), json.dumps(short).encode(), given=GATE, fetched_at=NOW)
    assert (kept.tables["candle"].num_rows, len(kept.rejects)) == (1, 40)


def test_a_large_body_says_in_a_child_process_what_it_says_here() -> None:
    rows = [[str(1793404800 + 60 * i), "1.5", "1.5", "2", "1", "1", "1", "true"] for i in range(30_000)]
    body = json.dumps(rows).encode()
    assert len(body) > bounded_parse.SMALL_BYTES
    protocol = load_protocol("gateio_candles")
    there = parse_bounded(protocol, body, given=GATE, fetched_at=NOW)
    here = parse(protocol, body, given=GATE, fetched_at=NOW)
    assert there.tables["candle"].equals(here.tables["candle"])
    assert there.rejects == here.rejects
    with pytest.raises(BodyRefused, match="expected JSON"):
        parse_bounded(protocol, body[:-1], given=GATE, fetched_at=NOW)


def test_a_body_that_takes_too_long_is_refused_with_that_reason() -> None:
    with pytest.raises(BodyRefused, match=f"{TOO_COSTLY} 0.5 s, was one of {len(SLOW_FEED)} bytes"):
        parse_bounded(load_protocol("feed"), SLOW_FEED, given={}, fetched_at=NOW, seconds=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_body_that_takes_too_much_memory_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = (
        "import sys; from strades_pipelines.ingestion import bounded_parse as b; b.MEMORY_BYTES = 400_000_000;"
        "sys.argv = sys.argv[1:]; b._answer_parent()"
    )
    run = subprocess.run

    def with_less_memory(command: list[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
        return run([command[0], "-c", limited, *command[2:]], **options)

    monkeypatch.setattr(subprocess, "run", with_less_memory)
    body = b'[["1793404800","1","1","1","1","1","1","true"]' + b",[1]" * 900_000 + b"]"
    with pytest.raises(BodyRefused, match=r"fits into memory|reader ended with"):
        parse_bounded(load_protocol("gateio_candles"), body, given=GATE, fetched_at=NOW)


def test_a_costly_body_is_refused_once_and_its_neighbours_are_loaded(
    store: Store, connection: "psycopg.Connection[Any]", database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = {"protocol": "feed", "source": "news", "given": {}}
    article = RSS % b"<item><title>a</title><link>https://example.org/a</link></item>"
    store(SLOW_FEED, **news, request_key="slow", run_id="first")
    store(article, **news, request_key="good", run_id="first")
    children: list[float] = []
    run = subprocess.run

    def quickly(*arguments: Any, timeout: float, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        children.append(timeout)
        return run(*arguments, timeout=0.5, **options)

    monkeypatch.setattr(subprocess, "run", quickly)
    (line,) = refused_bodies(connection, "news", "first", url=database_url, now=NOW)
    assert line.startswith(f"https://example.org/slow: {TOO_COSTLY}")
    assert load_stored(url=database_url, now=NOW).tables["records.articles"].inserted == 1
    store(SLOW_FEED, **news, request_key="again", run_id="second")  # the next run asks again: the question is open
    (line,) = refused_bodies(connection, "news", "second", url=database_url, now=NOW)
    assert line.startswith(f"https://example.org/again: {TOO_COSTLY}")
    assert len(children) == 1, "the same bytes were tried again"


def test_a_reader_that_fails_refuses_its_body_alone(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_parse, "parse", failing(b"bad", parse))
    store(b"[bad", request_key="bad")
    store(b"[]", request_key="good")
    summary = load_stored(url=database_url, now=NOW)
    assert (summary.parsed, len(summary.refused)) == (1, 1)
    assert "was one that fails: UnicodeDecodeError" in summary.refused[0]


def failing(on: bytes, parse: Callable[..., Any]) -> Callable[..., Any]:
    """`parse`, with a fault of a reader at bodies that hold `on`."""

    def parse_or_fail(protocol: Protocol, body: bytes, **rest: Any) -> Any:
        if on in body:
            b"\xff".decode()
        return parse(protocol, body, **rest)

    return parse_or_fail
