"""How far a recorder is with each instrument, and what it did."""

from dataclasses import dataclass, field
from datetime import datetime

from strades_pipelines.ingestion.streams.stream_gaps import Sequence


@dataclass
class Progress:
    """How far an instrument is: its numbers, its first bar of all, the next one to build, when its last record came.

    `complete_from` is a trade behind which nothing is missing but what the numbers show; `first_bar` follows it.
    """

    numbers: Sequence
    complete_from: datetime | None = None
    first_bar: datetime | None = None
    bars_from: datetime | None = None
    heard_at: float = 0.0
    last_frame_at: datetime | None = None
    is_stale: bool = False
    has_wrong_time: bool = False
    reported_until: int | None = None  # of the state that was written last, microseconds

    @property
    def complete_until(self) -> int | None:
        """Where its records stop being complete, microseconds since the epoch; None before the first one."""
        return self.numbers.complete_until() or self.numbers.time

    @property
    def has_unreported_hole(self) -> bool:
        """Whether a start after a kill would not know of a hole, and go on behind it."""
        until = self.complete_until
        return bool(self.numbers.gaps) and (self.reported_until is None or until is None or until < self.reported_until)


@dataclass
class Counts:
    """What a recorder did since its start."""

    frames: int = 0
    rows: int = 0
    rejects: int = 0
    repairs: int = 0
    bars: int = 0
    errors: dict[str, str] = field(default_factory=dict)
