"""One source's stream, kept: frames in batches, what they say loaded, holes asked for again, bars of the trades.

Memory is bounded: at `MOST_FRAMES` or `MOST_BYTES` that the database has not taken, nothing more is read from the
network (back pressure). The venue then buffers, and cuts us in the end; the next connection completes from REST. No
frame that was read is dropped. A process that is killed loses what it held, and the next start asks for it.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from strades_pipelines.ingestion.streams.bar_schedule import BarSchedule
from strades_pipelines.ingestion.streams.batches import BATCH_BYTES, BATCH_FRAMES, first_batch, longest_span
from strades_pipelines.ingestion.streams.epoch import microseconds_of, time_of
from strades_pipelines.ingestion.streams.frame_store import UNREADABLE, Frame, StreamSource
from strades_pipelines.ingestion.streams.gap_repairs import GapRepairs
from strades_pipelines.ingestion.streams.progress import Counts, Progress
from strades_pipelines.ingestion.streams.routing import Router
from strades_pipelines.ingestion.streams.sighting_notes import SightingNotes
from strades_pipelines.ingestion.streams.state_reports import StateReports
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.ingestion.streams.stream_gaps import Sequence as Numbers
from strades_pipelines.ingestion.streams.stream_log import FIRST_WAIT, LONGEST_WAIT, StreamLog
from strades_pipelines.ingestion.streams.writer import State, StreamWriter
from strades_pipelines.ingestion.verdicts import one_line

MOST_FRAMES, MOST_BYTES = 20_000, 32_000_000
FLUSH_SECONDS = 0.25
PROMPT_SECONDS = 0.01  # where somebody waits for the records: so long after one batch the next one begins
SHOW_SECONDS = 1.0
DRAIN_SECONDS = 30.0


class Listener(Protocol):
    """Who waits for the records of a stream."""

    @property
    def is_waiting(self) -> bool:
        """Whether a frame is to be stored at once, and not with those of the next quarter of a second."""
        ...

    def hear(self) -> None:
        """New records are stored. Called in the thread of the event loop."""
        ...


class StreamRecorder:
    """Keeps the stream of one source until it is cancelled.

    Args:
        clock: the world's time, UTC.
        say: takes a line for people.
        listener: who waits for the records; None: nobody does.
    """

    def __init__(
        self,
        source: StreamSource,
        writer: StreamWriter,
        *,
        clock: Callable[[], datetime],
        say: Callable[[str], None],
        listener: Listener | None = None,
    ) -> None:
        assert source.protocol.stream is not None
        self.source, self.writer, self.counts = source, writer, Counts()
        self.stream = source.protocol.stream
        self.client = StreamClient(source, self._receive, clock=clock, say=say, disconnected=self._disconnected)
        self.progress: dict[str, Progress] = {}
        self._clock, self._listener = clock, listener
        self.router = Router(source.protocol, list(source.instruments.values()))
        self._arrived: list[Frame] = []  # not routed yet
        self._buffer: list[Frame] = []
        self._bytes = 0  # of both
        self._shown_at = self._stored_at = -math.inf
        self._span = longest_span(self.stream)
        self._room, self._arrival, self._work = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._log = StreamLog(source.website.name, self.counts.errors, say)
        self._bars = BarSchedule(writer, self.progress, self.counts, self._log, clock)
        self._notes = SightingNotes(writer, self.progress, source.instruments, self._bars, self._log)
        self.repairs = GapRepairs(
            writer,
            self.client,
            self.progress,
            self.counts,
            self._log,
            self._bars,
            build_bars=self._build_bars,
            heard=self._tell_listener,
            clock=clock,
        )
        self.states = StateReports(
            writer, self.client, self.progress, self._log, stale_seconds=self.stream.stale_seconds
        )

    async def run(self) -> None:
        """Go on from where the database is, until cancelled. Nothing is read before it answers.

        What was read and not stored by a run that failed is stored by the next one.
        """
        coverage = await self._log.retry("start", lambda: self.writer.open(self._clock()))
        self._tell_listener()  # what a killed process left is loaded
        for id_, each in coverage.items():
            last = None if each.last is None else microseconds_of(each.last)
            self.progress[id_] = Progress(Numbers(time=last))
            if each.first is not None:
                self._bars.begin(id_, each.first)
        async with asyncio.TaskGroup() as tasks:
            for part in (
                self.client.run(),
                self._route_frames(),
                self._store_batches(),
                self.repairs.run(),
                self.states.run(),
            ):
                tasks.create_task(part)

    async def run_forever(self) -> None:
        """`run`, again after each failure, with a wait that doubles: one source's failure is no other source's."""
        wait = FIRST_WAIT
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self.run()
            except Exception as error:
                await self._report_failure(error)
            wait = FIRST_WAIT if loop.time() - began > LONGEST_WAIT else wait
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _report_failure(self, error: Exception) -> None:
        """Say why the stream failed, and write it into its states, which are all that others see of it."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        line = f"failed, starting it again: {one_line(f'{type(error).__name__}: {error}')}"
        self._log.note_fault("failure", line)
        state = State(None, "down", None, 0, line, None, None)
        with suppress(Exception):  # the failure may be the database's
            await asyncio.to_thread(
                self.writer.keep_states, dict.fromkeys(self.source.instruments, state), datetime.now(UTC)
            )

    @property
    def is_empty(self) -> bool:
        """Whether everything that was read is stored."""
        return not self._buffer and not self._arrived

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Store what was read and give up the lock; for an end that was asked for.

        What the database has not taken within `seconds` is dropped, and the next start asks for it.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self.is_empty:
                    await self._store_batch()
                if self.writer.has_unshown_records:
                    await self._log.retry("database", lambda: self.writer.show_last_records(self._clock()))
                await self._build_bars()
        except TimeoutError:  # a thread may still wait for the database: the lock ends with the process
            left = len(self._buffer) + len(self._arrived)
            line = f"{left} frames were not stored within {seconds:g} s; the next start asks for them"
            self._log.note_fault("end", line)
        else:
            self.writer.close()

    async def _receive(self, connection: int, sequence: int, data: bytes) -> None:
        """Take a frame in; wait while there is no room for another one."""
        self._arrived.append(Frame(connection, sequence, self._clock(), data, None))
        self._bytes += len(data)
        self._arrival.set()
        if len(self._arrived) + len(self._buffer) >= MOST_FRAMES or self._bytes >= MOST_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _route_frames(self) -> None:
        """Route frames as soon as the connection has no more of them: it does not give way before, so they are many."""
        while True:
            await self._arrival.wait()
            self._arrival.clear()
            self._route_arrived()

    def _route_arrived(self) -> None:
        """Have the frames that arrived stored next, and note what they are of."""
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        seconds, is_awaited = asyncio.get_running_loop().time(), False
        waits = self._listener is not None and self._listener.is_waiting
        for frame, route in zip(arrived, self.router.route([frame.data for frame in arrived]), strict=True):
            if route.refusal is not None or "venue" in self.counts.errors:
                self._notes.note_refusal(frame.connection, route)
            times = [(each.instrument, self._notes.note(each, frame.received_at, seconds)) for each in route.sightings]
            stated = tuple((id_, time) for id_, time in times if time is not None)
            instrument = route.instrument if route.is_readable else UNREADABLE
            self._buffer.append(frame._replace(instrument=instrument, times=stated))
            is_awaited = is_awaited or (waits and route.instrument is not None)
        self.counts.frames += len(arrived)
        if is_awaited or len(self._buffer) >= BATCH_FRAMES or self._bytes >= BATCH_BYTES:
            self._work.set()

    def _disconnected(self) -> None:
        self._route_arrived()  # they are of the connection that ended
        for progress in self.progress.values():
            progress.numbers.disconnect()

    async def _store_batches(self) -> None:
        while True:
            self._work.clear()
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                pass
            else:  # the first frame after a pause waits for no others
                await asyncio.sleep(self._stored_at + PROMPT_SECONDS - asyncio.get_running_loop().time())
            while self._buffer:
                await self._store_batch()
                self._stored_at = asyncio.get_running_loop().time()
                await self._show_last_records()
            await self._show_last_records()
            await self._build_bars()

    async def _show_last_records(self) -> None:
        """Once a second at most: whoever shows prices is told no more often."""
        seconds = asyncio.get_running_loop().time()
        if self.writer.has_unshown_records and seconds - self._shown_at >= SHOW_SECONDS:
            self._shown_at = seconds
            await self._log.retry("database", lambda: self.writer.show_last_records(self._clock()))

    async def _store_batch(self) -> None:
        self._route_arrived()
        batch = first_batch(self._buffer, self._span)
        if any(progress.has_unreported_hole for progress in self.progress.values()):
            await self.states.write()  # before the trades behind the hole are stored
        loaded = await self._log.retry("database", lambda: self.writer.store(batch, self._clock()))
        if loaded.refused:
            self._ask_for_refused(batch, loaded.refused)
        del self._buffer[: len(batch)]
        self._bytes -= sum(len(frame.data) for frame in batch)
        self._room.set()
        if loaded.rows:
            self._tell_listener()
        self.counts.rows += loaded.rows
        self.counts.rejects += loaded.rejects
        earliest: dict[str, int] = {}
        for frame in batch:
            for id_, time in frame.times:
                earliest[id_] = min(time, earliest.get(id_, time))
        for id_, time in earliest.items():
            self._bars.build_again(id_, time_of(time))

    def _tell_listener(self) -> None:
        if self._listener is not None:
            self._listener.hear()

    def _ask_for_refused(self, batch: Sequence[Frame], refused: Sequence[str]) -> None:
        """Have REST asked for what a batch held that the parser refused. The reason is told once until that is done."""
        line = f"frames were stored and refused by the parser, their records are asked for: {one_line(refused[0])}"
        if self._log.fault("parser") is None:
            self._log.note_fault("parser", line)
        self.counts.errors["parser"] = line
        for id_, progress in self.progress.items():
            times = [time for frame in batch for own, time in frame.times if own == id_]
            if times and self.writer.is_completed:
                progress.numbers.add_gap(min(times), max(times), asyncio.get_running_loop().time())

    async def _build_bars(self) -> None:
        self._route_arrived()
        waiting = min((time for frame in self._buffer for _, time in frame.times), default=None)
        await self._bars.build(None if waiting is None else time_of(waiting))
