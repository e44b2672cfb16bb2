"""Runs the Scrapy project in processes of its own: a second crawl in one process fails, and a crash stays there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from strades_pipelines.processes import tied_to_this_process
from strades_pipelines.settings import PROJECT


class SpiderRunner(dg.ConfigurableResource[Any]):
    """Hands plans to the spiders and returns what they say of them.

    The process that crawls are forked from starts with the first plan and ends with the Dagster run.
    """

    _server: "subprocess.Popen[str] | None" = PrivateAttr(default=None)

    def run(self, plan: Mapping[str, Any], *, database: str) -> dict[str, Any]:
        """Fetch what `plan` asks for; the bodies are in the database when this returns.

        Args:
            database: where they go: the same for all plans of a Dagster run.

        Returns:
            The summary: `stored, not_modified, bytes, failed, seconds`.

        Raises:
            dg.Failure: when the spiders could not work at all; single failed requests are in the summary.
        """
        if self._server is None:
            self._server = _start(database)
        answer = _ask(self._server, json.dumps(plan))
        if self._server.poll() is not None:
            self._server = None  # the next plan gets another
        lines = answer["out"].splitlines()
        if answer["code"] or not lines:
            complaint = (answer["error"].strip().splitlines() or ["no message"])[-1]
            raise dg.Failure(f"the spiders of {plan['source']} ended with {answer['code']}: {complaint}")
        summary: dict[str, Any] = json.loads(lines[-1])
        return summary

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Let the process end."""
        if self._server is not None:
            self._server.communicate()
            self._server = None


def _start(database: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        tied_to_this_process([sys.executable, "-m", "scrapers.forkserver"]),
        env={**os.environ, "STRADES_SPIDER_DATABASE": database},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a crawl's is in its answer
        text=True,
        cwd=PROJECT,
    )


def _ask(server: "subprocess.Popen[str]", plan: str) -> dict[str, Any]:
    """What the process says of a plan, or, where it ended instead, how."""
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(plan + "\n")
        server.stdin.flush()
        answer: dict[str, Any] = json.loads(server.stdout.readline())
    except (OSError, ValueError):
        with suppress(OSError):
            server.stdin.close()  # should it still be there, it ends
        return {"code": server.wait(), "out": "", "error": "try `python -m scrapers.forkserver` to see why"}
    return answer
