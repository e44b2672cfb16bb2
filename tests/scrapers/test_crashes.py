"""Killed at each point between commits, a crawl leaves whole answers or none, and the next one completes the work."""

import json
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from scrapers.crawl_stats import CrawlStats, LogLines
from scrapers.plan import read_plan
from scrapers.store import Store
from strades_pipelines.database.connection import connect
from tests.sandbox.serving import Served
from tests.scrapers.conftest import Crawl, ask, plan_of

URLS = [
    f"https://api.gateio.ws/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1d&limit={n}" for n in (1, 2, 3, 4)
]
STATE = """
    SELECT (SELECT count(*) FROM rawsources.bodies), count(*), count(DISTINCT request_key), count(b.sha256)
    FROM rawsources.fetches LEFT JOIN rawsources.bodies b USING (sha256)
"""


def test_a_crash_leaves_whole_answers_and_the_next_crawl_completes_them(
    crawl: Crawl, connection: psycopg.Connection[Any]
) -> None:
    requests, one_by_one = [ask(url) for url in URLS], {"requests_per_second": 100.0, "concurrency": 1}
    for point, left in [("fetch.body_stored", 0), ("fetch.page_committed", 1), ("fetch.half_done", 2)]:
        assert crawl(*requests, crash_at=point, rate=one_by_one).code == -signal.SIGKILL
        assert connection.execute(STATE).fetchone() == (left, left, left, left), point
        connection.commit()
    assert crawl(*requests, rate=one_by_one).code == 0
    assert connection.execute(STATE).fetchone() == (4, 4, 4, 4)


def test_a_crawl_that_was_stopped_says_so_and_keeps_what_came(
    crawl: Crawl, sandbox: Served, connection: psycopg.Connection[Any]
) -> None:
    sandbox.misbehave("api.gateio.ws", "slow", times=1, seconds=0)
    sandbox.misbehave("api.gateio.ws", "slow", times=1, seconds=30)

    def stop_at_the_second(process: subprocess.Popen[str]) -> None:
        while sandbox.app.rules.rules[1].times:
            time.sleep(0.02)
        process.terminate()

    one_by_one = {"requests_per_second": 100.0, "concurrency": 1}
    done = crawl(
        *[ask(url) for url in URLS], rate=one_by_one, retries=0, timeout_seconds=1.0, meanwhile=stop_at_the_second
    )
    assert (done.code, done.summary) == (1, {})
    assert "stopped after 2 of 4 requests" in done.stderr.strip().splitlines()[-1]
    outcomes = connection.execute("SELECT outcome FROM rawsources.fetches ORDER BY outcome").fetchall()
    assert outcomes == [("failed",), ("stored",)]


def test_a_database_that_cannot_take_the_answers_ends_the_crawl(crawl: Crawl, database_url: str) -> None:
    without_tables = database_url.rsplit("/", 1)[0] + "/postgres"
    done = crawl(*[ask(url) for url in URLS], database=without_tables)
    assert (done.code, done.summary) == (1, {})
    assert "cannot store what was fetched" in done.stderr.strip().splitlines()[-1]


def test_a_database_out_of_reach_is_one_line(crawl: Crawl) -> None:
    done = crawl(ask(URLS[0]), database="postgresql://someone:CANARY@127.0.0.1:1/nothing")
    assert done.code == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot reach the database" in done.stderr
    assert "CANARY" not in done.stderr


def test_what_a_crawl_stored_is_on_the_disk_when_it_says_so(database_url: str) -> None:
    flushed, written = "SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", "SELECT pg_current_wal_insert_lsn()::text"
    with connect(database_url) as made:
        made.execute("SET synchronous_commit = off")  # as a crawl has it for its pages
        made.execute("CREATE TABLE public.pages AS SELECT generate_series(1, 1000)")
        made.commit()
        [page] = made.execute(written).fetchone() or [None]
        made.commit()
        Store(made, read_plan(json.dumps(plan_of())), CrawlStats()).finish(datetime.now(UTC), LogLines())
        assert made.execute(flushed, [page]).fetchone() == (True,)
