"""What a stream left out, asked for again by the requests of its own protocol, through the spiders."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import psycopg

from strades_pipelines.datamanager.ask import Auth
from strades_pipelines.datamanager.planning import plan, spider_plan
from strades_pipelines.datamanager.sources import Instrument, Sources
from strades_pipelines.ingestion.streams.frame_store import StreamSource
from strades_pipelines.settings import PROJECT, SettingsError, secret
from strades_pipelines.system.child_environment import without_secret_names
from strades_pipelines.system.processes import tied_to_this_process
from strades_pipelines.system.secret_values import remember_secret

GRACE_SECONDS = 60.0  # beyond the source's own budget of time
STORED = (
    "SELECT fetch_id FROM rawsources.fetches WHERE run_id = %s AND outcome = 'stored' ORDER BY fetched_at, fetch_id"
)


class RepairFailed(Exception):
    """What is missing could not be asked for now; one line."""


def ask_again(
    source: StreamSource,
    instruments: Sequence[Instrument],
    start: datetime,
    end: datetime,
    *,
    run_id: str,
    now: datetime,
    database: str,
) -> list[int]:
    """Ask the provider for [start, end) of instruments; returns the fetches that are to be loaded.

    What the provider serves no more (`reach` of its protocol) is not asked for.

    Args:
        run_id: under which the answers are stored; of this call alone.
        now: UTC, what the plan takes for the present.
        database: where answers go.

    Raises:
        RepairFailed: a request failed, or another crawl of this source goes on.
    """
    website = replace(source.website, financial_instruments=tuple(each.id for each in instruments))
    sources = Sources((website,), tuple(instruments))
    requests = plan(website, sources, window=(start, end), now=now, log={}, force=True, protocol=source.protocol)
    if requests:
        secrets = _secrets_of(source.protocol.ask.auth)
        _crawl(json.dumps(spider_plan(website, requests, run_id=run_id)), website.budget_seconds, database, secrets)
    with psycopg.connect(database) as connection:
        return [fetch_id for (fetch_id,) in connection.execute(STORED, [run_id])]


def _secrets_of(auth: Auth | None) -> dict[str, str]:
    """The parts of the provider's key that are set, by their variables, for this crawl alone."""
    try:
        found = {variable: secret(variable) for variable in (auth.variables if auth else ())}
    except SettingsError as error:
        raise RepairFailed(str(error)) from None
    keys = {variable: value for variable, value in found.items() if value}
    for value in keys.values():
        remember_secret(value)
    return keys


def _crawl(document: str, seconds: float, database: str, secrets: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            tied_to_this_process([sys.executable, "-m", "scrapers"]),
            input=document,
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
            cwd=PROJECT,
            env=without_secret_names(os.environ) | {**secrets, "STRADES_SPIDER_DATABASE": database},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RepairFailed(f"the spiders did not end within {seconds + GRACE_SECONDS:g} s") from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RepairFailed((done.stderr.strip().splitlines() or [f"the spiders ended with {done.returncode}"])[-1])
    summary = json.loads(lines[-1])
    if summary.get("busy"):
        raise RepairFailed("another crawl of this source goes on")
    if summary["failed"]:
        raise RepairFailed(str(summary["failed"][0]["error"]))
