"""Requests to verify or install a bundle: insert, read outcomes. `strades up` carries them out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connection as own

from dashboard.gateway.reading import read, read_one

MOST_AN_HOUR = 10  # of a person: each takes a processor for up to five minutes
# The limit is part of the statement, so that two tabs do not pass it by much.
ASK = """
    INSERT INTO ops.bundle_requests (request_key, kind, bundle_sha256, body, requested_by, requested_at)
    SELECT %(key)s, %(kind)s, %(sha256)s, %(body)s, %(by)s, %(at)s
    WHERE (
        SELECT count(*) FROM ops.bundle_requests AS r
        WHERE r.requested_by = %(by)s AND r.requested_at > %(at)s - interval '1 hour'
    ) < %(most)s
    ON CONFLICT (request_key) DO NOTHING
"""
REQUESTS = """
    SELECT r.request_key, r.kind, r.bundle_sha256, r.requested_by, r.requested_at, r.outcome, r.detail, r.finished_at
    FROM ops.bundle_requests AS r
"""
VERIFIED = """
    SELECT DISTINCT ON (r.bundle_sha256) r.bundle_sha256, r.outcome FROM ops.bundle_requests AS r
    WHERE r.kind = 'verify' AND r.outcome IN ('verified', 'differs') AND r.bundle_sha256 = ANY(%(hashes)s)
    ORDER BY r.bundle_sha256, r.finished_at DESC, r.request_id DESC
"""


@dataclass(frozen=True)
class BundleRequest:
    """What somebody wants done with a bundle, and what became of it; times are UTC."""

    request_key: UUID
    kind: str
    bundle_sha256: str
    requested_by: str
    requested_at: datetime
    outcome: str | None
    detail: str | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Verified:
    """The newest verdict on a bundle."""

    bundle_sha256: str
    outcome: str


def ask(
    kind: str, *, key: UUID, sha256: str, body: bytes, by: str, at: datetime
) -> Literal["new", "known", "too many"]:
    """Ask for a bundle to be verified or installed; the same form again is the same request.

    Args:
        kind: verify or install.
        sha256: of the bundle as it was published.
        by: person:NUMBER.

    Returns:
        Whether the request is new, or was there before; "too many" where the person asked for that within an hour.
    """
    row = {"key": key, "kind": kind, "sha256": sha256, "body": body, "by": by, "at": at, "most": MOST_AN_HOUR}
    with own.cursor() as cursor:
        cursor.execute(ASK, row)
        if cursor.rowcount == 1:
            return "new"
    found = read_one(BundleRequest, REQUESTS + "WHERE r.request_key = %(key)s", key=key)
    is_known = found is not None and (found.kind, found.bundle_sha256, found.requested_by) == (kind, sha256, by)
    return "known" if is_known else "too many"


def read_requests(sha256: str, *, by: str, most: int) -> list[BundleRequest]:
    """Verifications of a bundle by anybody, and what a person did with it, newest first."""
    query = (
        REQUESTS
        + """
        WHERE r.bundle_sha256 = %(sha256)s AND (r.kind = 'verify' OR r.requested_by = %(by)s)
        ORDER BY r.request_id DESC LIMIT %(most)s
    """
    )
    return read(BundleRequest, query, sha256=sha256, by=by, most=most)


def read_own_requests(by: str) -> list[BundleRequest]:
    """All that a person asked for, oldest first."""
    return read(BundleRequest, REQUESTS + "WHERE r.requested_by = %(by)s ORDER BY r.request_id", by=by)


def read_verdicts(hashes: Iterable[str]) -> dict[str, str]:
    """The newest verdict, verified or differs, on each bundle that has one, by its hash. One query."""
    return {row.bundle_sha256: row.outcome for row in read(Verified, VERIFIED, hashes=list(hashes))}
