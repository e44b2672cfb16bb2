"""The loop that keeps parts at work: starts them, watches them by what they do, and starts again what died or hangs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event

from strades_pipelines.supervision.part import Part
from strades_pipelines.supervision.prober import Prober
from strades_pipelines.supervision.timing import Timing, delay_before

FROM_OUTSIDE = ("was ended by", "was stopped")
# That a process was stopped needs no second opinion, only time for whoever continues several of them.
STOPPED_SLACK = 0.5


@dataclass(frozen=True)
class Telling:
    """Where the supervisor says what happened: `incident(part, reason, action)` once an incident, `log` every step."""

    incident: Callable[[str, str, str], None]
    log: Callable[[str, str], None]


@dataclass
class Watched:
    """A part and what is known of it. Times are of `time.monotonic`.

    Args:
        start_at: when to start it; None while it runs.
        healthy_since: of the unbroken series of good probes; None when the newest one failed or there is none.
        failing_since: of the unbroken series of failed probes.
        worked: whether a probe was good since the last start.
        attempts: restarts of this incident.
        reported: whether this incident was told.
    """

    part: Part
    prober: Prober
    start_at: float | None = 0.0
    started_at: float = 0.0
    healthy_since: float | None = None
    failing_since: float | None = None
    worked: bool = False
    attempts: int = 0
    reported: bool = False


class Supervisor:
    """Keeps `parts` at work from `run` until `stop` is called (from a signal handler or another thread).

    Args:
        parts: in the order in which they are started.
        telling: where it says what happened.
        timing: intervals and limits.
        each_look: called with each look, in the main thread, for what else is to be watched.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        telling: Telling,
        timing: Timing,
        each_look: Callable[["Supervisor"], None] = lambda _: None,
    ) -> None:
        self._watched = {part.name: Watched(part, Prober(part.name, part.probe, timing.probe)) for part in parts}
        self._telling, self._timing, self._each_look = telling, timing, each_look
        self._stopping = Event()
        self._trusted_from = 0.0  # probes that began earlier say nothing: a pause lies between

    def stop(self) -> None:
        """Have `run` end all parts and return."""
        self._stopping.set()

    def is_healthy(self, name: str) -> bool:
        """Whether the newest probe of a part was good."""
        return self._watched[name].healthy_since is not None

    def quiet_since(self, name: str) -> datetime:
        """Since when (UTC) a part can work: since its start, the last pause, and the recovery of its needs."""
        watched, now = self._watched[name], time.monotonic()
        needs = [self._watched[need].healthy_since for need in watched.part.needs]
        since = max([watched.started_at, self._trusted_from, *(now if time_ is None else time_ for time_ in needs)])
        return datetime.now(UTC) - timedelta(seconds=now - since)

    def in_incident(self) -> list[str]:
        """The names of the parts that do not work, or have not worked for long enough since they did not."""
        return [name for name, watched in self._watched.items() if watched.attempts or watched.reported]

    def all_settled(self) -> bool:
        """Whether every part has worked for long enough that its neighbours have noticed."""
        now = time.monotonic()
        return not any(
            watched.healthy_since is None or now - watched.healthy_since < self._timing.settle
            for watched in self._watched.values()
        )

    def restart(self, name: str, reason: str) -> None:
        """Start a part again on purpose: no incident. One that waits for its next attempt is started at once."""
        watched = self._watched[name]
        if watched.start_at is not None:
            watched.start_at = time.monotonic()
        else:
            self._telling.log(name, f"{reason}: starting it again")
            watched.part.runner.kill()
            self._forget(watched, start_at=time.monotonic())

    def run(self, before_the_end: Callable[[], None] = lambda: None) -> None:
        """Start the parts and keep them at work; when told to stop, call `before_the_end` and end them all."""
        for watched in self._watched.values():
            watched.prober.start()
        try:
            clocks = time.monotonic(), time.time()
            while not self._stopping.wait(self._timing.look):
                clocks = self._notice_pause(clocks)
                for watched in self._watched.values():
                    self._look_at(watched, time.monotonic())
                self._each_look(self)
        finally:
            before_the_end()
            self._end_all()

    def _notice_pause(self, before: tuple[float, float]) -> tuple[float, float]:
        """Restart every part's time limits when this process itself was stopped; returns the current clocks.

        The monotonic clock stands still while a machine is suspended, the wall clock does not; a wall clock that was
        set back is no pause.
        """
        now = time.monotonic(), time.time()
        gap = max(after - earlier for after, earlier in zip(now, before, strict=True))
        if gap > self._timing.pause:
            self._telling.log("up", f"everything stood still for {gap:.0f} s; going on")
            self._trusted_from = now[0]
            for watched in self._watched.values():
                watched.failing_since = None
                watched.started_at = max(watched.started_at, now[0]) if not watched.worked else watched.started_at
        return now

    def _look_at(self, watched: Watched, now: float) -> None:
        if watched.start_at is not None:
            if now >= watched.start_at and all(map(self.is_healthy, watched.part.needs)):
                self._start(watched, now)
            return
        ended = watched.part.runner.ended()
        if ended is not None:
            self._restart_failed(watched, now, ended)
            return
        problem = self._observe(watched, now)
        if problem is None:
            return
        if self._needs_in_trouble(watched):
            watched.failing_since = None
            if not watched.worked:
                watched.started_at = now  # its time to start begins when it can
            return
        failing_since = watched.failing_since or now
        slack = STOPPED_SLACK if problem.startswith(FROM_OUTSIDE) else watched.part.slack
        limit = self._timing.patience * slack if watched.worked else watched.part.start_seconds
        if now - (failing_since if watched.worked else watched.started_at) > limit:
            self._restart_failed(watched, now, problem)

    def _observe(self, watched: Watched, now: float) -> str | None:
        """Take note of the newest probe; returns what is wrong, None for nothing or nothing new."""
        seen = watched.prober.latest(now, self._timing.patience)
        if seen is None or seen.begun < max(watched.started_at, self._trusted_from):
            # No probe since the start or the pause: only the time that a start may take can run out.
            return None if watched.worked else "no answer"
        if seen.problem is not None:
            watched.healthy_since = None
            watched.failing_since = watched.failing_since or seen.begun
            return seen.problem
        watched.worked, watched.failing_since = True, None
        watched.healthy_since = watched.healthy_since or now
        if (watched.attempts or watched.reported) and now - watched.healthy_since > self._timing.settle:
            self._telling.log(watched.part.name, "works again")
            watched.attempts, watched.reported = 0, False
        return None

    def _needs_in_trouble(self, watched: Watched) -> bool:
        return not all(map(self.is_healthy, watched.part.needs))

    def _restart_failed(self, watched: Watched, now: float, reason: str) -> None:
        """Kill a part that failed, plan its next start, and tell the incident once."""
        name = watched.part.name
        if watched.part.restartable:
            watched.part.runner.kill()
            watched.attempts += 1
            delay = delay_before(watched.attempts, self._timing)
            self._forget(watched, start_at=now + delay)
            self._telling.log(name, f"{reason}: starting it again in {delay:.1f} s (attempt {watched.attempts})")
            action = "starting it again"
        else:
            watched.failing_since = None
            action = "waiting for it"
        if not watched.reported and not self._is_consequence(watched, reason, now):
            watched.reported = True
            self._telling.incident(name, reason, action)

    def _is_consequence(self, watched: Watched, reason: str, now: float) -> bool:
        """Whether a failure follows from that of a need: it does not work, or has not for long enough to be noticed.

        A signal from outside does not.
        """
        since = [self._watched[need].healthy_since for need in watched.part.needs]
        noticed = self._timing.patience + self._timing.settle / 2
        unsettled = any(time_ is None or now - time_ < noticed for time_ in since)
        return unsettled and not reason.startswith(FROM_OUTSIDE)

    def _start(self, watched: Watched, now: float) -> None:
        self._forget(watched, start_at=None)
        watched.started_at = now
        try:
            watched.part.runner.start()
        except Exception as error:  # its command or environment may ask the database: the other parts go on
            why = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
            self._restart_failed(watched, now, f"could not be started: {why}")

    @staticmethod
    def _forget(watched: Watched, start_at: float | None) -> None:
        watched.start_at, watched.healthy_since, watched.failing_since, watched.worked = start_at, None, None, False

    def _end_all(self) -> None:
        """Ask all parts to end at once, and kill what has not ended in time: every step survives that."""
        running = [watched.part.runner for watched in self._watched.values() if watched.start_at is None]
        for watched in self._watched.values():
            watched.prober.stop()
        for runner in running:
            runner.terminate()
        deadline = time.monotonic() + self._timing.stop
        while time.monotonic() < deadline and any(runner.ended() is None for runner in running):
            time.sleep(0.05)
        for runner in running:
            runner.kill()
