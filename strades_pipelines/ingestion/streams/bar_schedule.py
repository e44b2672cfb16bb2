"""When bars of a stream's trades are built: once their time is over, up to the first hole, again after a repair."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from strades_pipelines.ingestion.streams.epoch import time_of
from strades_pipelines.ingestion.streams.progress import Counts, Progress
from strades_pipelines.ingestion.streams.stream_log import StreamLog
from strades_pipelines.ingestion.streams.writer import StreamWriter

BARS_AFTER = timedelta(seconds=2)  # a bar is built so long after its close


class BarSchedule:
    """Builds the bars of one source's trades.

    Args:
        progress: of each instrument; shared with the recorder.
        clock: the world's time, UTC.
    """

    def __init__(
        self,
        writer: StreamWriter,
        progress: Mapping[str, Progress],
        counts: Counts,
        log: StreamLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._writer, self._progress, self._counts = writer, progress, counts
        self._log, self._clock = log, clock

    def begin(self, instrument: str, time: datetime) -> None:
        """Note the first record: the bar that holds it is of a part of its trades, the next one is the first."""
        progress = self._progress[instrument]
        if progress.first_bar is None:
            progress.complete_from = time
            progress.first_bar = progress.bars_from = self._writer.floor(time) + self._writer.bar_length

    def build_again(self, instrument: str, time: datetime) -> None:
        """Note that a trade of that time was stored: its bar is to be built, again where it was."""
        progress = self._progress[instrument]
        if progress.first_bar is not None and progress.bars_from is not None:
            progress.bars_from = min(progress.bars_from, max(time, progress.first_bar))

    def begin_again(self, instrument: str, time: datetime) -> None:
        """Note that trades before that one are missing for good: no bar is built until the one after it."""
        self._progress[instrument].first_bar = None
        self.begin(instrument, time)

    async def build(self, waiting: datetime | None) -> None:
        """Build the bars of all trades before the first hole, once their time is over.

        Args:
            waiting: the time of the oldest trade that is not stored yet; None where none waits.
        """
        if not self._writer.builds_bars:
            return
        now = self._clock()
        for id_, progress in self._progress.items():
            hole = progress.numbers.complete_until()
            end = min(now - BARS_AFTER, waiting or now, now if hole is None else time_of(hole))
            start = progress.bars_from
            if start is None or end - self._writer.floor(start) < self._writer.bar_length:
                continue
            progress.bars_from = self._writer.floor(end)
            try:
                build = partial(self._writer.build_bars, id_, start, end, now)
                self._counts.bars += await self._log.retry("bars", build)
            except BaseException:
                progress.bars_from = min(start, progress.bars_from)
                raise
