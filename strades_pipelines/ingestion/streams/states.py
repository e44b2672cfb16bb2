"""How the streams do, as their processes last said (`ops.stream_states`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

STATES = (
    "SELECT source, instrument_id, state, last_frame_at, gaps, detail, updated_at FROM ops.stream_states ORDER BY 1, 2"
)
FRESH = timedelta(minutes=1)  # a process says it every five seconds


@dataclass(frozen=True)
class StreamState:
    """The state of a stream of one instrument: live, stale, repairing or down. Times are UTC."""

    source: str
    instrument: str
    state: str
    last_frame_at: datetime | None
    gaps: int
    detail: str | None
    updated_at: datetime

    @property
    def line(self) -> str:
        """For people: what is wrong, and since when."""
        since = f"{self.last_frame_at:%Y-%m-%d %H:%M:%S} UTC" if self.last_frame_at else "none yet"
        detail = f" ({self.detail})" if self.detail else ""
        return f"stream {self.source} {self.instrument}: {self.state}, newest record {since}{detail}"


def read_states(connection: psycopg.Connection[Any]) -> list[StreamState]:
    """The states of all streams that were ever kept."""
    return [StreamState(*row) for row in connection.execute(STATES)]


def newest_by_source(states: Sequence[StreamState]) -> dict[str, datetime]:
    """When a process last said how a stream of a source does, UTC."""
    newest: dict[str, datetime] = {}
    for each in states:
        newest[each.source] = max(each.updated_at, newest.get(each.source, each.updated_at))
    return newest


def stream_problems(
    states: Sequence[StreamState], wanted: Collection[str], now: datetime, *, is_served: bool
) -> list[str]:
    """What is wrong with the streams of the sources `wanted`, one line each.

    Args:
        is_served: whether a process ought to keep them, so that a source of which none says anything is a fault.
    """
    kept = [each for each in kept_now(states, now) if each.source in wanted]
    lines = [each.line for each in kept if each.state in ("down", "stale") or each.detail is not None]
    silent = sorted(set(wanted) - {each.source for each in kept}) if is_served else []
    return lines + [f"stream {name}: no process keeps it, though `strades up` runs" for name in silent]


def kept_now(states: Sequence[StreamState], now: datetime) -> list[StreamState]:
    """Those that a process keeps now."""
    return [each for each in states if now - each.updated_at < FRESH]
