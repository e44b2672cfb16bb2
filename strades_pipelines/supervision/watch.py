"""Look whether work keeps up, again and again, and alert once for each thing that is behind."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import psycopg

from strades_pipelines.database.connection import DAGSTER_DATABASE, WORLD_DATABASES, running_url
from strades_pipelines.settings import settings
from strades_pipelines.supervision.down import record_path
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
from strades_pipelines.system.alerting import send_alert

SECONDS = 60
# After a start or a pause what was missed is caught up with first.
CATCH_UP = timedelta(minutes=15)


@dataclass(frozen=True)
class Status:
    """What one look at `at` (UTC) found: what is behind, and when the newest tick was, in words."""

    lags: list[Lag]
    newest: str
    at: datetime

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
    path = settings().home / "watch.json"
    open_lags = OpenLags(_read_told(path))
    for lag in open_lags.new(status.lags):
        send_alert(lag.what, lag.detail)
    with suppress(OSError):  # a full disk holds back no alert; it may come twice then
        path.write_text(json.dumps(sorted(open_lags.told)))
    return status


def _read_told(path: Path) -> list[str]:
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [str(what) for what in told] if isinstance(told, list) else []


def _database_lag(detail: str) -> Status:
    return Status([Lag("database", detail)], "", datetime.now(UTC))


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
    """Which lags were told: each is told once, until it was not behind for a look."""

    def __init__(self, told: Iterable[str] = ()) -> None:
        self.told = set(told)

    def new(self, lags: list[Lag]) -> list[Lag]:
        """The lags that were not told yet; they are from now on."""
        found = [lag for lag in lags if lag.what not in self.told]
        self.told = {lag.what for lag in lags}
        return found


class WalletWatch:
    """Looks at the wallets in a thread while `up` serves: ticks and the database have their own probes there."""

    def __init__(self, alert: Callable[[str, str], None], tell: Callable[[str, str], None]) -> None:
        self._alert, self._tell = alert, tell
        self._open = OpenLags()
        self._next = time.monotonic() + SECONDS
        self._thread: Thread | None = None

    def look(self, quiet_since: datetime) -> None:
        """Look, if a minute has passed and everything has been at work for long enough."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or time.monotonic() < self._next or datetime.now(UTC) - quiet_since < CATCH_UP:
            return
        self._next = time.monotonic() + SECONDS
        self._thread = Thread(target=self._look, name="wallet-watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        try:
            lags = late_wallets(read_wallets(running_url(WORLD_DATABASES[settings().world])), settings().now())
        except (psycopg.Error, OSError):
            return
        for lag in self._open.new(lags):
            self._tell("wallets", str(lag))
            self._alert(lag.what, lag.detail)
