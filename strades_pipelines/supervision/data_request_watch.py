"""While `strades up` serves, take in what pages ask for, in a process of its own: it reads bytes of any origin."""

import os
import subprocess
import sys
from typing import Any

import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.ingestion.data_requests import MOST_TIME, give_up, waiting_requests
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.child_environment import without_secret_names
from strades_pipelines.system.stopping import SIGNALS

OUTCOME = "SELECT outcome FROM ops.data_requests WHERE request_id = %s AND outcome IS NOT NULL"


def carry_out_in_child(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait, each in a process of its own; returns what became of each, by its id. Commits.

    A request that ends its process, or takes longer than 15 minutes, is given up: it would do so again. One that fails
    by a fault of ours waits, and those behind it have their turn.

    Raises:
        RuntimeError: that fault, or a stop; what the process said last.
    """
    waiting = waiting_requests(connection)
    connection.rollback()
    outcomes: dict[int, str] = {}
    fault: RuntimeError | None = None
    for request_id in waiting:
        try:
            problem = _run_child(running_url(WORLD_DATABASES[settings().world]), request_id)
        except ChildStopped:
            raise
        except RuntimeError as error:
            fault = fault or error
            continue
        if problem is not None:
            give_up(connection, request_id, problem, now=settings().now())
        found = connection.execute(OUTCOME, [request_id]).fetchone()
        connection.rollback()
        outcomes |= {request_id: found[0]} if found else {}
    if fault is not None:
        raise fault
    return outcomes


class ChildStopped(RuntimeError):
    """The process was stopped from outside, which says nothing about its request."""


def _run_child(url: str, request_id: int) -> str | None:
    """Run the module that carries a request out; what is wrong with the request, or None.

    The URL holds a password, so it goes through a pipe: any user of the machine sees arguments.
    """
    command = [sys.executable, "-m", "strades_pipelines.ingestion.data_requests", str(os.getpid()), str(request_id)]
    try:
        done = subprocess.run(
            command,
            input=url + "\n",
            capture_output=True,
            text=True,
            timeout=MOST_TIME.total_seconds(),
            cwd=PROJECT,
            env=without_secret_names(os.environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its bytes could not be taken in within {MOST_TIME.total_seconds() / 60:g} minutes"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if -done.returncode in SIGNALS:
        raise ChildStopped(last or f"the process of data requests ended with {done.returncode}")
    if done.returncode > 0:  # a fault of ours, of Sources.json or of the database: it says nothing about the request
        raise RuntimeError(last or f"the process of data requests ended with {done.returncode}")
    return f"the process that read its bytes ended with signal {-done.returncode}"
