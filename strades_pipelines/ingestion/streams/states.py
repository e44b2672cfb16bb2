"""How the streams do, as their processes last said (`ops.stream_states`)."""

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


def kept_now(states: list[StreamState], now: datetime) -> list[StreamState]:
    """Those that a process keeps now."""
    return [each for each in states if now - each.updated_at < FRESH]
