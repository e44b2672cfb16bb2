"""How large each part of an installation is, and when its disk will be full."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from strades_pipelines.database.connection import DAGSTER_DATABASE, database_url
from strades_pipelines.settings import settings

GB = 1e9
FULL_SHARE = 0.8  # of the disk: from here on an alert is sent
HORIZON = timedelta(days=30)
KEPT = timedelta(days=400)
TABLES = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT %s
"""
# Parts within another one, which a sum must not count twice.
WITHIN = {"bodies": "world"}


@dataclass(frozen=True)
class Disk:
    """The disk of the home, in bytes."""

    total: int
    free: int

    @property
    def used_share(self) -> float:
        """What is used, of 1. What the system keeps for itself counts as used."""
        return 1 - self.free / self.total


def read_disk(folder: Path | None = None) -> Disk:
    """The disk that holds a folder, or will; by default the home's."""
    folder = folder or settings().home
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Disk(usage.total, usage.free)


def read_sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Bytes by part: `world` and `dagster` are databases, `bodies` a table of the first, the rest files of the home.

    `wal` is missing where the server is another's.
    """
    of_database = "SELECT pg_database_size(oid) FROM pg_database WHERE datname = %s"
    sizes = {
        "world": _one(connection, of_database, connection.info.dbname),
        "dagster": _one(connection, of_database, DAGSTER_DATABASE),
        "bodies": _one(connection, "SELECT pg_total_relation_size(%s::regclass)", "rawsources.bodies"),
    }
    home = settings().home
    wal = home / "postgres" / "data" / "pg_wal"
    if wal.exists():
        sizes["wal"] = folder_size(wal)
    sizes["logs"] = folder_size(home / "logs")
    sizes["home"] = folder_size(home) - sizes["logs"] - folder_size(home / "postgres")
    return sizes


def read_dagster_tables(most: int = 3) -> list[tuple[str, int]]:
    """Dagster's largest tables with their bytes, indexes and TOAST included."""
    with psycopg.connect(database_url(DAGSTER_DATABASE)) as connection:
        return [(name, int(size)) for name, size in connection.execute(TABLES, [most])]


def write_sizes(connection: psycopg.Connection[Any], sizes: Mapping[str, int], *, now: datetime) -> None:
    """Record sizes, and forget those of more than a year ago. Commits nothing."""
    statement = "INSERT INTO ops.sizes (part, recorded_at, bytes) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(part, now, size) for part, size in sizes.items()])
        cursor.execute("DELETE FROM ops.sizes WHERE recorded_at < %s", [now - KEPT])


def read_history(connection: psycopg.Connection[Any], *, now: datetime) -> list[tuple[datetime, int]]:
    """The recorded sums of all parts in the 30 days before `now` (UTC), oldest first."""
    rows = connection.execute(
        """
        SELECT recorded_at, sum(bytes)::bigint FROM ops.sizes
        WHERE recorded_at >= %s AND part <> ALL(%s) GROUP BY 1 ORDER BY 1
        """,
        [now - HORIZON, list(WITHIN)],
    )
    return [(time, int(size)) for time, size in rows]


def daily_growth(history: Sequence[tuple[datetime, int]]) -> float | None:
    """Bytes a day, the slope of the least-squares line; None for less than two days of history."""
    if len(history) < 2 or history[-1][0] - history[0][0] < timedelta(days=2):
        return None
    days = [(time - history[0][0]) / timedelta(days=1) for time, _ in history]
    mean_day, mean_size = sum(days) / len(days), sum(size for _, size in history) / len(history)
    spread = sum((day - mean_day) ** 2 for day in days)
    return sum((day - mean_day) * (size - mean_size) for day, (_, size) in zip(days, history, strict=True)) / spread


def full_at(disk: Disk, growth: float | None, *, now: datetime) -> datetime | None:
    """When the disk will be full if it goes on like this; None when it does not grow, or not within ten years."""
    if growth is None or growth <= 0 or disk.free / growth > 3650:
        return None
    return now + timedelta(days=disk.free / growth)


def disk_findings(disk: Disk, growth: float | None, *, now: datetime) -> list[str]:
    """What a person should be told of the disk, a line each; empty while there is room.

    Args:
        growth: bytes a day, see `daily_growth`.
    """
    findings = []
    if disk.used_share >= FULL_SHARE:
        findings.append(
            f"the disk of {settings().home} is {disk.used_share:.0%} full, {disk.free / GB:.1f} GB are free;"
            " make room, or move STRADES_HOME to a larger disk"
        )
    full = full_at(disk, growth, now=now)
    if growth is not None and full is not None and full - now < timedelta(days=14):
        findings.append(
            f"the disk of {settings().home} will be full around {full:%Y-%m-%d}: {disk.free / GB:.1f} GB are free and"
            f" {growth / GB:.2f} GB come a day; make room, or keep less (STRADES_EVENTS_KEPT_DAYS)"
        )
    return findings


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; those that go away meanwhile, or may not be read, count nothing."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return size


def _one(connection: psycopg.Connection[Any], query: str, parameter: object) -> int:
    row = connection.execute(query.encode(), [parameter]).fetchone()
    return int(row[0] or 0) if row else 0
