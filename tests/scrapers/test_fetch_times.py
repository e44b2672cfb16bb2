"""When a request was sent and when its answer had come: the two instants by which an answer is judged."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.misbehaving import raw_server, response

Connection = psycopg.Connection[Any]
SLOW_SECONDS = 0.4
TIMES = "SELECT outcome, fetched_at, answered_at FROM rawsources.fetches"


def test_a_fetch_is_dated_by_its_last_request_and_by_the_end_of_its_answer(
    crawl: Crawl, connection: Connection
) -> None:
    """A slow answer after a failed one: the server says when each request had come and when the last byte was sent."""
    came: list[datetime] = []
    done: list[datetime] = []

    def answer() -> Iterable[bytes]:
        came.append(datetime.now(UTC))
        if len(came) == 1:
            yield response(b"", status=b"503 Busy")
            return
        whole = response(b'{"a": 1}')
        yield whole[:-4]
        time.sleep(SLOW_SECONDS)
        yield whole[-4:]
        done.append(datetime.now(UTC))

    with raw_server({"/h.example/": answer}) as server:
        assert crawl(ask("https://h.example/"), server=server, now="").code == 0
    [(outcome, fetched_at, answered_at)] = connection.execute(TIMES).fetchall()
    assert outcome == "stored"
    assert came[0] < fetched_at <= came[1]
    assert (answered_at - came[1]).total_seconds() >= SLOW_SECONDS


def test_a_request_that_nobody_answers_has_no_time_of_an_answer(crawl: Crawl, connection: Connection) -> None:
    before = datetime.now(UTC)
    with raw_server({"/h.example/": None}) as server:
        crawl(ask("https://h.example/"), server=server, now="", retries=0, timeout_seconds=SLOW_SECONDS)
    after = datetime.now(UTC)
    [(outcome, fetched_at, answered_at)] = connection.execute(TIMES).fetchall()
    assert (outcome, answered_at) == ("failed", None)
    assert before < fetched_at < after
