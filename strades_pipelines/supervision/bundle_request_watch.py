"""While `strades up` serves, verify and install the bundles that pages ask for, each in a process of its own."""

import os
from datetime import timedelta
from typing import Any

import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.settings import settings
from strades_pipelines.supervision.request_child import run_request_child
from strades_pipelines.system.child_environment import for_reader

MODULE = "strades_pipelines.sharing.bundle_requests"
MOST_TIME = timedelta(minutes=20)  # more than a run of a bundle may take
MOST_ATTEMPTS = 3  # a request whose bundle makes a fault of ours would else be carried out for ever
# Those that had a fault come after all others.
WAITING = "SELECT request_id FROM ops.bundle_requests WHERE outcome IS NULL ORDER BY attempts, request_id"
FAULT = "UPDATE ops.bundle_requests SET attempts = attempts + 1 WHERE request_id = %s RETURNING attempts"
OUTCOME = "SELECT outcome FROM ops.bundle_requests WHERE request_id = %s AND outcome IS NOT NULL"
GIVE_UP = """
    UPDATE ops.bundle_requests SET outcome = 'refused', detail = %s, finished_at = %s, body = ''
    WHERE request_id = %s AND outcome IS NULL
"""


def carry_out_bundle_requests(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait, oldest first; returns what became of each, by its id. Commits.

    A request that ends its process by a signal, or takes longer than 20 minutes, is given up: it would do so again.
    After a fault the others go on, and it is tried twice more.

    Raises:
        ChildStopped: a stop; what the process said last. The request waits.
    """
    waiting = [request_id for (request_id,) in connection.execute(WAITING)]
    connection.rollback()
    outcomes: dict[int, str] = {}
    for request_id in waiting:
        url = running_url(WORLD_DATABASES[settings().world])
        environment = for_reader(os.environ, url)  # of this child alone: the process that runs foreign code has no URL
        problem = run_request_child(MODULE, request_id, url, environment=environment, limit=MOST_TIME)
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
