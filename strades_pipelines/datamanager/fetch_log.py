"""What a source has answered already, read from the fetch log: the memory of the planner."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg


@dataclass(frozen=True)
class Answer:
    """One stored answer to a question, or a page of one: the pages of a question are stored together or not at all."""

    url: str
    fetched_at: datetime
    etag: str | None
    last_modified: str | None


FetchLog = Mapping[str, tuple[Answer, ...]]

ANSWERS = """
    WITH answers AS (
        SELECT f.*, EXISTS (
            SELECT FROM rawsources.fetches AS b INNER JOIN records.parses AS p USING (fetch_id)
            WHERE b.sha256 = f.sha256 AND b.source = f.source AND b.protocol = f.protocol AND p.outcome = 'refused'
        ) AS refused
        FROM rawsources.fetches AS f
        WHERE f.source = %s AND f.outcome IN ('stored', 'not_modified')
    )
    SELECT request_key, url, fetched_at, etag, last_modified FROM answers
    WHERE (request_key, run_id) NOT IN (SELECT request_key, run_id FROM answers WHERE refused)
    ORDER BY request_key, fetched_at, fetch_id
"""


def read_fetch_log(connection: psycopg.Connection[Any], source: str) -> FetchLog:
    """The good answers of a source by request key, oldest first.

    Failures are left out, and answers of which any page was refused by the parser (also when the same bytes came with
    another request): their questions are open, and their etags must not be sent again.
    """
    log: dict[str, list[Answer]] = defaultdict(list)
    for request_key, *answer in connection.execute(ANSWERS, [source]):
        log[request_key].append(Answer(*answer))
    return {key: tuple(answers) for key, answers in log.items()}
