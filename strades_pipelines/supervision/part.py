"""One part of a served installation: how it is started, and how to see whether it does its work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Runner(Protocol):
    """Starts and kills one part."""

    def start(self) -> None:
        """Begin to start it. Returns at once; called in the supervisor's (main) thread."""

    def ended(self) -> str | None:
        """Why it is known not to run ("ended with exit code 1"); None while it may run."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it and everything it started, at once."""


@dataclass(frozen=True)
class Part:
    """One part.

    Args:
        name: one word, as the terminal shows it.
        runner: starts and kills it.
        probe: asks it to do a bit of its work; returns None, or what is wrong in a few words. Runs in a thread of its
            own and must end by itself within some seconds.
        needs: the parts without which this one cannot work: it is started after them, and what goes wrong with it while
            one of them is down is no incident of its own.
        start_seconds: how long a start may take until the first good probe.
        slack: how many times the usual patience it has, where a loaded machine may hold up its answers; one that was
            stopped (SIGSTOP) has half of it.
        restartable: False for what the supervisor can only watch (a database server of somebody else).
    """

    name: str
    runner: Runner
    probe: Callable[[], str | None]
    needs: tuple[str, ...] = ()
    start_seconds: float = 180
    slack: float = 1
    restartable: bool = True
