"""While `strades up` serves, verify and install the bundles that pages ask for, each in a process of its own."""

import os
import subprocess
import sys
from typing import Any

import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.child_environment import for_reader
from strades_pipelines.system.stopping import SIGNALS

MOST_SECONDS = 1200.0  # more than a run of a bundle may take
WAITING = "SELECT request_id FROM ops.bundle_requests WHERE outcome IS NULL ORDER BY request_id"
OUTCOME = "SELECT outcome FROM ops.bundle_requests WHERE request_id = %s AND outcome IS NOT NULL"
GIVE_UP = """
    UPDATE ops.bundle_requests SET outcome = 'refused', detail = %s, finished_at = %s, body = ''
    WHERE request_id = %s AND outcome IS NULL
"""


def carry_out_bundle_requests(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait, oldest first; returns what became of each, by its id. Commits.

    A request that ends its process by a signal, or takes longer than 20 minutes, is given up: it would do so again.

    Raises:
        RuntimeError: a fault of ours, or a stop; what the process said last. The request waits.
    """
    waiting = [request_id for (request_id,) in connection.execute(WAITING)]
    connection.rollback()
    outcomes: dict[int, str] = {}
    for request_id in waiting:
        if problem := _run_child(running_url(WORLD_DATABASES[settings().world]), request_id):
            connection.execute(GIVE_UP, [problem, settings().now(), request_id])
            connection.commit()
        found = connection.execute(OUTCOME, [request_id]).fetchone()
        connection.rollback()
        outcomes |= {request_id: found[0]} if found else {}
    return outcomes


def _run_child(url: str, request_id: int) -> str | None:
    """Run the module that carries a request out; what is wrong with the request, or None."""
    command = [sys.executable, "-m", "strades_pipelines.sharing.bundle_requests", str(os.getpid()), str(request_id)]
    environment = for_reader(os.environ, url)  # of this process alone: that which runs code of others has none of it
    try:
        done = subprocess.run(
            command,
            input=url + "\n",
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            cwd=PROJECT,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it could not be carried out within {MOST_SECONDS / 60:g} minutes"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode > 0 or -done.returncode in SIGNALS:  # it says nothing about the request
        raise RuntimeError(last or f"the process of bundle requests ended with {done.returncode}")
    return f"the process that read it ended with signal {-done.returncode}"
