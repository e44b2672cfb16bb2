"""Timelines of an archive: each server that was recovered and took over begins one, which leaves an older one.

PostgreSQL's history file of a timeline has a line for each one before it: its number, and the LSN where it was left.
"""

import gzip
import json
from datetime import datetime
from pathlib import Path

from strades_pipelines.database.wal_archive import archived_at, segments
from strades_pipelines.database.wal_segment import SUFFIX

HISTORY = f".history{SUFFIX}"
FIRST = 1  # it has no history


def taken_over(archive: Path) -> dict[int, datetime]:
    """When (UTC) a server first wrote each timeline but the first into the archive."""
    return {int(each.name[:8], 16): archived_at(each) for each in sorted(segments(archive).glob(f"*{HISTORY}"))}


def timeline_at(archive: Path, at: datetime | None) -> int:
    """The timeline that the archive's server was on at a moment (aware); None: the newest."""
    return max((line for line, since in taken_over(archive).items() if at is None or since <= at), default=FIRST)


def is_on_timeline(backup: Path, archive: Path, timeline: int) -> bool:
    """Whether a base backup is a part of a timeline's past: it ended before that one left the backup's own."""
    if not taken_over(archive):
        return True  # there is one timeline only
    last = json.loads((backup / "backup_manifest").read_bytes())["WAL-Ranges"][-1]
    if last["Timeline"] == timeline:
        return True
    left_at = _left_at(archive, timeline).get(last["Timeline"])
    return left_at is not None and as_number(last["End-LSN"]) <= left_at


def as_number(lsn: str) -> int:
    """An LSN as PostgreSQL writes it, `16/B374D848`, in bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _left_at(archive: Path, timeline: int) -> dict[int, int]:
    """The LSN at which each timeline before this one was left."""
    if timeline == FIRST:
        return {}
    text = gzip.decompress((segments(archive) / f"{timeline:08X}{HISTORY}").read_bytes()).decode()
    fields = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {int(number): as_number(lsn) for number, lsn, *_ in fields}
