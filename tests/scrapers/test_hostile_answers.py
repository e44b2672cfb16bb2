"""What a hostile host sends: bodies without end, bombs, broken framing, redirects elsewhere. No half body is kept."""

import gzip
import subprocess
import time
import zlib
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

import psutil
import psycopg
import pytest
import zstandard

from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.misbehaving import Stream, raw_server, response
from tests.scrapers.test_fetching import bodies

Connection = psycopg.Connection[Any]
MAX_BYTES = 8_000_000
BOMB_BYTES = 400_000_000
# A crawl with nothing to do has 85 MB, and one that refuses a bomb at 8 MB 120 MB (2026-11-29).
MOST_MEMORY = 250_000_000
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
ZEROS = b"0" * 65_536


def host_urls(answers: dict[str, Any]) -> dict[str, str]:
    """The URL of each path's name; every answer has a host of its own, so that none suffers for another."""
    return {path.split("/")[1].removesuffix(".example"): f"https:/{path}" for path in answers}


def on_own_hosts(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers by the paths under which the crawl of a sandbox world asks for them."""
    return {f"/{name}.example/": answer for name, answer in answers.items()}


def errors_by_name(summary: dict[str, Any]) -> dict[str, str]:
    """What the crawl says of each host that failed."""
    return {entry["url"].split("/")[2].removesuffix(".example"): entry["error"] for entry in summary["failed"]}


class PeakMemory:
    """Watches the resident memory of a process until it ends; `bytes` is the largest seen."""

    bytes = 0

    def watch(self, process: "subprocess.Popen[str]") -> None:
        """Sample every 10 ms; a bomb takes longer than that to unpack."""
        with suppress(psutil.Error):
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                self.bytes = max(self.bytes, watched.memory_info().rss)
                time.sleep(0.01)


def chunked(chunks: "chain[bytes] | repeat[bytes]") -> Stream:
    """A chunked body."""
    head = HTML + b"Transfer-Encoding: chunked\r\n\r\n"
    return lambda: chain([head], (b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks))


def encoded(name: bytes, body: bytes) -> bytes:
    """A body with its Content-Encoding."""
    return response(body, b"Content-Encoding: " + name)


def test_endless_bodies_and_bombs_are_refused_at_max_bytes_in_little_memory(
    crawl: Crawl, connection: Connection
) -> None:
    zeros = bytes(BOMB_BYTES)
    zipped = gzip.compress(zeros, 1)
    answers = on_own_hosts(
        {
            "chunked": chunked(repeat(ZEROS)),
            "until-closed": lambda: chain([b"HTTP/1.0 200 OK\r\n\r\n"], repeat(ZEROS)),
            "line": lambda: chain([HTML + b"Content-Length: 100000000\r\n\r\n"], repeat(ZEROS, 1_526)),
            "length": HTML + b"Content-Length: 99999999999999999999\r\n\r\nx",
            "gzip": encoded(b"gzip", zipped),
            "gzip-gzip": encoded(b"gzip, gzip", gzip.compress(zipped)),
            "deflate": encoded(b"deflate", zlib.compress(zeros, 1)),
            "zstd": encoded(b"zstd", zstandard.compress(zeros)),
            "good": encoded(b"gzip", gzip.compress(bytes(MAX_BYTES))),
        }
    )
    del zeros
    urls, memory = host_urls(answers), PeakMemory()
    with raw_server(answers) as server:
        done = crawl(
            *(ask(url, max_bytes=MAX_BYTES) for url in urls.values()),
            server=server,
            retries=0,
            timeout_seconds=30.0,
            meanwhile=memory.watch,
        )
    assert done.code == 0, done.stderr
    errors = errors_by_name(done.summary)
    assert set(errors) == set(urls) - {"good"}
    assert {name: error for name, error in errors.items() if "8000000" not in error} == {}
    assert bodies(connection) == {urls["good"]: [bytes(MAX_BYTES)]}
    assert 0 < memory.bytes < MOST_MEMORY


def slowly(head: bytes, part: bytes) -> Stream:
    """Something more every tenth of a second, for longer than any time-out."""

    def stream() -> Any:
        yield head
        for _ in range(200):
            time.sleep(0.1)
            yield part

    return stream


def test_a_slow_answer_is_ended_by_the_time_out_of_the_whole(crawl: Crawl, connection: Connection) -> None:
    answers = on_own_hosts(
        {
            "drip": slowly(HTML + b"Content-Length: 10000\r\n\r\n", b"x"),
            "headers": slowly(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n"),
            "status": slowly(b"HTTP/1.", b"1"),
            "informational": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            "processing": slowly(b"", b"HTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n"),
        }
    )
    urls = host_urls(answers)
    with raw_server(answers) as server:
        done = crawl(
            *map(ask, urls.values()),
            server=server,
            retries=0,
            timeout_seconds=1.0,
            rate={"requests_per_second": 50.0, "concurrency": 8},
        )
    assert errors_by_name(done.summary) == dict.fromkeys(urls, "no whole answer within 1 s")
    assert done.summary["seconds"] < 10
    assert bodies(connection) == {}


BODY = b'{"a": 1}'
CUT = "the connection ended before the whole body had come"
# Of each answer the body that is stored, or a part of the reason.
FRAMINGS: dict[str, tuple[bytes, bytes | str]] = {
    "short": (HTML + b"Content-Length: 100\r\n\r\n" + BODY, CUT),
    "long": (HTML + b"Content-Length: 8\r\nConnection: close\r\n\r\n" + BODY + b"more", BODY),
    "two-lengths": (HTML + b"Content-Length: 8\r\nContent-Length: 4\r\n\r\n" + BODY, ""),
    "negative": (HTML + b"Content-Length: -8\r\n\r\n" + BODY, ""),
    "word": (HTML + b"Content-Length: eight\r\n\r\n" + BODY, ""),
    "bad-chunk": (HTML + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY + b"\r\n0\r\n\r\n", ""),
    "negative-chunk": (HTML + b"Transfer-Encoding: chunked\r\n\r\n-8\r\n" + BODY + b"\r\n0\r\n\r\n", ""),
    "cut-chunk": (HTML + b"Transfer-Encoding: chunked\r\n\r\n8\r\n" + BODY + b"\r\n8\r\nhalf", CUT),
    "no-last-chunk": (HTML + b"Transfer-Encoding: chunked\r\n\r\n8\r\n" + BODY + b"\r\n", CUT),
    "both": (
        HTML + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n",
        BODY,
    ),
    "http-0.9": (BODY, ""),
    "garbage": (bytes(range(256)) * 40, ""),
    "nothing": (b"", ""),
    "status-999": (response(BODY, status=b"999 Odd"), "HTTP 999"),
    "status-minus": (response(BODY, status=b"-1 Odd"), ""),
    "status-word": (response(BODY, status=b"two OK"), ""),
    "partial": (response(BODY, b"Content-Range: bytes 0-7/100", status=b"206 Partial Content"), "HTTP 206"),
    "cut-gzip": (encoded(b"gzip", gzip.compress(bytes(range(256)) * 40)[:60]), ""),
    "no-gzip": (encoded(b"gzip", BODY), ""),
}


def test_an_answer_of_broken_framing_is_failed_or_stored_whole(crawl: Crawl, connection: Connection) -> None:
    answers = on_own_hosts({name: answer for name, (answer, _) in FRAMINGS.items()})
    urls = host_urls(answers)
    with raw_server(answers) as server:
        done = crawl(*map(ask, urls.values()), server=server, retries=0, timeout_seconds=3.0)
    assert done.code == 0, done.stderr
    errors = errors_by_name(done.summary)
    stored = {name: bodies(connection)[url] for name, url in urls.items() if url in bodies(connection)}
    assert stored == {name: [body] for name, (_, body) in FRAMINGS.items() if isinstance(body, bytes)}
    assert set(errors) == set(urls) - set(stored)
    assert {name: error for name, error in errors.items() if str(FRAMINGS[name][1]) not in error or not error} == {}


def test_a_not_modified_that_was_not_asked_for_stores_no_body(crawl: Crawl, connection: Connection) -> None:
    with raw_server({"/h.example/": b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n" + BODY}) as server:
        done = crawl(ask("https://h.example/"), server=server, retries=0)
    assert (done.code, done.summary["stored"], bodies(connection)) == (0, 0, {})


ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/",
    "https://evil.example/",
    "//evil.example/",
    "http://[::1]/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,x",
    "ftp://evil.example/",
    "http://me@OTHER/",
    "http://OTHER/",
)


@pytest.mark.parametrize("world", ["sandbox", "live"])
def test_no_redirect_leads_elsewhere_or_goes_on_for_ever_and_no_cookie_is_sent(
    crawl: Crawl, connection: Connection, world: str
) -> None:
    asked: list[str] = []
    asked_elsewhere: list[str] = []
    with raw_server({}, asked_elsewhere) as other:
        targets = {f"/{n}": where.replace("OTHER", other[7:]) for n, where in enumerate(ELSEWHERE)}
        targets |= {"/loop": "/loop"} | {f"/chain{n}": f"/chain{n + 1}" for n in range(10_000)}
        moved = {
            path: response(b"", b"Location: " + to.encode(), b"Set-Cookie: id=1; Path=/", status=b"302 Found")
            for path, to in targets.items()
        }
        # The sandbox's crawl asks under the name of its host, the live one as it stands.
        with raw_server(moved | {f"/h.example{path}": answer for path, answer in moved.items()}, asked) as server:
            base = "https://h.example" if world == "sandbox" else server
            first = [f"/{n}" for n in range(len(ELSEWHERE))] + ["/loop", "/chain0"]
            done = crawl(*(ask(base + path) for path in first), server=server, world=world, retries=0)
    assert done.code == 0, done.stderr
    assert len(done.summary["failed"]) == len(first), done.summary
    paths = [head.split(" ")[1].removeprefix("/h.example") for head in asked]
    assert sorted(paths) == sorted([*first, *["/loop"] * 5, *(f"/chain{n}" for n in range(1, 6))])
    assert asked_elsewhere == []
    assert not [head for head in asked if "cookie" in head.lower()]
    assert bodies(connection) == {}


def test_absurd_waits_leave_a_host_alone_or_are_ignored(crawl: Crawl, connection: Connection) -> None:
    waits = {
        "year": b"Fri, 31 Dec 9999 23:59:59 GMT",
        "digits": b"9" * 4_000,
        "negative": b"-5",
        "fraction": b"1e9",
        "past": b"Thu, 01 Jan 1970 00:00:00 GMT",
        "no-year": b"Mon, 01 Jan 99999 00:00:00 GMT",
    }
    answers = on_own_hosts(
        {name: response(b"", b"Retry-After: " + wait, status=b"503 Busy") for name, wait in waits.items()}
    )
    asked: list[str] = []
    with raw_server(answers, asked) as server:
        done = crawl(*map(ask, host_urls(answers).values()), server=server, retries=1)
    assert done.code == 0, done.stderr
    assert set(errors_by_name(done.summary)) == set(waits)
    tries = {name: sum(f"/{name}.example/" in head for head in asked) for name in waits}
    assert tries == {"year": 1, "digits": 1, "negative": 2, "fraction": 2, "past": 2, "no-year": 2}
    assert done.summary["seconds"] < 10
