"""Probe of the process that keeps the streams: it says how each of them does, again and again."""

import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import psutil
import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.ingestion.streams.states import FRESH, newest_by_source, read_states
from strades_pipelines.ingestion.streams.stream_sources import wanted_streams
from strades_pipelines.settings import settings
from strades_pipelines.supervision.watchdog import open_read_only


def streams_answer(url: str, started: Callable[[], datetime], wanted: Collection[str] | None) -> str | None:
    """None, or why the process that was started at `started()` is at fault: one silent stream is enough.

    A venue that does not answer is no fault of the process: that is in the states, and `strades doctor` tells of it.

    Args:
        url: of this world's database.
        wanted: the sources of which it says something; None where nobody knows, since Sources.json cannot be used.
    """
    try:
        with open_read_only(url) as connection:
            states = read_states(connection)
    except psycopg.Error:
        return None  # the database's own probe says so
    since, newest = started(), newest_by_source(states)
    if wanted is None:
        wanted = [name for name, time in newest.items() if time >= since] or ["any source"]
    if late := sorted(name for name in wanted if name not in newest or newest[name] < since):
        return f"has not said yet how the streams of {', '.join(late)} do"
    for name in sorted(wanted, key=newest.__getitem__)[:1]:
        age = datetime.now(UTC) - newest[name]
        return f"has said nothing of the streams of {name} for {age.total_seconds():.0f} s" if age > FRESH else None
    return None  # no source has a stream: the process waits


def main() -> None:
    """Health check of a container whose process keeps the streams: exit code 1 and a line where one is at fault."""
    started = datetime.fromtimestamp(psutil.Process(1).create_time(), UTC)
    wanted = wanted_streams(settings().sources)
    sys.exit(streams_answer(running_url(WORLD_DATABASES[settings().world]), lambda: started, wanted))


if __name__ == "__main__":
    main()
