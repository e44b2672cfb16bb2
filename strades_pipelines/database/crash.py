"""Named points between two steps: a test may kill the process there, or let something else happen meanwhile."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from strades_pipelines.settings import settings

_observers: list[Callable[[str], None]] = []


def crash_point(name: str) -> None:
    """Kill this process's whole group with SIGKILL when `STRADES_CRASH_AT` names this point; else nothing."""
    for observe in _observers:
        observe(name)
    if settings().crash_at == name:
        os.killpg(0, signal.SIGKILL)


@contextmanager
def observe_crash_points(observe: Callable[[str], None]) -> Iterator[None]:
    """Call `observe` with the name of each point that this process reaches; what it raises is raised there."""
    _observers.append(observe)
    try:
        yield
    finally:
        _observers.remove(observe)
