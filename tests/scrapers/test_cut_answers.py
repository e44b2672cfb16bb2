"""A truncated response counts as failed: over real HTTP none of it is stored, and its request stays due."""

import gzip
import zlib
from collections.abc import Iterable
from datetime import datetime

import brotli  # type: ignore[import-untyped]
import psycopg
import zstandard

from strades_pipelines.datamanager.fetch_log import read_fetch_log
from strades_pipelines.ingestion.acceptance import refused_bodies
from tests.scrapers.conftest import HELD, Crawl, ask
from tests.scrapers.misbehaving import raw_server, response
from tests.scrapers.test_fetching import bodies
from tests.scrapers.test_hostile_answers import errors_by_name, host_urls, on_own_hosts

WHOLE = b"observation_date,DCOILWTICO\n2013-02-25,93.13\n2013-02-26,92.68\n2013-02-27,92.84\n"
CUT = WHOLE[:-5]  # ends with 2013-02-27,9: a plausible value
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/csv\r\n"
UNTIL_CLOSED = HEAD + b"Connection: close\r\n\r\n"
PACKED = {
    "gzip": gzip.compress(WHOLE),
    "deflate": zlib.compress(WHOLE),
    "br": brotli.compress(WHOLE),
    "zstd": zstandard.compress(WHOLE),
}
ANSWERS = {
    "until-closed": UNTIL_CLOSED + CUT,
    "until-closed-whole": UNTIL_CLOSED + WHOLE,  # without a length, complete and truncated look the same
    "http-1-0": b"HTTP/1.0 200 OK\r\n\r\n" + CUT,
    "too-long-a-length": HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + CUT,
    "chunk-without-an-end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(CUT), CUT),
    "gzip-until-closed": UNTIL_CLOSED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + PACKED["gzip"][:-8],
    **{
        f"{name}-cut-by-{cut}": response(body[:-cut], b"Content-Encoding: " + name.encode())
        for name, body in PACKED.items()
        for cut in (1, 8, len(body) // 2)
    },
}


def test_a_truncated_response_is_not_stored_and_its_failure_says_why(
    crawl: Crawl, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    answers = on_own_hosts(ANSWERS)
    with raw_server(answers) as server:
        done = crawl(*map(ask, host_urls(answers).values()), server=server, retries=0, timeout_seconds=3.0)
    assert done.code == 0, done.stderr
    assert bodies(connection) == {}
    errors = errors_by_name(done.summary)
    assert set(errors) == set(ANSWERS)
    reasons = ("the connection ended before the whole body had come", "was cut", "was damaged", "may have been cut")
    assert [error for error in errors.values() if not any(reason in error for reason in reasons)] == []
    assert connection.execute("SELECT DISTINCT outcome FROM rawsources.fetches").fetchall() == [("failed",)]


def test_a_truncated_response_is_requested_again(
    crawl: Crawl, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    parts = [UNTIL_CLOSED + CUT, response(WHOLE)]

    def answer() -> Iterable[bytes]:
        yield parts.pop(0)

    with raw_server({"/h.example/": answer}) as server:
        done = crawl(ask("https://h.example/"), server=server, retries=1)
    assert (done.code, done.summary["stored"], parts) == (0, 1, [])
    assert bodies(connection) == {"https://h.example/": [WHOLE]}


def test_a_csv_truncated_before_it_was_served_is_refused_and_requested_again(
    crawl: Crawl, connection: "psycopg.Connection[tuple[object, ...]]", database_url: str
) -> None:
    """A cache that stored a truncated body serves it with that length: a complete response, an incomplete file."""
    url, series = "https://h.example/", {"symbol": "DCOILWTICO"}
    with raw_server({"/h.example/": response(CUT)}) as server:
        done = crawl(ask(url, protocol="fred_csv", given=series), server=server)
    assert done.summary["stored"] == 1
    now = datetime.fromisoformat(HELD)
    [line] = refused_bodies(connection, "test", "run-1", url=database_url, now=now)
    assert line == f"{url}: expected a line end after the last row, was 2013-02-27,9"
    keys = [key for (key,) in connection.execute("SELECT request_key FROM rawsources.fetches")]
    assert (len(keys), read_fetch_log(connection, "test", map(str, keys))) == (1, {})
    assert connection.execute("SELECT count(*) FROM records.observations").fetchone() == (0,)


def test_a_robots_txt_that_may_be_truncated_disallows_everything(
    crawl: Crawl, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    """RFC 9309 2.3.1.4: an unreachable robots.txt disallows everything; the lost part may hold the rule."""
    robots = UNTIL_CLOSED + b"User-agent: *\nDis"
    with raw_server({"/h.example/robots.txt": robots, "/h.example/": response(WHOLE)}) as server:
        done = crawl(ask("https://h.example/", kind="page"), server=server, retries=0)
    assert ["robots.txt" in failure["error"] for failure in done.summary["failed"]] == [True]
    assert bodies(connection) == {}
