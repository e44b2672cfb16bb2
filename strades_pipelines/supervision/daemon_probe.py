"""Probe of Dagster's daemon: it says that it lives, and does what is due. Read from Dagster's tables."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import psycopg

from strades_pipelines.supervision.watchdog import TICK_ALLOWANCE, Lag, late_tickers, open_read_only, read_tickers

# Each of its daemons writes a heartbeat every 30 s, between two steps of its work.
ANY_HEARTBEAT, EACH_HEARTBEAT = timedelta(seconds=75), timedelta(minutes=5)
REQUIRED = ("SENSOR", "SCHEDULER")
HEARTBEATS = "SELECT daemon_type, \"timestamp\" AT TIME ZONE 'UTC' FROM daemon_heartbeats"


class DaemonProbe:
    """Looks at the heartbeats and ticks of the daemon that was started at `started()`.

    Args:
        url: of Dagster's database.
        world_url: of this world's database, which knows the times that people gave to schedules.
        since: the instant before which nothing was due: the start of `up`, or the end of its last pause or incident.
    """

    def __init__(
        self,
        url: Callable[[], str],
        world_url: Callable[[], str],
        started: Callable[[], datetime],
        since: Callable[[], datetime],
    ) -> None:
        self._url, self._world_url, self._started, self._since = url, world_url, started, since

    def __call__(self) -> str | None:
        """Probe once."""
        now = datetime.now(UTC)
        try:
            with open_read_only(self._url()) as connection:
                heartbeats = dict(connection.execute(HEARTBEATS).fetchall())
            problem = heartbeat_problem(heartbeats, self._started(), now, self._since())
            late = [] if problem else self._late(now)
        except psycopg.Error:
            return None  # the database's own probe says so
        return problem or (str(late[0]) if late else None)

    def _late(self, now: datetime) -> list[Lag]:
        """More patient than the alerts of `strades watch`: an evaluation may take long, and would begin again."""
        tickers = read_tickers(self._url(), self._world_url())
        return late_tickers(tickers, now, since=self._since(), allowance=2 * TICK_ALLOWANCE)


def heartbeat_problem(
    heartbeats: Mapping[str, datetime], started: datetime, now: datetime, since: datetime
) -> str | None:
    """What the heartbeats (by type of daemon) say is wrong with a daemon process that was started at `started`."""
    own = {kind: time for kind, time in heartbeats.items() if time >= started}
    missing = [kind for kind in REQUIRED if kind not in own]
    if missing:
        return f"no heartbeat of {missing[0]} yet"
    age = now - max(max(own.values()), since)
    if age > ANY_HEARTBEAT:
        return f"no heartbeat for {age.total_seconds():.0f} s"
    late = [kind for kind, time in sorted(own.items()) if now - max(time, since) > EACH_HEARTBEAT]
    return f"no heartbeat of {late[0]} for {EACH_HEARTBEAT.total_seconds():.0f} s" if late else None
