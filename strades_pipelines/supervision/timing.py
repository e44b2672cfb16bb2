"""How long the supervisor waits for what. All in seconds; tests use other values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The supervisor's intervals and limits.

    Args:
        look: between two looks at every part.
        probe: between two probes of one part.
        patience: how long a part that worked may fail its probe before it is killed and started again. Longer than a
            loaded machine needs to answer, short enough that work goes on within a minute.
        first_delay: before the first restart; doubles with each further one of the same incident.
        longest_delay: the cap of that.
        settle: how long a part must work before its incident is over.
        pause: a gap in the supervisor's own loop from which on it was stopped itself (a closed lid).
        stop: how long parts have to end by themselves when all is stopped.
    """

    look: float = 0.5
    probe: float = 3
    patience: float = 20
    first_delay: float = 0.5
    longest_delay: float = 60
    settle: float = 20
    pause: float = 10
    stop: float = 1.5


def delay_before(attempt: int, timing: Timing) -> float:
    """Seconds before restart number `attempt` (from 1) of one incident: exponential back-off with a cap."""
    # Thirty doublings are beyond any cap; a thousand would overflow.
    return float(min(timing.longest_delay, timing.first_delay * 2.0 ** min(attempt - 1, 30)))
