"""Dagster's GraphQL, by the named operations of `operations/`: one HTTP request each to the webserver of `strades up`.

The request guard in front of the webserver keeps out web pages, not programs of this machine, and this is one: it sends
no `Origin`, to an address that no visitor chooses. What a visitor may ask for is decided before, by `access.MATRIX`.
"""

import json
import time
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import gethostbyname
from threading import Lock
from typing import Any

from strades_pipelines.settings import settings

LOCATION = "strades"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
OPERATIONS = Path(__file__).parent / "operations"
READ_SECONDS = 2.0
# A launch or a reload is worked through by the code location; to give up earlier would not take it back.
WRITE_SECONDS = 20.0
MOST_BYTES = 8_000_000
LONGEST_MESSAGE = 300


class DagsterDown(Exception):
    """The webserver gave no answer.

    Args:
        reason: in a few words.
        is_unknown: the request may have been carried out.
    """

    def __init__(self, reason: str, *, is_unknown: bool) -> None:
        super().__init__(reason)
        self.is_unknown = is_unknown


class DagsterRefused(Exception):
    """Dagster answered that it did not do it: its words, one line."""


class Breaker:
    """Asks no more for a while after some failures in a row, so that pages do not each wait for the time-out."""

    FAILURES, SECONDS = 3, 10.0

    def __init__(self) -> None:
        self._lock, self._failures, self._until = Lock(), 0, 0.0
        self.reason = ""  # of the last failure: a page says the same whether it asked or was told

    def is_open(self) -> bool:
        """Whether nothing is to be asked now; after the pause one request tries."""
        with self._lock:
            if self._failures < self.FAILURES:
                return False
            if time.monotonic() < self._until:
                return True
            # The next pause begins at once: of all who ask now one alone tries.
            self._until = time.monotonic() + self.SECONDS
            return False

    def note(self, failure: str | None) -> None:
        """Count a failure, in a few words, or an answer."""
        with self._lock:
            self._failures = 0 if failure is None else self._failures + 1
            self.reason = failure or ""
            self._until = time.monotonic() + self.SECONDS


breaker = Breaker()


@cache
def operation_text(name: str) -> str:
    """The text of an operation."""
    return (OPERATIONS / f"{name}.graphql").read_text()


def ask(name: str, expected: str, **variables: Any) -> dict[str, Any]:
    """What an operation answers.

    Args:
        name: of the file; its one field has the alias `result`.
        expected: the type of the answer that is no error.

    Raises:
        DagsterDown: no answer, or none that can be read.
        DagsterRefused: an answer of another type.
    """
    query = operation_text(name)
    is_write = query.startswith("mutation")
    if breaker.is_open():
        raise DagsterDown(breaker.reason, is_unknown=False)
    body = json.dumps({"query": query, "variables": variables}).encode()
    try:
        answer = json.loads(_post(body, WRITE_SECONDS if is_write else READ_SECONDS))
        result = (answer.get("data") or {}).get("result")
        if not isinstance(result, dict) and not answer.get("errors"):
            raise ValueError("no result")
    except ConnectionRefusedError as error:
        breaker.note(reason := "nothing listens at its address")
        raise DagsterDown(reason, is_unknown=False) from error
    except (OSError, HTTPException, ValueError, AttributeError, RecursionError) as error:
        breaker.note(reason := "no answer in time" if isinstance(error, TimeoutError) else "no answer that can be read")
        raise DagsterDown(reason, is_unknown=is_write) from error
    breaker.note(None)
    if not isinstance(result, dict):
        raise DagsterRefused(one_line(answer["errors"]))
    if result.get("__typename") != expected:
        raise DagsterRefused(one_line(result))
    return result


def one_line(problem: Any) -> str:
    """The first line of what Dagster says of a problem."""
    if isinstance(problem, list):
        return one_line(problem[0] if problem else {})
    if not isinstance(problem, dict):
        return str(problem)[:LONGEST_MESSAGE]
    text = problem.get("message") or one_line(problem.get("errors") or problem.get("__typename") or "no message")
    return str(text).strip().partition("\n")[0][:LONGEST_MESSAGE]


def _post(body: bytes, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    # By its IP address, under which the request guard knows the webserver; a name is another container's.
    host = gethostbyname(settings().webserver_host)
    connection = HTTPConnection(host, settings().webserver_port, timeout=seconds)
    try:
        connection.request("POST", f"{settings().dagster_path}/graphql", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status not in (200, 400, 500):  # GraphQL's own errors come with 400 and 500
            raise HTTPException(f"status {response.status}")
        found = bytearray()
        # What is there already: `read` would wait for all of it, past the deadline.
        while chunk := response.read1(65_536):
            found += chunk
            if len(found) > MOST_BYTES:
                raise HTTPException("too large")
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(found)
    finally:
        connection.close()
