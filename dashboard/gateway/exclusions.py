"""Records that are left out: which, since when, by whom and why."""

import json
from dataclasses import dataclass
from datetime import datetime

from dashboard.gateway.reading import is_text, read, read_one

SPANS = """
    SELECT s.relation, to_jsonb(s.key)::text AS key, s.excluded_from, s.marked_by, s.reason, s.exclusion_id
    FROM records.exclusion_spans AS s WHERE s.excluded_until IS NULL
"""


@dataclass(frozen=True)
class Exclusion:
    """A record that is left out; `key` is its primary key as JSON, as pages of rows have it."""

    relation: str
    key: str
    excluded_from: datetime
    marked_by: str
    reason: str
    exclusion_id: int


def read_exclusions(*, before: int | None, most: int) -> list[Exclusion]:
    """What is left out now, newest first; with `before` only marks older than that one. One query."""
    older = "AND (%(before)s::bigint IS NULL OR s.exclusion_id < %(before)s)"
    query = f"{SPANS} {older} ORDER BY s.exclusion_id DESC LIMIT %(most)s"
    return read(Exclusion, query, before=before, most=most)


def read_exclusion(relation: str, key: str) -> Exclusion | None:
    """The mark of a record that is left out now, or None. At most one query.

    Args:
        key: JSON.
    """
    try:
        parts = json.loads(key)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or not all(isinstance(part, str) and is_text(part) for part in parts):
        return None
    query = SPANS + "AND s.relation = %(relation)s AND s.key = %(parts)s::text[]"
    return read_one(Exclusion, query, relation=relation, parts=parts)
