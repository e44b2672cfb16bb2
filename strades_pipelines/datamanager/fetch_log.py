"""What a source has answered already, read from the fetch log: the memory of the planner."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg


@dataclass(frozen=True)
class Answer:
    """One stored answer to a question (one page of it, where it has pages).

    `rows` is how many rows its body had; None when it was not parsed yet.
    """

    fetched_at: datetime
    rows: int | None
    etag: str | None
    last_modified: str | None


FetchLog = Mapping[str, tuple[Answer, ...]]

ANSWERS = """
    SELECT f.request_key, f.fetched_at, p.rows, f.etag, f.last_modified
    FROM rawsources.fetches AS f
    LEFT JOIN (
        SELECT b.source, b.protocol, b.sha256,
            bool_or(q.outcome = 'refused') AS refused, max(q.records + q.rejects) AS rows
        FROM rawsources.fetches AS b INNER JOIN records.parses AS q USING (fetch_id)
        WHERE b.source = %(source)s GROUP BY b.source, b.protocol, b.sha256
    ) AS p USING (source, protocol, sha256)
    WHERE f.source = %(source)s AND f.outcome IN ('stored', 'not_modified') AND NOT coalesce(p.refused, false)
    ORDER BY f.request_key, f.fetched_at, f.fetch_id
"""


def read_fetch_log(connection: psycopg.Connection[Any], source: str) -> FetchLog:
    """The good answers of a source by request key, oldest first.

    Failures and bodies that the parser refused (under any request that brought the same bytes) are left out: their
    questions are open, and their etags must not be sent again.
    """
    log: dict[str, list[Answer]] = defaultdict(list)
    for request_key, *answer in connection.execute(ANSWERS, {"source": source}):
        log[request_key].append(Answer(*answer))
    return {key: tuple(answers) for key, answers in log.items()}
