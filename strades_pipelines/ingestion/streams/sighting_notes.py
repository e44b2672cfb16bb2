"""What frames say about a stream before they are stored: which times they state, what the venue refuses."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from strades_pipelines.ingestion.streams.bar_schedule import BarSchedule
from strades_pipelines.ingestion.streams.epoch import MICROSECOND, microseconds_of, time_of
from strades_pipelines.ingestion.streams.progress import Progress
from strades_pipelines.ingestion.streams.routing import Route, Sighting
from strades_pipelines.ingestion.streams.stream_log import StreamLog
from strades_pipelines.ingestion.streams.writer import StreamWriter

# A record states a time of the last day, by our clock: another one says nothing about what is missing.
OLDEST, NEWEST = 86_400_000_000, 10_000_000  # microseconds


class SightingNotes:
    """Notes of one source's frames.

    Args:
        progress: of each instrument; shared with the recorder.
        instruments: by which `progress` will be known once the stream has begun.
    """

    def __init__(
        self,
        writer: StreamWriter,
        progress: Mapping[str, Progress],
        instruments: Iterable[str],
        bars: BarSchedule,
        log: StreamLog,
    ) -> None:
        self._writer, self._progress, self._bars, self._log = writer, progress, bars, log
        lengths = {id_: writer.length_of_bars(id_) for id_ in instruments}
        self._bar_lengths = {id_: each // MICROSECOND for id_, each in lengths.items()}
        self._refused_on: int | None = None  # the connection

    def note_refusal(self, connection: int, route: Route) -> None:
        """Tell what the venue refuses; that stands until another connection brings records."""
        if route.refusal is not None:
            self._refused_on = connection
            self._log.note_fault("venue", f"the venue refuses: {route.refusal}")
        elif route.sightings and connection != self._refused_on:
            self._log.end_fault("venue")

    def note(self, seen: Sighting, now: datetime, seconds: float) -> int | None:
        """Note a record of an instrument; returns the time that it states, microseconds since the epoch.

        Args:
            seconds: of the event loop's clock.
        """
        progress, time = self._progress[seen.instrument], self._plausible_time(seen, now)
        progress.heard_at, progress.last_frame_at, progress.is_stale = seconds, now, False
        if time is not None and self._writer.is_completed:
            if progress.first_bar is None:
                self._bars.begin(seen.instrument, time_of(time))
            progress.numbers.see(seen.first, seen.last, time, seconds)
        return time

    def _plausible_time(self, seen: Sighting, now: datetime) -> int | None:
        """The time that a record states, microseconds since the epoch; None where it cannot be, which is told of once.

        The frame is stored and parsed all the same. A bar states its opening time, an interval before it comes.
        """
        if seen.time is None:
            return None
        at = microseconds_of(now)
        if at - OLDEST - self._bar_lengths[seen.instrument] <= seen.time <= at + NEWEST:
            return seen.time
        progress = self._progress[seen.instrument]
        if not progress.has_wrong_time:
            progress.has_wrong_time = True
            self._log.say(
                f"{seen.instrument}: a frame states a time that is not of the last day "
                f"({seen.time} us since the epoch): no hole and no bar is told from it; is this machine's clock right?"
            )
        return None
