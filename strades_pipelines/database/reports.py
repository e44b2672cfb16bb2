"""The reports of past runs, kept for `strades report`."""

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from strades_pipelines.database.connection import connect


def save_report(document: dict[str, Any], finished_at: datetime) -> None:
    """Keep one report."""
    with connect() as connection:
        connection.execute(
            "INSERT INTO ops.reports (finished_at, document) VALUES (%s, %s)", [finished_at, Jsonb(document)]
        )


def last_report() -> dict[str, Any] | None:
    """The newest report; None before the first run."""
    with connect() as connection:
        row = connection.execute("SELECT document FROM ops.reports ORDER BY report_id DESC LIMIT 1").fetchone()
    return row[0] if row else None
