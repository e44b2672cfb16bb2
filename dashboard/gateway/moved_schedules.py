"""Other times for a schedule, as people gave them. Times are UTC."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection as own
from django.db import transaction

from dashboard.gateway.reading import read

OVERRIDE = """
    INSERT INTO ops.schedule_overrides (schedule, cron, is_own, requested_by, reason, request_key)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (request_key) DO NOTHING
"""
SAME_OVERRIDE = """
    SELECT schedule, cron, is_own, requested_by FROM ops.schedule_overrides WHERE request_key = %s
"""
HISTORY = """
    SELECT o.schedule, o.cron, o.is_own, o.requested_by, o.requested_at, o.reason
    FROM ops.schedule_overrides AS o WHERE o.schedule = %(schedule)s ORDER BY o.override_id DESC LIMIT 20
"""


@dataclass(frozen=True)
class OverrideRow:
    """An override, as a page lists it."""

    schedule: str
    cron: str
    is_own: bool
    requested_by: str
    requested_at: datetime
    reason: str


def read_override_history(schedule: str) -> list[OverrideRow]:
    """The newest overrides of a schedule, newest first. One query."""
    return read(OverrideRow, HISTORY, schedule=schedule)


def write_override(schedule: str, cron: str, *, is_own: bool, by: str, reason: str, key: str) -> bool:
    """Give a schedule other times, committed when this returns; False where the key is that of another change."""
    with transaction.atomic(), own.cursor() as cursor:
        cursor.execute(OVERRIDE, [schedule, cron, is_own, by, reason, key])
        cursor.execute(SAME_OVERRIDE, [key])
        return bool(cursor.fetchone() == (schedule, cron, is_own, by))
