"""What one host can do to a crawl: odd and endless headers, no answer at all, more time than it has."""

from time import monotonic
from typing import Any

import psycopg

from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.misbehaving import raw_server, response

Connection = psycopg.Connection[Any]


def rows(connection: Connection, columns: str) -> list[tuple[Any, ...]]:
    """Of the fetch log, by URL."""
    return connection.execute(f"SELECT {columns} FROM rawsources.fetches ORDER BY url, fetched_at").fetchall()


def test_no_answer_is_lost_by_its_headers(crawl: Crawl, connection: Connection) -> None:
    answers = {
        "/h.example/a-latin": response(b"a", 'Content-Disposition: filename="résumé"'.encode("latin-1")),
        "/h.example/b-nul": response(b"b", b'ETag: "x\x00y"', b"X-Control: a\x01b\x7fc"),
        "/h.example/c-many": response(b"c", *(b"X-%d: 1" % i for i in range(20_000)), b'ETag: "last"'),
        "/h.example/d-long": response(b"d", b"X-Long: " + b"y" * 3_000_000, b'ETag: "behind"'),
        "/h.example/e-name": response(b"e", b"X-\xe9\x00t: 1", b"X-Good: 1", b"no colon", b"Last-Modified: \xe9"),
        "/h.example/f-folded": response(b"f", b"X-Folded: a", *[b" folded"] * 50_000),
        "/h.example/g-empty": response(b"", status=b"204 No Content"),
    }
    with raw_server(answers) as server:
        done = crawl(*(ask(f"https:/{path}") for path in answers), server=server)
    assert done.code == 0, done.stderr
    found = dict(
        zip((path[-6:] for path in answers), rows(connection, "outcome, etag, last_modified, headers"), strict=True)
    )
    assert [row[0] for row in found.values()] == ["stored"] * 6 + ["failed"]
    latin, nul, many, long, name, folded, _ = (row[3] for row in found.values())
    assert latin["content-disposition"] == 'filename="résumé"'
    assert (nul["etag"], nul["x-control"]) == ('"xy"', "abc")
    assert len(many) <= 64 + 8
    assert many["strades-headers-left-out"] == str(20_000 - 64)
    assert len(long["x-long"]) <= 4_096
    assert (name["x-good"], name["strades-headers-left-out"]) == ("1", "1")
    assert len(folded["x-folded"]) <= 4_096
    marks = [row[1:3] for row in found.values()]
    assert marks == [(None, None), (None, None), ('"last"', None), ('"behind"', None), *[(None, None)] * 3]


def test_a_host_that_does_not_answer_is_given_up_and_its_neighbour_is_not(crawl: Crawl, connection: Connection) -> None:
    answers = {f"/dead.example/{n}": None for n in range(20)} | {"/good.example/x": response(b"good")}
    asked: list[str] = []
    started = monotonic()
    with raw_server(answers, asked) as server:
        done = crawl(
            *(ask(f"https:/{path}") for path in answers),
            server=server,
            timeout_seconds=1.0,
            retries=3,
            rate={"requests_per_second": 50.0, "concurrency": 2},
        )
    assert monotonic() - started < 30
    assert (done.summary["stored"], len(done.summary["failed"])) == (1, 20)
    assert sum("/dead.example/" in head for head in asked) <= 4  # three in a row, and one that was on its way
    reasons = [entry["error"] for entry in done.summary["failed"]]
    assert sum("not asked: the host did not answer 3 times in a row" in reason for reason in reasons) >= 16


def test_a_crawl_ends_with_its_budget_and_says_what_was_not_asked(crawl: Crawl, connection: Connection) -> None:
    answers = {f"/h.example/{n}": response(b"x") for n in range(40)}
    with raw_server(answers) as server:
        done = crawl(
            *(ask(f"https:/{path}") for path in answers),
            server=server,
            budget_seconds=3.0,
            rate={"requests_per_second": 2.0, "concurrency": 1},
        )
    assert done.code == 0
    assert 1 <= done.summary["stored"] < 20
    assert done.summary["stored"] + len(done.summary["failed"]) == 40
    assert done.summary["failed"][-1]["error"] == "not asked: the 3 s of this source are spent; the next run asks it"
    assert done.summary["seconds"] < 15


def test_a_host_that_asks_for_more_patience_than_the_budget_is_left_alone(crawl: Crawl, connection: Connection) -> None:
    busy = response(b"busy", b"Retry-After: 100", status=b"503 Busy")
    with raw_server({"/h.example/1": busy, "/h.example/2": busy}) as server:
        done = crawl(
            ask("https://h.example/1"),
            ask("https://h.example/2"),
            server=server,
            budget_seconds=10.0,
            rate={"requests_per_second": 50.0, "concurrency": 1},
        )
    assert done.summary["seconds"] < 8
    errors = sorted(entry["error"] for entry in done.summary["failed"])
    assert errors[0].startswith("HTTP 503: busy")
    assert errors[1].startswith("not asked: the 10 s")


def test_an_answer_that_cannot_be_stored_fails_alone(crawl: Crawl, connection: Connection) -> None:
    with raw_server({"/h.example/1": response(b"1"), "/h.example/2": response(b"2")}) as server:
        done = crawl(
            ask("https://h.example/1", given={"symbol": "a\0b"}),
            ask("https://h.example/2"),
            ask("https://h.example/3", protocol="a\0b"),
            server=server,
        )
    assert (done.code, done.summary["stored"]) == (0, 1), done.stderr
    assert rows(connection, "url, outcome") == [("https://h.example/2", "stored")]
    errors = {entry["url"]: entry["error"] for entry in done.summary["failed"]}
    assert set(errors) == {"https://h.example/1", "https://h.example/3"}
    assert all("cannot store this answer" in error for error in errors.values())
