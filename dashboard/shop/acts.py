"""What a person does in the shop: the row that it makes or changes, and one row of `ops.events`, in one transaction."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from django.db import connection, models, transaction
from psycopg.types.json import Jsonb

from dashboard.accounts.models import User
from strades_pipelines.settings import settings

INSERT = """
    INSERT INTO ops.events (id_event, user_id, platform_id, event_type_id, value, timestamp)
    VALUES (%s, %s, 'strades', %s, %s, %s)
"""


def record_act(
    row: models.Model, kind: str, *, by: User, readers: Iterable[int] = (), value: Mapping[str, Any] | None = None
) -> None:
    """Save a row and its event in one transaction: both are there, or neither.

    Args:
        row: is saved; what the act made or changed.
        kind: one of `ops.event_types`.
        readers: numbers of the accounts that it concerns, beside that of `by`.
        value: ids and codes that say more; no text of a person.
    """
    with transaction.atomic():
        row.save()
        told = {"row": f"{row._meta.db_table}/{row.pk}", **(value or {}), "readers": sorted({by.pk, *readers})}
        parameters = [f"{kind}:{uuid4()}", f"person:{by.pk}", kind, Jsonb(told), settings().now()]
        with connection.cursor() as cursor:
            cursor.execute(INSERT, parameters)
