"""While `strades up` serves, take in what pages ask for, in a process of its own: it reads bytes of any origin."""

import os
import subprocess
import sys
from typing import Any

import psycopg

from strades_pipelines.child_environment import without_secret_names
from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.ingestion.data_requests import give_up, waiting_requests
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.stopping import SIGNALS

MOST_SECONDS = 900
OUTCOMES = "SELECT request_id, outcome FROM ops.data_requests WHERE request_id = ANY(%s) AND outcome IS NOT NULL"


def carry_out_in_child(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait; returns what became of each, by its id. Commits.

    A request that ends its process, or takes longer than 15 minutes, is given up: it would do so again.

    Raises:
        RuntimeError: the process failed before it came to a request; what it said last.
    """
    waiting = waiting_requests(connection)
    connection.rollback()
    if not waiting:
        return {}
    problem = _run_child(running_url(WORLD_DATABASES[settings().world]))
    found = dict(connection.execute(OUTCOMES, [waiting]).fetchall())
    connection.rollback()
    if problem is not None:
        first = next((request_id for request_id in waiting if request_id not in found), None)
        if first is not None:
            give_up(connection, first, problem, now=settings().now())
            found[first] = f"not done: {problem}"
    return found


def _run_child(url: str) -> str | None:
    """Run the module that carries requests out; what went wrong with the request that it was at, or None.

    The URL holds a password, so it goes through a pipe: any user of the machine sees arguments.
    """
    command = [sys.executable, "-m", "strades_pipelines.ingestion.data_requests", str(os.getpid())]
    try:
        done = subprocess.run(
            command,
            input=url + "\n",
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            cwd=PROJECT,
            env=without_secret_names(os.environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its bytes could not be taken in within {MOST_SECONDS // 60} minutes"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode > 0 or -done.returncode in SIGNALS:
        # A fault of ours, of Sources.json or of the database, or a stop: it says nothing about the request.
        raise RuntimeError(last or f"the process of data requests ended with {done.returncode}")
    return f"the process that read its bytes ended with signal {-done.returncode}"
