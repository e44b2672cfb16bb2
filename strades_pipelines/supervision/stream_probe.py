"""Probe of the process that keeps the streams: it says how they do, again and again."""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

from strades_pipelines.ingestion.streams.states import FRESH, read_states
from strades_pipelines.supervision.watchdog import open_read_only


def streams_answer(url: str, started: Callable[[], datetime]) -> str | None:
    """None, or why the process that was started at `started()` is at fault.

    A venue that does not answer is no fault of the process: that is in the states, and `strades doctor` tells of it.

    Args:
        url: of this world's database.
    """
    try:
        with open_read_only(url) as connection:
            newest = max((each.updated_at for each in read_states(connection)), default=None)
    except psycopg.Error:
        return None  # the database's own probe says so
    if newest is None or newest < started():
        return "has not said yet how the streams do"
    age = datetime.now(UTC) - newest
    return f"has said nothing of the streams for {age.total_seconds():.0f} s" if age > FRESH else None
