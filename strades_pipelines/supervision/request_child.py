"""Carry out one request of a page in a process of its own: it reads bytes of any origin, which may end it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from strades_pipelines.settings import PROJECT
from strades_pipelines.system.stopping import SIGNALS

LONGEST_LINE = 300  # letters of what a child said last


@dataclass(frozen=True)
class Problem:
    """Why a request was not carried out, in one line; `is_fault` where another attempt may end otherwise."""

    line: str
    is_fault: bool


class ChildStopped(RuntimeError):
    """The process was stopped from outside, which says nothing about its request."""


def run_request_child(
    module: str, request_id: int, url: str, *, environment: Mapping[str, str], limit: timedelta
) -> Problem | None:
    """Run the module that carries a request out, with this process's id and the request's as arguments.

    Args:
        url: of the database; it holds a password, so it goes through a pipe: any user of the machine sees arguments.
        environment: the whole environment of the child.
        limit: a child that runs longer is killed.

    Returns:
        Why the request was not carried out; None where it was.

    Raises:
        ChildStopped: a signal stopped the child; the request waits.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, str(os.getpid()), str(request_id)],
            input=url + "\n",
            capture_output=True,
            text=True,
            errors="replace",  # a child that dies may print anything
            timeout=limit.total_seconds(),
            cwd=PROJECT,
            env=dict(environment),
            check=False,
        )
    except subprocess.TimeoutExpired:
        minutes = limit.total_seconds() / 60
        return Problem(f"it could not be carried out within {minutes:g} minutes", is_fault=False)
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [""])[-1]
    line = "".join(letter if letter.isprintable() else " " for letter in last)[:LONGEST_LINE]
    line = line or f"the process of {module} ended with {done.returncode}"
    if -done.returncode in SIGNALS:
        raise ChildStopped(line)
    if done.returncode > 0:  # a fault of ours, of Sources.json or of the database: it says nothing about the request
        return Problem(line, is_fault=True)
    return Problem(f"the process that read its bytes ended with signal {-done.returncode}", is_fault=False)
