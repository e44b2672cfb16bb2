"""The sandbox server that a command needs while it runs."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.child_environment import without_secret_names
from strades_pipelines.system.ports import free_port
from strades_pipelines.system.processes import tied_to_this_process

START_SECONDS = 30


def sandbox_health(url: str) -> dict[str, Any] | None:
    """What the sandbox server at `url` says of itself; None where none answers."""
    try:
        with urllib.request.urlopen(f"{url}/-/health", timeout=2) as response:
            health = json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return health if isinstance(health, dict) and health.get("name") == "strades-sandbox" else None


@contextmanager
def sandbox_running() -> Iterator[None]:
    """A sandbox server for the time of a command: the one that runs, if its clock is ours, else one of our own."""
    if settings().world != "sandbox" or _serves_our_world(sandbox_health(settings().sandbox_url)):
        yield
        return
    url = f"http://127.0.0.1:{free_port()}"
    os.environ["STRADES_SANDBOX_URL"] = url
    # Settings are kept once they were read, and the new address has to be seen.
    settings.cache_clear()
    command = tied_to_this_process([sys.executable, "-m", "sandbox"])
    process = subprocess.Popen(command, cwd=PROJECT, env=without_secret_names(os.environ), stdout=subprocess.DEVNULL)
    try:
        _wait_for_sandbox(process, url)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _serves_our_world(health: dict[str, Any] | None) -> bool:
    """Whether the server's market and clock are those of this process."""
    if health is None or health.get("seed") != settings().sandbox_seed:
        return False
    held = settings().sandbox_now
    if held is None:
        return not health.get("clock_held")
    return bool(health.get("clock_held")) and datetime.fromisoformat(str(health["now"])) == held


def _wait_for_sandbox(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while sandbox_health(url) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox server did not start at {url}; try `python -m sandbox` to see why")
        time.sleep(0.1)
