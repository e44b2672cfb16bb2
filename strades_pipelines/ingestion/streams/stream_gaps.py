"""Trades that a stream left out, found by their numbers: pure, one `Sequence` an instrument."""

from dataclasses import dataclass, field, replace

MOST_GAPS = 100  # of one instrument; more are asked for as one stretch
RENUMBERED = 1_000_000  # a number so far from the one before is of another count, not of a hole


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` are missing between two times, microseconds since the epoch; noticed at `seen`.

    Before the first trade of a connection nobody knows the numbers: both are None then.
    """

    start: int
    end: int
    seen: float
    first: int | None = None
    last: int | None = None


@dataclass
class Sequence:
    """The newest trade of an instrument, and what is missing before it. `time` is where a new connection goes on."""

    number: int | None = None
    time: int | None = None
    gaps: list[Gap] = field(default_factory=list)
    is_joined: bool = False  # a trade of this connection has come, or what is before it is being asked for

    def disconnect(self) -> None:
        """What comes next may follow a hole that no number shows."""
        self.is_joined = False

    def see(self, first: int | None, last: int | None, time: int, seen: float) -> None:
        """Note a frame with trades `first` to `last`; None where it does not number them.

        Args:
            time: of its trade, microseconds since the epoch.
            seen: seconds of a monotonic clock.
        """
        if first is None or last is None:
            if not self.is_joined:
                self._join(time, seen)
        elif self.number is None or not self.is_joined:
            # Without a number also where no trade came for a while: nobody knows when the venue began to send.
            if self.number is None or first != self.number + 1:
                self._join(time, seen)
            self.number = last  # not the larger: a venue may have begun its numbers again
        elif abs(first - self.number) > RENUMBERED:
            self.gaps.append(Gap(min(self.time or time, time), time, seen))
            self.number = last
        elif first > self.number + 1:
            self.gaps.append(Gap(min(self.time or time, time), time, seen, self.number + 1, first - 1))
            self.number = last
        elif last <= self.number:
            self._fill(first, last)
        else:
            self.number = last
        self.is_joined = True
        self.time = max(time, self.time or 0)
        self._bound_gaps(seen)

    def add_gap(self, start: int, end: int, seen: float) -> None:
        """Note that trades between two times, microseconds since the epoch, came and could not be read."""
        self.gaps.append(Gap(start, end, seen))
        self._bound_gaps(seen)

    def join_without_trade(self, now: int, seen: float) -> None:
        """A connection on which no trade comes: what was before it is asked for up to `now` (microseconds)."""
        if not self.is_joined:
            self._join(now, seen)
            self.is_joined = True

    def due(self, seen_before: float) -> list[Gap]:
        """The gaps that nobody filled by himself: those noticed before that time of the monotonic clock."""
        return [gap for gap in self.gaps if gap.seen <= seen_before]

    def close(self, gaps: list[Gap]) -> None:
        """Gaps that have been asked for."""
        self.gaps = [gap for gap in self.gaps if gap not in gaps]

    def complete_until(self) -> int | None:
        """Before that time, in microseconds, nothing is missing; None where nothing is at all."""
        starts = [gap.start for gap in self.gaps]
        return min(starts if self.is_joined else [*starts, self.time or 0], default=None)

    def _bound_gaps(self, seen: float) -> None:
        if len(self.gaps) > MOST_GAPS:
            self.gaps = [Gap(min(gap.start for gap in self.gaps), max(gap.end for gap in self.gaps), seen)]

    def _join(self, time: int, seen: float) -> None:
        if self.time is not None:
            self.gaps.append(Gap(min(self.time, time), time, seen))

    def _fill(self, first: int, last: int) -> None:
        """Trades that came late close the gap that they left, or a part of it."""
        for gap in self.gaps:
            if gap.first is None or gap.last is None or not gap.first <= first <= last <= gap.last:
                continue
            parts = [replace(gap, last=first - 1), replace(gap, first=last + 1)]
            kept = [part for part in parts if (part.first or 0) <= (part.last or 0)]
            at = self.gaps.index(gap)
            self.gaps[at : at + 1] = kept
            return
