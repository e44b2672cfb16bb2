"""Told to stop at random moments, a command ends within five seconds, leaves nothing, and the next one completes it.

`make signals` sends fifty signals in place of eight. A failure names the seed: `STRADES_SIGNAL_SEED=... make signals`.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, Installation, installation, undisturbed_outcome

pytestmark = pytest.mark.slow
SIGNALS = int(os.environ.get("STRADES_SIGNALS", "8"))
SEED = int(os.environ.get("STRADES_SIGNAL_SEED", time.time_ns() % 1_000_000))
# A new installation for every eight: a run that has little left to do ends too soon to be stopped.
AT_ONE_INSTALLATION = 8
SECONDS = 5.0
# Before that, a command may not have begun to listen.
EARLIEST = 0.2
# How long before its end a command may no longer heed a signal.
ENDING = 0.5
# A whole first run takes about twice as long on an idle machine.
LATEST = 6.0
MINUTES = 60_000
MINUTES_OF = ("--set", "symbol=BTC_USDT", "--set", "interval=1m")
CANDLE = [
    "1000.5",
    "101.0",
    "102.0",
    "99.0",
    "100.0",
    "10.25",
    "true",
]  # volume, close, high, low, open, amount, closed
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("first", range(0, SIGNALS, AT_ONE_INSTALLATION))
def test_a_command_told_to_stop_ends_in_seconds_leaves_nothing_and_the_next_one_completes_it(
    first: int, tmp_path: Path
) -> None:
    moments = random.Random(SEED + first)
    with installation(without=LONG) as made:
        signals = range(min(AT_ONE_INSTALLATION, SIGNALS - first))
        stopped = sum(_was_stopped(made, moments, LATEST, "run", *WINDOW) for _ in signals)
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        _assert_as_undisturbed(made)
        if first == 0:
            _stop_backfill_and_load(made, moments, tmp_path)
    assert stopped or len(signals) < AT_ONE_INSTALLATION, f"seed {SEED}: all had ended before their signal"


def _stop_backfill_and_load(made: Installation, moments: random.Random, folder: Path) -> None:
    backfill = ("backfill", *WINDOW)
    _stop_once(made, moments, 4, *backfill)
    done = made.strades(*backfill, now=HALF_PAST)
    assert done.returncode == 0, done.stderr
    _assert_as_undisturbed(made)

    load = ("load", *map(str, minute_files(folder)), "--protocol", "gateio_candles", "--source", "gateio", *MINUTES_OF)
    _stop_once(made, moments, 1.5, *load)
    done = made.strades(*load, now=HALF_PAST)
    assert done.returncode == 0, done.stderr
    with made.connect() as connection:
        loaded = "SELECT count(*) FROM records.candles WHERE open = 100 AND high = 102 AND low = 99 AND close = 101"
        assert connection.execute(loaded).fetchone() == (MINUTES,)


def _stop_once(made: Installation, moments: random.Random, latest: float, *command: str) -> None:
    """Stop a command before it ends: on a fast machine, or with little left to do, only an early signal does."""
    for _ in range(8):
        if _was_stopped(made, moments, latest, *command, now=HALF_PAST):
            return
        latest = max(latest / 2, EARLIEST)
    pytest.fail(f"seed {SEED}: {command[0]} had ended before each signal")


def _was_stopped(made: Installation, moments: random.Random, latest: float, *command: str, now: str = NOON) -> bool:
    """Whether the command was told to stop before it ended, and if so, that it did as promised."""
    number, after = moments.choice(NUMBERS), moments.uniform(EARLIEST, latest)
    told = f"seed {SEED}: {command[0]}, {number.name} after {after:.2f} s"
    sent = made.home / "command.signal"
    sent.unlink(missing_ok=True)
    done = made.strades(*command, now=now, signal=(number, after, SECONDS))
    if done.returncode == 0:  # it had ended before the signal, or was ending
        assert not sent.exists() or time.time() - float(sent.read_text()) < ENDING, told
        return False
    assert done.returncode == 128 + number, f"{told}: {done.returncode} {done.stderr[-500:]} {done.stdout[-1500:]}"
    assert f"stopped by {number.name}" in done.stderr, told
    assert _left_of(made.home) == [], told
    assert _eventually_none(lambda: _queries(made)), told
    assert _begun_after(made, float(sent.read_text())) == [], told
    return True


def _assert_as_undisturbed(made: Installation) -> None:
    outcome, wanted = made.outcome(), undisturbed_outcome()
    assert [table for table, kept in wanted["hashes"].items() if outcome["hashes"][table] != kept] == [], f"seed {SEED}"
    assert outcome == wanted, f"seed {SEED}"


def minute_files(folder: Path) -> list[Path]:
    """`MINUTES` candles from the beginning of 2013, in bodies of Gate.io of ten thousand each."""
    since = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp())
    made = []
    for first in range(0, MINUTES, 10_000):
        rows = ([str(since + 60 * minute), *CANDLE] for minute in range(first, first + 10_000))
        made.append(folder / f"{first}.json")
        made[-1].write_text(json.dumps(list(rows)))
    return made


GONE = 3.0  # seconds


def _left_of(home: Path) -> list[str]:
    """The command lines of processes of this installation, but for those of its database, as soon as there is none."""
    deadline = time.monotonic() + GONE
    while (left := _running_in(home)) and time.monotonic() < deadline:
        time.sleep(0.1)  # what only waits for a pipe to close, as Python's resource tracker does, ends in its own time
    return left


def _running_in(home: Path) -> list[str]:
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


def _begun_after(made: Installation, moment: float) -> list[str]:
    """The Dagster runs and steps that began half a second after a time (seconds since 1970) or later.

    On a busy machine that long may pass until the thread that reads the signal gets a processor.
    """
    asked = """
        SELECT run_id FROM runs WHERE start_time > %(moment)s + 0.5
        UNION ALL SELECT step_key FROM event_logs
        WHERE dagster_event_type = 'STEP_START' AND "timestamp" > to_timestamp(%(moment)s + 0.5) AT TIME ZONE 'UTC'
    """
    try:
        with _server(made, "dagster") as connection:
            return [name for (name,) in connection.execute(asked, {"moment": moment})]
    except (psycopg.Error, OSError, ValueError):
        return []  # there is none yet
