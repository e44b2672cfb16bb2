"""While `strades up` serves, verify and install the bundles that pages ask for, each in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.child_environment import for_reader
from strades_pipelines.system.stopping import SIGNALS

LONGEST_LINE = 300
MOST_SECONDS = 1200.0  # more than a run of a bundle may take
MOST_ATTEMPTS = 3  # a request whose bundle makes a fault of ours would else be carried out for ever
# Those that had a fault come after all others.
WAITING = "SELECT request_id FROM ops.bundle_requests WHERE outcome IS NULL ORDER BY attempts, request_id"
FAULT = "UPDATE ops.bundle_requests SET attempts = attempts + 1 WHERE request_id = %s RETURNING attempts"
OUTCOME = "SELECT outcome FROM ops.bundle_requests WHERE request_id = %s AND outcome IS NOT NULL"
GIVE_UP = """
    UPDATE ops.bundle_requests SET outcome = 'refused', detail = %s, finished_at = %s, body = ''
    WHERE request_id = %s AND outcome IS NULL
"""


@dataclass(frozen=True)
class Problem:
    """Why a request was not carried out, in one line; `is_fault` where another attempt may end otherwise."""

    line: str
    is_fault: bool


def carry_out_bundle_requests(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait, oldest first; returns what became of each, by its id. Commits.

    A request that ends its process by a signal, or takes longer than 20 minutes, is given up: it would do so again.
    After a fault the others go on, and it is tried twice more.

    Raises:
        RuntimeError: a stop; what the process said last. The request waits.
    """
    waiting = [request_id for (request_id,) in connection.execute(WAITING)]
    connection.rollback()
    outcomes: dict[int, str] = {}
    for request_id in waiting:
        problem = _run_child(running_url(WORLD_DATABASES[settings().world]), request_id)
        if problem is not None and problem.is_fault and _count_fault(connection, request_id) < MOST_ATTEMPTS:
            outcomes[request_id] = f"had a fault and is tried again: {problem.line}"
            continue
        if problem is not None:
            connection.execute(GIVE_UP, [problem.line, settings().now(), request_id])
            connection.commit()
        found = connection.execute(OUTCOME, [request_id]).fetchone()
        connection.rollback()
        outcomes |= {request_id: found[0]} if found else {}
    return outcomes


def _count_fault(connection: "psycopg.Connection[Any]", request_id: int) -> int:
    row = connection.execute(FAULT, [request_id]).fetchone()
    connection.commit()
    return int(row[0]) if row else 0


def _run_child(url: str, request_id: int) -> Problem | None:
    """Run the module that carries a request out; why it did not, or None."""
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
        return Problem(f"it could not be carried out within {MOST_SECONDS / 60:g} minutes", is_fault=False)
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [""])[-1]
    said = "".join(letter if letter.isprintable() else " " for letter in last)[:LONGEST_LINE]
    if -done.returncode in SIGNALS:  # it says nothing about the request, whose code cannot signal this process
        raise RuntimeError(said or f"the process of bundle requests ended with {done.returncode}")
    if done.returncode > 0:
        return Problem(said or f"its process ended with {done.returncode}", is_fault=True)
    return Problem(f"the process that read it ended with signal {-done.returncode}", is_fault=False)
