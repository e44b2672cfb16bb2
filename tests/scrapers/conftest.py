"""A real sandbox server on a free loopback port, and a real spider process against it and a fresh database."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.children import LONGEST_SECONDS, run_child_with_input
from tests.sandbox.serving import Served, served

PROJECT = Path(__file__).resolve().parents[2]
HELD = "2026-11-01T00:00:30Z"


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of a run, its clock held at `HELD`."""
    with served(now=HELD, extra=tmp_path_factory.mktemp("extra")) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: Served) -> Iterator[Served]:
    """The server, well-behaved and with nothing asked yet."""
    sandbox_server.reset()
    yield sandbox_server
    sandbox_server.reset()


@dataclass(frozen=True)
class Crawled:
    """What a spider process left behind."""

    code: int
    summary: dict[str, Any]
    stderr: str


Crawl = Callable[..., Crawled]


@pytest.fixture
def crawl(sandbox: Served, database_url: str) -> Crawl:
    """Runs `python -m scrapers` over requests, against the sandbox and its clock unless told otherwise.

    A fork of a process that has imported Scrapy, which is most of what a crawl would cost; a new one with `meanwhile`.
    """

    def run(
        *requests: dict[str, Any],
        now: str = HELD,
        crash_at: str = "",
        server: str | None = None,
        database: str | None = None,
        world: str = "sandbox",
        meanwhile: Callable[[subprocess.Popen[str]], None] | None = None,
        **plan: Any,
    ) -> Crawled:
        environment = {
            "STRADES_SPIDER_DATABASE": database or database_url,
            "STRADES_SANDBOX_URL": server or sandbox.url,
            "STRADES_SANDBOX_NOW": now,
            "STRADES_CRASH_AT": crash_at,
            "STRADES_WORLD": world,
        }
        plan_text = json.dumps(plan_of(*requests, **plan))
        if meanwhile is None:
            done = run_child_with_input(plan_text, "scrapers", **environment)
            code, stdout, stderr = done.returncode, done.stdout, done.stderr
        else:
            code, stdout, stderr = watched(plan_text, environment, meanwhile)
        lines = stdout.splitlines()
        assert len(lines) <= 1, f"expected one line on standard output, was {stdout!r}"
        return Crawled(code, json.loads(lines[0]) if lines else {}, stderr)

    return run


def watched(
    plan: str, environment: dict[str, str], meanwhile: Callable[["subprocess.Popen[str]"], None]
) -> tuple[int, str, str]:
    """The return code and output of a process that is started anew, so that it can be watched and stopped."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scrapers"],
        env={**os.environ, **environment},
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    threading.Thread(target=meanwhile, args=[process], daemon=True).start()
    stdout, stderr = process.communicate(plan, timeout=LONGEST_SECONDS)
    return process.returncode, stdout, stderr


def plan_of(*requests: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A plan that is quick to give up."""
    return {
        "source": "test",
        "run_id": "run-1",
        "requests": list(requests),
        "rate": {"requests_per_second": 200.0, "concurrency": 4},
        "user_agent": "strades-tests/1 (nobody@example.org)",
        "retries": 1,
        "timeout_seconds": 5.0,
        "budget_seconds": 60.0,
        **changed,
    }


def ask(url: str, **changed: Any) -> dict[str, Any]:
    """A request of a plan."""
    return {
        "request_key": f"key of {url}",
        "source": "test",
        "protocol": "test_protocol",
        "kind": "api",
        "method": "GET",
        "url": url,
        "headers": {},
        "given": {"symbol": "BTC_USDT"},
        "window_start": None,
        "window_end": None,
        "month": "2026-11-01",
        "etag": None,
        "last_modified": None,
        "paging": None,
        "max_bytes": 10_000_000,
        **changed,
    }
