"""One installation for all tests of a browser: a database with something on every page, the dashboard, Dagster."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.settings import PROJECT
from strades_pipelines.system.ports import free_port
from tests.conftest import cloned
from tests.dashboard.browser.watching import Watched, sign_up
from tests.dashboard.browser.world import NOW, fill
from tests.dashboard.conftest import home
from tests.serving.browsing import browser_running
from tests.serving.serving import code_location, webserver

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START_SECONDS = 120
DAGSTER = "telemetry: {enabled: false}\nrun_coordinator: {module: dagster, class: QueuedRunCoordinator}\n"
State = Any  # cookies, as Playwright keeps them
PageOf = Callable[..., Watched]


@dataclass(frozen=True)
class Installation:
    """Addresses of dashboard, database and Dagster; Dagster's home, and how to stop its webserver."""

    url: str
    database: str
    dagster: str
    dagster_home: Path
    stop_dagster: Callable[[], None]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One for the file. Playwright keeps an event loop in this thread, where Django would use no connection."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with browser_running() as started:
        yield started
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def installation(template: str, browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The dashboard as `strades up` starts it, beside a real webserver and code location of Dagster."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text(DAGSTER)
    with cloned(template) as url, ExitStack() as parts, ExitStack() as dagster:
        fill(url)
        location = code_location(folder, "tests.dashboard.location", "strades", STRADES_TEST_WORLD=url)
        served = dagster.enter_context(webserver(folder, parts.enter_context(location)))
        yield Installation(
            parts.enter_context(dashboard_served(url, served.port)), url, served.url, folder, dagster.close
        )


@contextmanager
def dashboard_served(database: str, dagster_port: int) -> Iterator[str]:
    """The dashboard as `strades up` starts it; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {
        **os.environ,
        "STRADES_DASHBOARD_DATABASE": database,
        "STRADES_HOME": str(home()),
        "STRADES_SANDBOX_NOW": NOW.isoformat(),
        "STRADES_WEBSERVER_PORT": str(dagster_port),
    }
    command = [sys.executable, "-m", "dashboard", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment)
    try:
        _wait(process, f"{url}/health/")
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=60) in (0, -15)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the dashboard ended at its start"
            assert time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def admin(installation: Installation, browser: "Browser") -> State:
    """The cookies of the first account, an admin's with a second factor."""
    with browser.new_context() as context:
        watched = Watched(context.new_page(), installation.url)
        sign_up(watched.page, f"{installation.url}/", "ada")
        assert watched.wrong == []
        return context.storage_state()


@pytest.fixture
def page_of(installation: Installation, browser: "Browser") -> Iterator[PageOf]:
    """Opens a page with somebody's cookies. What goes wrong on it fails the test at its end."""
    opened: list[Watched] = []
    with ExitStack() as contexts:

        def make(state: State = None, *, script: bool = True, **options: Any) -> Watched:
            context = browser.new_context(storage_state=state, java_script_enabled=script, **options)
            watched = Watched(contexts.enter_context(context).new_page(), installation.url)
            opened.append(watched)
            return watched

        yield make
        assert [watched.wrong for watched in opened if watched.wrong] == []
