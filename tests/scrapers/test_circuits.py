"""A host's circuit opens for its own failures, and not for one question that it always fails at."""

from typing import Any

import psycopg

from strades_pipelines.datamanager.host_limits import read_hosts
from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.scripted import Line, scripted

OPEN = """
    INSERT INTO ops.host_limits VALUES ('h.example', 10, now(), now(), now() - interval '1 s', 'HTTP 500', 15, 0, 0)
"""


def test_a_question_that_always_fails_keeps_no_other_one_from_a_host(
    crawl: Crawl, connection: "psycopg.Connection[Any]"
) -> None:
    script = {"/h.example/broken": [Line(500, b"x")]} | {f"/h.example/{n}": [Line(200, b"[]")] for n in range(3)}
    connection.execute(OPEN)
    connection.commit()
    one_by_one = {"requests_per_second": 100.0, "concurrency": 1}
    stored = []
    with scripted(script) as server:
        for _ in range(2):
            done = crawl(*(ask(f"https:/{path}") for path in script), server=server, rate=one_by_one, retries=1)
            stored.append(done.summary["stored"])
            connection.execute("UPDATE ops.host_limits SET blocked_until = clock_timestamp()")
            connection.commit()
    assert stored == [0, 3]
    assert [row.failures for row in read_hosts(connection)] == [0]
