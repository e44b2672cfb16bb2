"""Told to stop at random moments, a run ends within five seconds, leaves nothing, and the next one completes it.

`make signals` sends fifty signals in place of eight. A failure names the seed: `STRADES_SIGNAL_SEED=... make signals`.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, Installation, installation
from tests.end_to_end.test_crashes import expected

pytestmark = pytest.mark.slow
SIGNALS = int(os.environ.get("STRADES_SIGNALS", "8"))
SEED = int(os.environ.get("STRADES_SIGNAL_SEED", time.time_ns() % 1_000_000))
# A new installation for every eight: a run that has little left to do ends too soon to be stopped.
AT_ONE_INSTALLATION = 8
SECONDS = 5.0
# A whole first run takes about twice as long on an idle machine.
LATEST = 6.0
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("first", range(0, SIGNALS, AT_ONE_INSTALLATION))
def test_a_run_told_to_stop_ends_in_seconds_leaves_nothing_and_the_next_one_completes_it(first: int) -> None:
    moments = random.Random(SEED + first)
    stopped = 0
    with installation(without=LONG) as made:
        for _ in range(min(AT_ONE_INSTALLATION, SIGNALS - first)):
            number, after = moments.choice(NUMBERS), moments.uniform(0.2, LATEST)
            told = f"seed {SEED}: {number.name} after {after:.2f} s"
            done = made.strades("run", *WINDOW, now=NOON, signal=(number, after, SECONDS))
            if done.returncode == 0:
                continue  # it had ended before the signal
            stopped += 1
            assert done.returncode == 128 + number, f"{told}: {done.returncode} {done.stderr[-500:]}"
            assert f"stopped by {number.name}" in done.stderr, told
            assert _left_of(made.home) == [], told
            assert _eventually_none(lambda: _queries(made)), told
            sent_at = float((made.home / "command.signal").read_text())
            assert _runs_begun_after(made, sent_at + 0.1) == [], told
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        outcome = made.outcome()
    wanted = expected()
    assert [table for table, kept in wanted["hashes"].items() if outcome["hashes"][table] != kept] == [], f"seed {SEED}"
    assert outcome == wanted
    assert stopped > 1, f"seed {SEED}: all but {stopped} had ended before their signal"


def _left_of(home: Path) -> list[str]:
    """The command lines of processes of this installation, but for those of its database."""
    time.sleep(0.3)  # the kernel ends children of a process that is gone in its own time
    left = []
    for process in psutil.process_iter():
        try:
            is_here = process.environ().get("STRADES_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE
            if is_here and process.name() != "postgres":
                left.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return left


def _eventually_none(found: Callable[[], list[str]], seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _server(made: Installation, database: str) -> "psycopg.Connection[tuple[str]]":
    return psycopg.connect(EmbeddedServer(made.home / "postgres").url(database))


def _queries(made: Installation) -> list[str]:
    """What the server still works on for others."""
    if not (made.home / "postgres" / "data").exists():
        return []
    try:
        with _server(made, "postgres") as connection:
            rows = connection.execute(
                "SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' "
                "AND pid <> pg_backend_pid()"
            )
            return [query for (query,) in rows]
    except (psycopg.OperationalError, OSError, ValueError):
        return []  # it was not made yet


def _runs_begun_after(made: Installation, moment: float) -> list[str]:
    """The ids of Dagster runs that began after a time (seconds since 1970)."""
    try:
        with _server(made, "dagster") as connection:
            rows = connection.execute("SELECT run_id FROM runs WHERE start_time > %s", [moment])
            return [run_id for (run_id,) in rows]
    except (psycopg.Error, OSError, ValueError):
        return []  # there is none yet
