"""What a source has answered already, read from the fetch log: the memory of the planner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg


@dataclass(frozen=True)
class Answer:
    """The newest stored answer to a question, or a page of it: its pages are stored together or not at all."""

    url: str
    fetched_at: datetime
    etag: str | None
    last_modified: str | None


FetchLog = Mapping[str, Answer]

# For each question from its newest attempt backwards: the log of years is not read. A scalar, not NOT EXISTS, which the
# planner may turn into a join with all of a source's fetches.
NEWEST = """
    WITH refused AS (
        SELECT DISTINCT f.protocol, f.sha256
        FROM records.parses AS p INNER JOIN rawsources.fetches AS f USING (fetch_id)
        WHERE p.outcome = 'refused' AND f.source = %(source)s
    ),
    refused_runs AS MATERIALIZED (
        SELECT DISTINCT f.request_key, f.run_id FROM refused
        CROSS JOIN LATERAL (
            SELECT request_key, run_id FROM rawsources.fetches AS same
            WHERE same.sha256 = refused.sha256 AND same.source = %(source)s AND same.protocol = refused.protocol
            OFFSET 0
        ) AS f
    )
    SELECT asked.request_key, newest.* FROM unnest(%(keys)s::text[]) AS asked (request_key)
    CROSS JOIN LATERAL (
        SELECT f.url, f.fetched_at, f.etag, f.last_modified FROM rawsources.fetches AS f
        WHERE f.source = %(source)s AND f.request_key = asked.request_key AND f.outcome <> 'failed' AND (
            SELECT true FROM refused_runs AS r WHERE r.request_key = f.request_key AND r.run_id = f.run_id LIMIT 1
        ) IS NULL
        ORDER BY f.fetched_at DESC, f.fetch_id DESC LIMIT 1
    ) AS newest
"""


def read_fetch_log(connection: psycopg.Connection[Any], source: str, keys: Iterable[str]) -> FetchLog:
    """The newest good answer of a source to each question of `keys` that has one.

    Failures are left out, and answers of which any page was refused by the parser (also when the same bytes came with
    another request): their questions are open, and their etags must not be sent again.
    """
    rows = connection.execute(NEWEST, {"source": source, "keys": list(keys)})
    return {request_key: Answer(*answer) for request_key, *answer in rows}
