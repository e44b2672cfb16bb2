"""Runs the Scrapy project as a process of its own: a second crawl in one process fails, and a crash stays there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import dagster as dg

from strades_pipelines.settings import PROJECT


class SpiderRunner(dg.ConfigurableResource[Any]):
    """Hands a plan to the spiders and returns what they say of it."""

    timeout_seconds: int = 3600

    def run(self, plan: Mapping[str, Any], *, database: str) -> dict[str, Any]:
        """Fetch what `plan` asks for; the bodies are in the database when this returns.

        Returns:
            The summary: `stored, not_modified, bytes, failed, seconds`.

        Raises:
            dg.Failure: when the spiders could not work at all; single failed requests are in the summary.
        """
        process = subprocess.run(
            [sys.executable, "-m", "scrapers"],
            input=json.dumps(plan),
            env={**os.environ, "STRADES_SPIDER_DATABASE": database},
            capture_output=True,
            text=True,
            cwd=PROJECT,
            timeout=self.timeout_seconds,
            check=False,
        )
        lines = process.stdout.splitlines()
        if process.returncode or not lines:
            complaint = (process.stderr.strip().splitlines() or ["no message"])[-1]
            raise dg.Failure(f"the spiders of {plan['source']} ended with {process.returncode}: {complaint}")
        summary: dict[str, Any] = json.loads(lines[-1])
        return summary
