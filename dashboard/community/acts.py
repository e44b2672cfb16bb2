"""Acts: what a person did, as the row that it made or changed and one row of `ops.events`, in one transaction.

The mission's DB_EVENTS is `ops.events`: IdEvent is `id_event`, UserID `user_id`, PlatformID `platform_id`, EventTypeID
`event_type_id`, Value `value`, Timestamp `timestamp`. An act has `person:<UserID>` as its `user_id`, as the events of a
wallet have the wallet. Its `value` names the row and the people whom it concerns, `readers`, who alone read it (row
security, migration 0082); texts stay in the row. Feed, notifications and statistics are read from there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import connection, models, transaction
from psycopg.types.json import Jsonb

from dashboard.accounts.models import User
from dashboard.gateway.installation import FEED_DAYS
from strades_pipelines.settings import settings

PERSON, PLATFORM = "person:", "strades"
INSERT = """
    INSERT INTO ops.events (id_event, user_id, platform_id, event_type_id, value, timestamp)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
FEED = """
    SELECT e.event_type_id AS kind, e.user_id, e.value, e.timestamp AS at FROM ops.events AS e
    WHERE e.timestamp > %(since)s AND e.timestamp <= %(until)s AND starts_with(e.user_id, 'person:')
    ORDER BY e.timestamp DESC, e.id_event DESC LIMIT %(most)s
"""
COUNTS = """
    SELECT e.event_type_id, count(*) FROM ops.events AS e
    WHERE e.timestamp > %(since)s AND e.user_id = %(own)s GROUP BY e.event_type_id ORDER BY count(*) DESC, 1
"""


@dataclass(frozen=True)
class Act:
    """A row of the log as the feed shows it; `at` is UTC."""

    kind: str
    user_id: str
    value: Mapping[str, Any]
    at: datetime

    @property
    def person_id(self) -> int:
        """The number of the account that did it."""
        return int(self.user_id.removeprefix(PERSON))


def record_act(
    row: models.Model,
    kind: str,
    *,
    by: User,
    readers: Iterable[int] = (),
    value: Mapping[str, Any] | None = None,
) -> None:
    """Save a row and its event in one transaction: both are there, or neither.

    Args:
        row: is saved; what the act made or changed.
        kind: one of `ops.event_types`.
        readers: numbers of the accounts that it concerns, beside that of `by`.
        value: ids and codes that say more; no text of a person.

    Raises:
        IntegrityError: the row is refused, or there is no such kind; nothing is stored.
    """
    with transaction.atomic():
        row.save()
        record_event(f"{row._meta.db_table}/{row.pk}", kind, by=by, readers=readers, value=value)


def record_event(
    row: str, kind: str, *, by: User, readers: Iterable[int] = (), value: Mapping[str, Any] | None = None
) -> None:
    """Record an act in the transaction that has its row, which no model of Django saves.

    Args:
        row: TABLE/KEY.
        kind, readers, value: as of `record_act`.
    """
    document = {"row": row, **(value or {}), "readers": sorted({by.pk, *readers})}
    parameters = [f"{kind}:{uuid4()}", f"{PERSON}{by.pk}", PLATFORM, kind, Jsonb(document), settings().now()]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, parameters)


def read_feed(*, until: datetime, most: int) -> list[Act]:
    """The acts that concern the viewer, newest first, of FEED_DAYS up to `until`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(FEED, {"since": until - FEED_DAYS, "until": until, "most": most})
        rows = cursor.fetchall()  # Django has JSON come as text
    return [Act(kind, user_id, json.loads(value), at) for kind, user_id, value, at in rows]


def count_own(person: User) -> list[tuple[str, int]]:
    """How often the viewer did what in FEED_DAYS, most often first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"since": settings().now() - FEED_DAYS, "own": f"{PERSON}{person.pk}"})
        return list(cursor.fetchall())
