"""`strades down`: end a `strades up` of this installation, and everything that is left of one that was killed.

`python -m strades_pipelines.supervision.down` is the same for a killed `up` itself: it waits until its standard input
closes, which `up` holds open for as long as it lives, ends what is left, and sends the alert.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from strades_pipelines.database.connection import embedded_server
from strades_pipelines.settings import settings
from strades_pipelines.supervision.database_part import kill_tree, postmaster
from strades_pipelines.supervision.process_table import is_stopped, start_mark
from strades_pipelines.supervision.record import Record, end_parts, end_up, read_record

UP_SECONDS = 8
# A whole stop may take five seconds. An immediate shutdown loses nothing: the next start replays the server's log.
FAST_SHUTDOWN_SECONDS, IMMEDIATE_SHUTDOWN_SECONDS = 1.5, 0.5


def record_path() -> Path:
    """Where the processes of `up` are recorded."""
    return settings().home / "up.json"


def served_behind_nginx_at() -> int | None:
    """The port of NGINX of the `up` that runs; None where none runs, or without NGINX."""
    record = read_record(record_path())
    return record.nginx_port if record is not None and record.up_runs() else None


def down() -> list[str]:
    """End `up` and all that is left of it; returns what was ended ("up", names of parts, "database")."""
    record = read_record(record_path())
    if record is None:
        return []
    ended = ["up"] if end_up(record, seconds=UP_SECONDS) else []
    return ended + end_rest(record)


def end_rest(record: Record) -> list[str]:
    """End what a dead `up` left behind, and the embedded database where `up` would have stopped it."""
    ended = end_parts(record)
    if record.stops_database and stop_database():
        ended.append("database")
    # Another `up` may have begun meanwhile, and written its own.
    current = read_record(record.path)
    if current is not None and current.up == record.up:
        record.remove()
    return ended


def stop_database() -> bool:
    """Stop the embedded database: fast, then immediate (pg_ctl's words), then by SIGKILL. False when it did not run."""
    pid = postmaster(embedded_server())
    if pid is None:
        return False
    mark = start_mark(pid)
    # A process that is stopped takes no signal but SIGKILL.
    if not is_stopped(pid):
        for number, seconds in (
            # To a postmaster SIGINT is pg_ctl's fast shutdown, SIGQUIT its immediate one.
            (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS),
        ):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while start_mark(pid) == mark and time.monotonic() < deadline:
                time.sleep(0.05)
    if start_mark(pid) == mark:
        kill_tree(pid)
    return True


def clean_up_after(up: int) -> None:
    """Wait for the end of `up`; where it did not clean up itself, do so and send an alert."""
    sys.stdin.read()
    record = read_record(record_path())
    if record is None or record.up[0] != up:
        return
    end_rest(record)
    from strades_pipelines.system.alerting import send_alert

    send_alert("strades up was killed", "all its parts were ended with it; start it again with `strades up`")


if __name__ == "__main__":
    clean_up_after(int(sys.argv[1]))
