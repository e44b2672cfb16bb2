"""Requests to change data: insert, decide, read outcomes. `strades up` carries them out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db import connection as own
from django.db import transaction
from psycopg.types.json import Jsonb

from dashboard.gateway.reading import read, read_one

SHOWN_BYTES = 8_192
ASK = """
    INSERT INTO ops.data_requests (
        request_key, kind, requested_by, requested_at, reason, protocol, source, given, file_name, body
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (request_key) DO NOTHING
"""
ANSWER = """
    INSERT INTO ops.data_verdicts (request_id, is_accepted, decided_by, decided_at)
    SELECT r.request_id, %s, %s, %s FROM ops.data_requests AS r WHERE r.request_key = %s
    ON CONFLICT (request_id) DO NOTHING
"""
REQUESTS = """
    SELECT r.request_id, r.request_key, r.kind, r.requested_by, r.requested_at, r.reason, r.protocol, r.source,
        r.given::text AS given, r.file_name, octet_length(r.body) AS size, r.outcome, r.fetch_id, r.finished_at,
        v.is_accepted, v.decided_by, v.decided_at
    FROM ops.data_requests AS r LEFT JOIN ops.data_verdicts AS v USING (request_id)
"""
BODY = """
    SELECT substring(r.body FROM 1 FOR %(most)s) AS beginning, encode(sha256(r.body), 'hex') AS sha256
    FROM ops.data_requests AS r WHERE r.request_id = %(request_id)s
"""

BYTES = "SELECT r.request_id, r.body FROM ops.data_requests AS r WHERE r.request_key = %(key)s"
# The bytes that were taken in are those of the fetch.
HASH = """
    SELECT coalesce(f.sha256, sha256(r.body)) FROM ops.data_requests AS r
    LEFT JOIN rawsources.fetches AS f ON f.fetch_id = r.fetch_id WHERE r.request_id = %s
"""


@dataclass(frozen=True)
class DataRequest:
    """A requested file, record or correction, with the verdict and the outcome."""

    request_id: int
    request_key: UUID
    kind: str
    requested_by: str
    requested_at: datetime
    reason: str
    protocol: str
    source: str | None
    given: str
    file_name: str
    size: int
    outcome: str | None
    fetch_id: int | None
    finished_at: datetime | None
    is_accepted: bool | None
    decided_by: str | None
    decided_at: datetime | None

    @property
    def given_pairs(self) -> list[tuple[str, str]]:
        """What the bytes do not say, by name."""
        return sorted(json.loads(self.given).items())

    @property
    def state(self) -> str:
        """proposed, waits (accepted), declined, done or failed."""
        if self.is_accepted is None:
            return "proposed"
        if not self.is_accepted:
            return "declined"
        if self.outcome is None:
            return "waits"
        return "done" if self.outcome.startswith("done") else "failed"


@dataclass(frozen=True)
class Body:
    """How the bytes of a request begin, and the SHA-256 of all of them."""

    beginning: bytes
    sha256: str

    @property
    def text(self) -> str:
        """The beginning as text, whatever it is."""
        return bytes(self.beginning).decode("utf-8", errors="replace").replace("\0", "\N{SYMBOL FOR NULL}")


@dataclass(frozen=True)
class RequestBytes:
    """The bytes that wait to be taken in; empty ones once they are a fetch."""

    request_id: int
    body: bytes


def ask(
    kind: str,
    *,
    key: UUID,
    by: str,
    at: datetime,
    reason: str,
    protocol: str,
    source: str | None,
    given: Mapping[str, str],
    file_name: str,
    body: Callable[[datetime], bytes],
) -> DataRequest | None:
    """Ask for a change: one row, committed when this returns; the same form again is the same request.

    Args:
        body: the bytes, which say when they were asked for.

    Returns:
        The request; None where the key is that of one with other content.
    """
    row = [key, kind, by, at, reason, protocol, source, Jsonb(dict(given)), file_name, body(at)]
    with own.cursor() as cursor:
        cursor.execute(ASK, row)
        is_new = cursor.rowcount == 1
        request = read_request(key)
        assert request is not None, "it was inserted, or is there"
        if is_new:
            return request
        cursor.execute(HASH, [request.request_id])
        [stored] = cursor.fetchone()
    before = (request.kind, request.requested_by, request.reason, request.protocol, request.source, request.file_name)
    is_same = (
        before == (kind, by, reason, protocol, source, file_name)
        and json.loads(request.given) == dict(given)
        and bytes(stored) == sha256(body(request.requested_at)).digest()
    )
    return request if is_same else None


def answer(key: UUID, *, accept: bool, by: str, at: datetime) -> None:
    """Accept or decline a request; the first word counts, and another one changes nothing."""
    with transaction.atomic(), own.cursor() as cursor:
        cursor.execute(ANSWER, [accept, by, at, key])


def read_request(key: UUID) -> DataRequest | None:
    """The request of a form, or None."""
    return read_one(DataRequest, REQUESTS + "WHERE r.request_key = %(key)s", key=key)


def read_request_body(request_id: int) -> Body:
    """The bytes that wait to be taken in; empty ones once they are a fetch."""
    found = read_one(Body, BODY, request_id=request_id, most=SHOWN_BYTES)
    assert found is not None, "requests are never deleted"
    return found


def read_request_bytes(key: UUID) -> RequestBytes | None:
    """All bytes of a request, or None."""
    return read_one(RequestBytes, BYTES, key=key)


def read_requests(*, before: int | None, most: int) -> list[DataRequest]:
    """Requests, newest first.

    Args:
        before: only those with a smaller id, to go on from a page.
    """
    query = (
        REQUESTS
        + """
        WHERE r.request_id < coalesce(%(before)s, 9223372036854775807)
        ORDER BY r.request_id DESC LIMIT %(most)s
    """
    )
    return read(DataRequest, query, before=before, most=most)
