"""Probe one part again and again in a thread: a probe that hangs holds up neither the supervisor nor other parts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread


@dataclass(frozen=True)
class Observation:
    """The result of one probe: when it began (`time.monotonic`), and what was wrong, None for nothing."""

    begun: float
    problem: str | None


class Prober:
    """Runs `probe` every `seconds` until `stop`; `latest` is the newest result."""

    def __init__(self, name: str, probe: Callable[[], str | None], seconds: float) -> None:
        self._probe, self._seconds = probe, seconds
        self._latest: Observation | None = None
        self._running_since: float | None = None
        self._ended = Event()
        self._thread = Thread(target=self._run, name=f"probe-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further probe."""
        self._ended.set()

    def latest(self, now: float, patience: float) -> Observation | None:
        """The newest result; one that has been running for longer than `patience` seconds counts as failed."""
        since = self._running_since
        if since is not None and now - since > patience:
            return Observation(since, f"no answer for {now - since:.0f} s")
        return self._latest

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            begun = self._running_since = time.monotonic()
            try:
                problem = self._probe()
            except Exception as error:  # a probe that raises is a part that does not work
                problem = type(error).__name__
            self._running_since = None
            self._latest = Observation(begun, problem)
