"""The death of a step at a named point, without a process of its own: what it had not committed is gone."""

from collections.abc import Iterator
from contextlib import contextmanager

from strades_pipelines.database.crash import observe_crash_points


class Died(BaseException):
    """Raised where the step dies; not an Exception, so that nothing handles it."""


@contextmanager
def die_at(point: str) -> Iterator[None]:
    """Raise `Died` at the crash point of that name."""

    def die(name: str) -> None:
        if name == point:
            raise Died

    with observe_crash_points(die):
        yield
