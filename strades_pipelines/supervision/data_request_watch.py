"""While `strades up` serves, take in the data that pages ask for, each request in a process of its own."""

import os
from typing import Any

import psycopg

from strades_pipelines.database.connection import WORLD_DATABASES, running_url
from strades_pipelines.ingestion.data_requests import MOST_TIME, give_up, waiting_requests
from strades_pipelines.settings import settings
from strades_pipelines.supervision.request_child import run_request_child
from strades_pipelines.system.child_environment import without_secret_names

MODULE = "strades_pipelines.ingestion.data_requests"
OUTCOME = "SELECT outcome FROM ops.data_requests WHERE request_id = %s AND outcome IS NOT NULL"


def carry_out_data_requests(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    """Carry out the requests that wait; returns what became of each, by its id. Commits.

    A request that ends its process, or takes longer than 15 minutes, is given up: it would do so again. One that fails
    by a fault of ours waits, and those behind it have their turn.

    Raises:
        RuntimeError: the first such fault, after all had their turn; what its process said last.
        ChildStopped: a stop, at once.
    """
    waiting = waiting_requests(connection)
    connection.rollback()
    outcomes: dict[int, str] = {}
    faults: list[str] = []
    for request_id in waiting:
        url = running_url(WORLD_DATABASES[settings().world])
        environment = without_secret_names(os.environ)
        problem = run_request_child(MODULE, request_id, url, environment=environment, limit=MOST_TIME)
        if problem is not None and problem.is_fault:
            faults.append(problem.line)
            continue
        if problem is not None:
            give_up(connection, request_id, problem.line, now=settings().now())
        found = connection.execute(OUTCOME, [request_id]).fetchone()
        connection.rollback()
        outcomes |= {request_id: found[0]} if found else {}
    if faults:
        raise RuntimeError(faults[0])
    return outcomes
