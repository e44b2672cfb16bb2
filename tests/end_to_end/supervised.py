"""A running `strades up` for tests: signal one of its parts, and probe that all parts work again."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.supervision.probes import page_answers
from strades_pipelines.supervision.sandbox_server import sandbox_health
from tests.end_to_end.graphql import Webserver, wait_for

PARTS = ("sandbox", "code", "webserver", "daemon", "docs", "dashboard", "database")
LOCATION = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"


@dataclass
class Supervised:
    """A running `strades up` of the installation in `home`; `alerts` are those that its web hook received."""

    home: Path
    environment: dict[str, str]
    alerts: list[dict[str, Any]]

    def pid(self, part: str) -> int:
        """The process id of a part, or of `up`."""
        if part == "database":
            return int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        record = json.loads((self.home / "up.json").read_text())
        return int(record["up"][0] if part == "up" else record["parts"][part][0])

    def answers(self, part: str, since: datetime) -> bool:
        """Whether a part works, probed from outside; code, daemon and database by a sensor tick after `since`."""
        try:
            return bool(self._checks(since)[part]())
        except (OSError, ValueError, KeyError, psycopg.Error, AssertionError):
            return False

    def _checks(self, since: datetime) -> dict[str, Callable[[], Any]]:
        webserver = Webserver(f"http://127.0.0.1:{self.environment['STRADES_WEBSERVER_PORT']}")
        return {
            "sandbox": lambda: sandbox_health(self.environment["STRADES_SANDBOX_URL"]),
            "code": lambda: self._is_loaded(webserver) and self.has_ticked(since),
            "webserver": lambda: self._is_loaded(webserver),
            "daemon": lambda: self.has_ticked(since),
            "docs": lambda: (
                urllib.request.urlopen(f"http://127.0.0.1:{self.environment['STRADES_DOCS_PORT']}/", timeout=5).close()
                or True
            ),
            "dashboard": lambda: (
                page_answers(f"http://127.0.0.1:{self.environment['STRADES_DASHBOARD_PORT']}/health/") is None
            ),
            "database": lambda: self.has_ticked(since),
        }

    def _is_loaded(self, webserver: Webserver) -> bool:
        entries = webserver.ask(LOCATION)["workspaceOrError"]["locationEntries"]
        return [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"]

    def has_ticked(self, since: datetime) -> bool:
        """Whether a sensor tick completed after `since`."""
        url = EmbeddedServer(self.home / "postgres").url("dagster")
        with psycopg.connect(url, connect_timeout=3, options="-c timezone=UTC") as connection:
            row = connection.execute(
                "SELECT max(\"timestamp\" AT TIME ZONE 'UTC') FROM job_ticks WHERE status IN ('SKIPPED', 'SUCCESS')"
            ).fetchone()
        return row is not None and row[0] is not None and row[0] > since

    def works(self, since: datetime) -> bool:
        """Whether all parts work, see `answers`."""
        return all(self.answers(part, since) for part in PARTS)

    def disturb(self, part: str, number: signal.Signals, *, seconds: float) -> float:
        """Send a signal to a part and wait until it works again; return the seconds that took."""
        begun, before, since = time.monotonic(), self.pid(part), datetime.now(UTC)
        os.kill(before, number)
        wait_for(
            f"{part} after {number.name}",
            lambda: self.is_restarted(part, before) and self.answers(part, since),
            seconds=seconds,
            pause=0.5,
        )
        return time.monotonic() - begun

    def is_restarted(self, part: str, before: int) -> bool:
        """Whether the process of a part is no longer `before`; a starting database has no pid file yet."""
        try:
            return self.pid(part) != before
        except (OSError, ValueError, IndexError):
            return False

    def processes(self) -> list[psutil.Process]:
        """All processes of the installation, its database included."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("STRADES_HOME") == str(self.home)
                if (ours or str(self.home) in " ".join(process.cmdline())) and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:
                continue
        postmasters = [process.pid for process in found if "postgres" in process.name()]
        return found + [child for pid in postmasters for child in psutil.Process(pid).children()]
