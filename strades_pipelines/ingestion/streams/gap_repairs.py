"""What a stream left out, asked for by REST until the provider has answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from strades_pipelines.ingestion.streams.bar_schedule import BarSchedule
from strades_pipelines.ingestion.streams.epoch import microseconds_of, time_of
from strades_pipelines.ingestion.streams.progress import Counts, Progress
from strades_pipelines.ingestion.streams.repair import RepairFailed
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.ingestion.streams.stream_gaps import Gap
from strades_pipelines.ingestion.streams.stream_log import DATABASE_ERRORS, FIRST_WAIT, LONGEST_WAIT, StreamLog
from strades_pipelines.ingestion.streams.writer import StreamWriter, Taken
from strades_pipelines.ingestion.verdicts import one_line

MEND_SECONDS = 0.5
GAP_SECONDS = 1.5  # a trade that is only late has come by then
JOIN_SECONDS = 5.0  # a connection without a trade for so long: what was before it is asked for all the same
MARGIN = timedelta(seconds=1)  # around a gap: venues state times in whole seconds or milliseconds


class GapRepairs:
    """Closes the gaps of one source's stream.

    Args:
        progress: of each instrument; shared with the recorder.
        build_bars: builds the bars whose time is over, before a repair moves where they begin.
        heard: called when a repair has brought records.
        clock: the world's time, UTC.
    """

    def __init__(
        self,
        writer: StreamWriter,
        client: StreamClient,
        progress: Mapping[str, Progress],
        counts: Counts,
        log: StreamLog,
        bars: BarSchedule,
        *,
        build_bars: Callable[[], Awaitable[None]],
        heard: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._writer, self._client, self._progress, self._counts = writer, client, progress, counts
        self._log, self._bars, self._build_bars = log, bars, build_bars
        self._heard, self._clock = heard, clock

    async def run(self) -> None:
        """Ask for what is missing as soon as it may not be late only, until cancelled."""
        wait = FIRST_WAIT
        while True:
            await asyncio.sleep(MEND_SECONDS)
            due = self._due()
            if not any(due.values()):
                if not self._has_gaps():
                    self._log.end_fault("repair")  # late trades have filled what could not be asked for
                continue
            try:
                await self.repair({id_: gaps for id_, gaps in due.items() if gaps})
                wait = FIRST_WAIT
                self._log.end_fault("repair")
                if not self._has_gaps():
                    self._log.end_fault("parser")
            except (RepairFailed, *DATABASE_ERRORS) as error:
                self._log.note_fault("repair", f"what is missing could not be asked for: {one_line(str(error))}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def repair(self, due: Mapping[str, Sequence[Gap]]) -> None:
        """Ask for all gaps of all instruments in one stretch, load it, and have the bars of it built again."""
        gaps = [gap for each in due.values() for gap in each]
        start, end = time_of(min(gap.start for gap in gaps)), time_of(max(gap.end for gap in gaps))
        now = self._clock()
        taken = await asyncio.to_thread(self._writer.repair, list(due), start - MARGIN, end + MARGIN, now)
        self._counts.repairs += 1
        self._counts.rows += taken.rows
        if taken.rows:
            self._heard()
        for id_, closed in due.items():
            await self._close(id_, closed, taken)
        self._log.say(
            f"{', '.join(sorted(due))}: asked again for {start:%Y-%m-%d %H:%M:%S} to "
            f"{end:%H:%M:%S} UTC, {taken.rows} rows that were missing"
        )

    async def _close(self, instrument: str, gaps: Sequence[Gap], taken: Taken) -> None:
        if taken.oldest is not None and self._writer.builds_bars:
            await self._skip_bars(instrument, gaps, taken.oldest.get(instrument))
        self._progress[instrument].numbers.close(list(gaps))
        self._bars.build_again(instrument, min(time_of(gap.start) for gap in gaps) - MARGIN)

    async def _skip_bars(self, instrument: str, gaps: Sequence[Gap], oldest: datetime | None) -> None:
        """Build no bar between a hole and the oldest trade that was answered; None: the answer had no trade."""
        start, end = time_of(min(gap.start for gap in gaps)), time_of(max(gap.end for gap in gaps))
        reached = end if oldest is None else oldest
        if reached <= start:
            return
        await self._build_bars()  # those before the hole, which is still open
        self._bars.begin_again(instrument, reached)
        self._log.say(
            f"{instrument}: the provider answers with its newest trades alone, from "
            f"{reached:%Y-%m-%d %H:%M:%S} UTC on: no bar from {start:%H:%M:%S} until then"
        )

    def _due(self) -> dict[str, list[Gap]]:
        """The gaps of each instrument that are to be asked for now."""
        seconds = asyncio.get_running_loop().time()
        is_connected = self._client.connection is not None
        if self._writer.is_completed and is_connected and seconds - self._client.connected_at > JOIN_SECONDS:
            now = microseconds_of(self._clock())
            for progress in self._progress.values():
                progress.numbers.join_without_trade(now, seconds)
        return {id_: progress.numbers.due(seconds - GAP_SECONDS) for id_, progress in self._progress.items()}

    def _has_gaps(self) -> bool:
        return any(progress.numbers.gaps for progress in self._progress.values())
