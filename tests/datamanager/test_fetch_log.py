"""The fetch log: what counts as an answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.fetch_log import read_fetch_log

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Connection = psycopg.Connection[Any]
Put = Callable[..., None]


@pytest.fixture
def put(connection: Connection) -> Put:
    """`put(fetch_id, key, ...)`: a fetch, its body and its parse."""

    def written(
        fetch_id: int,
        key: str,
        *,
        body: int = 1,
        outcome: str = "stored",
        parse: str | None = None,
        run: str = "a",
        source: str = "s",
    ) -> None:
        sha256 = bytes([body]) * 32
        connection.execute("INSERT INTO rawsources.bodies VALUES (%s, 1, '') ON CONFLICT DO NOTHING", [sha256])
        failed = outcome == "failed"
        connection.execute(
            "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, etag,"
            " fetched_at, outcome, error, sha256, run_id)"
            " VALUES (%s, %s, 'p', %s, %s, '{}', '2026-11-01', %s, %s, %s, %s, %s, %s)",
            [
                fetch_id,
                source,
                key,
                f"https://x/{key}",
                f"e{fetch_id}",
                NOW + timedelta(seconds=fetch_id),
                outcome,
                "late" if failed else None,
                None if failed else sha256,
                run,
            ],
        )
        if parse:
            error = "html" if parse == "refused" else None
            connection.execute("INSERT INTO records.parses VALUES (%s, '1', %s, %s, 0, 0)", [fetch_id, parse, error])

    return written


def seen(connection: Connection) -> dict[str, list[str | None]]:
    """The etags of the answers of source s, by key."""
    return {key: [answer.etag for answer in answers] for key, answers in read_fetch_log(connection, "s").items()}


def test_answers_are_in_order_with_their_url(connection: Connection, put: Put) -> None:
    put(2, "k", body=2)
    put(1, "k", outcome="not_modified")
    put(3, "other", source="t")
    assert seen(connection) == {"k": ["e1", "e2"]}
    answer = read_fetch_log(connection, "s")["k"][0]
    assert (answer.url, answer.fetched_at) == ("https://x/k", NOW + timedelta(seconds=1))


def test_failure_is_no_answer(connection: Connection, put: Put) -> None:
    put(1, "k", outcome="failed")
    assert seen(connection) == {}


def test_parsed_and_not_yet_parsed_bodies_are_answers(connection: Connection, put: Put) -> None:
    put(1, "k", parse="parsed")
    put(2, "l", body=2)
    assert seen(connection) == {"k": ["e1"], "l": ["e2"]}


def test_refused_body_is_no_answer_whenever_it_comes(connection: Connection, put: Put) -> None:
    put(1, "k", parse="refused")
    put(2, "k", outcome="not_modified", run="b")
    put(3, "l", run="b")
    assert seen(connection) == {}


def test_one_refused_page_leaves_the_whole_question_of_its_run_open(connection: Connection, put: Put) -> None:
    put(1, "k", body=1, parse="parsed", run="a")
    put(2, "k", body=2, parse="refused", run="a")
    put(3, "k", body=3, parse="parsed", run="b")
    put(4, "l", body=4, parse="parsed", run="a")
    assert seen(connection) == {"k": ["e3"], "l": ["e4"]}
