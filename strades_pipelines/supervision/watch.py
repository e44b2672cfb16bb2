"""Look whether work keeps up, again and again, and alert once for each thing that is behind."""

import json
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import psycopg

from strades_pipelines.database.connection import DAGSTER_DATABASE, WORLD_DATABASES, running_url
from strades_pipelines.settings import settings
from strades_pipelines.supervision.alert_rules import alerts_due, unread_parts
from strades_pipelines.supervision.down import record_path
from strades_pipelines.supervision.metric_definitions import PARTS
from strades_pipelines.supervision.metrics import read_metrics
from strades_pipelines.supervision.record import read_record
from strades_pipelines.supervision.watchdog import (
    Lag,
    ago,
    late_tickers,
    late_wallets,
    newest_tick,
    read_tickers,
    read_wallets,
)
from strades_pipelines.system.alerting import deliver_alert, logger

SECONDS = 60
HEARTBEAT_SECONDS = 8
# After a start or a pause what was missed is caught up with first.
CATCH_UP = timedelta(minutes=15)


@dataclass(frozen=True)
class Status:
    """What one look at `at` (UTC) found: what is behind, and when the newest tick was, in words."""

    lags: list[Lag]
    newest: str
    at: datetime
    can_read: bool = True  # whether the database answered

    @property
    def line(self) -> str:
        """The newest tick, and what is behind."""
        return "; ".join([self.newest, *map(str, self.lags)] if self.newest else map(str, self.lags))

    def as_json(self) -> str:
        """One line of JSON."""
        lags = [{"what": lag.what, "detail": lag.detail} for lag in self.lags]
        return json.dumps({"at": self.at.isoformat(), "line": self.line, "behind": lags})


def look_here() -> Status:
    """Look at this installation. Starts nothing: a database that does not run is what is behind."""
    try:
        return look(running_url(DAGSTER_DATABASE), running_url(WORLD_DATABASES[settings().world]))
    except (OSError, ValueError):
        return _database_lag("was never started; run `strades up`")


def work_line() -> tuple[bool, str]:
    """Whether this installation keeps up, and one line about it; one that `up` does not serve need not."""
    record = read_record(record_path())
    status = look_here()
    if record is not None and record.up_runs():
        return not status.lags, status.line
    return True, "; ".join(part for part in ("not served by `strades up`", status.newest) if part)


def look_and_alert() -> Status:
    """Look at this installation, and alert what was not told; what was told is kept in the home."""
    status = look_here()
    # Until something was read, nothing that was told of any part is forgotten.
    unread = {"work", *PARTS}
    if status.can_read:
        due, unread = _due_here()
        status = replace(status, lags=[*status.lags, *due])
    told = OpenLags(settings().home / "watch.json")
    for lag in told.new(status.lags, unread):
        # Told is what was delivered: a mail server that was away has it tried again.
        if deliver_alert(lag.what, lag.detail):
            told.add(lag)
    say_that_somebody_looks()
    return status


def _due_here() -> tuple[list[Lag], set[str]]:
    """What is due by the rules, and the parts of the figures that could not be read."""
    world = WORLD_DATABASES[settings().world]
    samples = read_metrics(lambda: running_url(world), lambda: running_url(DAGSTER_DATABASE))
    return list(alerts_due(samples)), unread_parts(samples)


def say_that_somebody_looks() -> None:
    """Call the dead man's switch, which alerts from outside once nobody has called it for some minutes."""
    if url := settings().alert_heartbeat:
        try:
            with urlopen(url, timeout=HEARTBEAT_SECONDS):
                pass
        except (OSError, HTTPException, ValueError) as error:  # the address holds a token, and some errors repeat it
            logger.warning("the dead man's switch did not answer: %s", type(error).__name__)


def _database_lag(detail: str) -> Status:
    return Status([Lag("database", detail)], "", datetime.now(UTC), can_read=False)


def look(dagster_url: str, world_url: str, *, since: datetime | None = None) -> Status:
    """Read ticks and wallets, and judge them; a database that does not answer is what is behind then.

    Args:
        since: what was due earlier was not missed: nothing was served then.
    """
    now = datetime.now(UTC)
    try:
        tickers, feeds = read_tickers(dagster_url, world_url), read_wallets(world_url)
    except psycopg.Error as error:
        kind = "does not answer" if isinstance(error, psycopg.OperationalError) else "is not what it should be"
        return _database_lag(f"{kind}; see `strades doctor`")
    lags = late_tickers(tickers, now, since=since) + late_wallets(feeds, settings().now())
    newest = newest_tick(tickers)
    last = "no tick yet" if newest is None else f"last tick {ago(now - newest)}"
    if not tickers:
        last = "no schedule or sensor is switched on"
    return Status(lags, last, now)


class OpenLags:
    """Which lags a person was told of: of each once, until it was not behind for a look; a file outlives a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def new(self, lags: list[Lag], unread: Collection[str] = ()) -> list[Lag]:
        """The lags that nobody was told of; those that are behind no more are forgotten.

        Args:
            unread: the parts that could not be read: what was told of them is kept.
        """
        told, behind = self._read(), {lag.what for lag in lags}
        self._write({what: part for what, part in told.items() if what in behind or part in unread})
        return [lag for lag in lags if lag.what not in told]

    def add(self, lag: Lag) -> None:
        """A person was told."""
        self._write({**self._read(), lag.what: lag.part})

    def _write(self, told: dict[str, str]) -> None:
        with suppress(OSError):  # a full disk holds back no alert; it may come twice then
            self._file.write_text(json.dumps(told, sort_keys=True))

    def _read(self) -> dict[str, str]:
        try:
            told = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return {str(what): str(part) for what, part in told.items()} if isinstance(told, dict) else {}


class WorkWatch:
    """Looks at wallets and figures in a thread while `up` serves: ticks and the database have their own probes."""

    def __init__(self, deliver: Callable[[str, str], bool], tell: Callable[[str, str], None]) -> None:
        self._deliver, self._tell = deliver, tell
        self._open = OpenLags(settings().home / "up_watch.json")
        self._next = time.monotonic() + SECONDS
        self._thread: Thread | None = None

    def look(self, quiet_since: datetime) -> None:
        """Once a minute say that somebody looks, and look, if everything has been at work for long enough."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        work = self._look if datetime.now(UTC) - quiet_since >= CATCH_UP else say_that_somebody_looks
        self._thread = Thread(target=work, name="work-watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        say_that_somebody_looks()
        try:
            lags = late_wallets(read_wallets(running_url(WORLD_DATABASES[settings().world])), settings().now())
            due, unread = _due_here()
        except (psycopg.Error, OSError):
            return
        for lag in self._open.new([*lags, *due], unread):
            self._tell("watch", str(lag))
            if self._deliver(lag.what, lag.detail):
                self._open.add(lag)
