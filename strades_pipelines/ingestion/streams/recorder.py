"""One source's stream, kept: frames in batches, what they say loaded, holes asked for again, bars of the trades.

Memory is bounded: at `MOST_FRAMES` or `MOST_BYTES` that the database has not taken, nothing more is read from the
network (back pressure). The venue then buffers, and cuts us in the end; the next connection completes from REST. No
frame that was read is dropped. A process that is killed loses what it held, and the next start asks for it.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import psycopg
from adbc_driver_manager import Error as AdbcError

from strades_pipelines.ingestion.streams.batches import BATCH_BYTES, BATCH_FRAMES, first_batch, longest_span
from strades_pipelines.ingestion.streams.frame_store import UNREADABLE, Frame, StreamSource
from strades_pipelines.ingestion.streams.progress import Counts, Progress
from strades_pipelines.ingestion.streams.repair import RepairFailed
from strades_pipelines.ingestion.streams.routing import Route, Router, Sighting
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.ingestion.streams.stream_gaps import Gap
from strades_pipelines.ingestion.streams.stream_gaps import Sequence as Numbers
from strades_pipelines.ingestion.streams.writer import State, StreamBusy, StreamWriter
from strades_pipelines.ingestion.verdicts import one_line

MOST_FRAMES, MOST_BYTES = 20_000, 32_000_000
FLUSH_SECONDS = 0.25
PROMPT_SECONDS = 0.01  # where somebody waits for the records: so long after one batch the next one begins
SHOW_SECONDS = 1.0
MEND_SECONDS = 0.5
GAP_SECONDS = 1.5  # a trade that is only late has come by then
JOIN_SECONDS = 5.0  # a connection without a trade for so long: what was before it is asked for all the same
STATE_SECONDS = 5.0
DRAIN_SECONDS = 30.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds after a failure, doubled while it lasts
MARGIN = timedelta(seconds=1)  # around a gap: venues state times in whole seconds or milliseconds
# A record states a time of the last day, by our clock: another one says nothing about what is missing.
OLDEST, NEWEST = 86_400_000_000, 10_000_000  # microseconds
BARS_AFTER = timedelta(seconds=2)  # a bar is built so long after its close
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
DATABASE_ERRORS = (psycopg.OperationalError, AdbcError)
Result = TypeVar("Result")


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
        self._clock, self._say, self._listener = clock, say, listener
        self.router = Router(source.protocol, list(source.instruments.values()))
        self._arrived: list[Frame] = []  # not routed yet
        self._buffer: list[Frame] = []
        self._bytes = 0  # of both
        self._shown_at = self._stored_at = -math.inf
        self._span = longest_span(self.stream)
        lengths = {id_: writer.length_of_bars(id_) for id_ in source.instruments}
        self._bar_lengths = {id_: each // MICROSECOND for id_, each in lengths.items()}
        self._refused_on: int | None = None  # the connection
        self._room, self._arrival, self._work = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._states_lock = asyncio.Lock()  # older states never overwrite newer ones

    async def run(self) -> None:
        """Go on from where the database is, until cancelled. Nothing is read before it answers.

        What was read and not stored by a run that failed is stored by the next one.
        """
        coverage = await self._through("start", lambda: self.writer.open(self._clock()))
        self._tell_listener()  # what a killed process left is loaded
        self.progress = {id_: Progress(Numbers(time=_microseconds_of(each.last))) for id_, each in coverage.items()}
        for id_, each in coverage.items():
            if each.first is not None:
                self._begin_bars(id_, each.first)
        async with asyncio.TaskGroup() as tasks:
            for part in (
                self.client.run(),
                self._route_frames(),
                self._store_batches(),
                self._mend_gaps(),
                self._report_states(),
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
        self._tell("failure", line)
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
                    await self._through("database", lambda: self.writer.show_last_records(self._clock()))
                await self._build_bars()
        except TimeoutError:  # a thread may still wait for the database: the lock ends with the process
            left = len(self._buffer) + len(self._arrived)
            self._tell("end", f"{left} frames were not stored within {seconds:g} s; the next start asks for them")
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
                self._note_refusal(frame.connection, route)
            times = [(each.instrument, self._note(each, frame.received_at, seconds)) for each in route.sightings]
            stated = tuple((id_, time) for id_, time in times if time is not None)
            instrument = route.instrument if route.is_readable else UNREADABLE
            self._buffer.append(frame._replace(instrument=instrument, times=stated))
            is_awaited = is_awaited or (waits and route.instrument is not None)
        self.counts.frames += len(arrived)
        if is_awaited or len(self._buffer) >= BATCH_FRAMES or self._bytes >= BATCH_BYTES:
            self._work.set()

    def _note_refusal(self, connection: int, route: Route) -> None:
        """Tell what the venue refuses; that stands until another connection brings records."""
        if route.refusal is not None:
            self._refused_on = connection
            self._tell("venue", f"the venue refuses: {route.refusal}")
        elif route.sightings and connection != self._refused_on:
            self.counts.errors.pop("venue", None)

    def _note(self, seen: Sighting, now: datetime, seconds: float) -> int | None:
        """Note a record of an instrument; returns the time that it states, microseconds since the epoch.

        Args:
            seconds: of the event loop's clock.
        """
        progress, time = self.progress[seen.instrument], self._plausible_time(seen, now)
        progress.heard_at, progress.last_frame_at, progress.is_stale = seconds, now, False
        if time is not None and self.writer.is_completed:
            if progress.first_bar is None:
                self._begin_bars(seen.instrument, _time(time))
            progress.numbers.see(seen.first, seen.last, time, seconds)
        return time

    def _plausible_time(self, seen: Sighting, now: datetime) -> int | None:
        """The time that a record states, microseconds since the epoch; None where it cannot be, which is told of once.

        The frame is stored and parsed all the same. A bar states its opening time, an interval before it comes.
        """
        if seen.time is None:
            return None
        at = _microseconds(now)
        if at - OLDEST - self._bar_lengths[seen.instrument] <= seen.time <= at + NEWEST:
            return seen.time
        progress = self.progress[seen.instrument]
        if not progress.has_wrong_time:
            progress.has_wrong_time = True
            self._say(
                f"{self.source.website.name}: {seen.instrument}: a frame states a time that is not of the last day "
                f"({seen.time} us since the epoch): no hole and no bar is told from it; is this machine's clock right?"
            )
        return None

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
            await self._through("database", lambda: self.writer.show_last_records(self._clock()))

    async def _store_batch(self) -> None:
        self._route_arrived()
        batch = first_batch(self._buffer, self._span)
        if any(progress.has_unreported_hole for progress in self.progress.values()):
            await self._write_states()  # before the trades behind the hole are stored
        loaded = await self._through("database", lambda: self.writer.store(batch, self._clock()))
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
            self._build_again(id_, _time(time))

    def _tell_listener(self) -> None:
        if self._listener is not None:
            self._listener.hear()

    def _ask_for_refused(self, batch: Sequence[Frame], refused: Sequence[str]) -> None:
        """Have REST asked for what a batch held that the parser refused. The reason is told once until that is done."""
        line = f"frames were stored and refused by the parser, their records are asked for: {one_line(refused[0])}"
        if "parser" not in self.counts.errors:
            self._say(f"{self.source.website.name}: {line}")
        self.counts.errors["parser"] = line
        for id_, progress in self.progress.items():
            times = [time for frame in batch for own, time in frame.times if own == id_]
            if times and self.writer.is_completed:
                progress.numbers.add_gap(min(times), max(times), asyncio.get_running_loop().time())

    def _begin_bars(self, instrument: str, time: datetime) -> None:
        """The first record: the bar that holds it is of a part of its trades, the next one is the first."""
        progress = self.progress[instrument]
        if progress.first_bar is None:
            progress.complete_from = time
            progress.first_bar = progress.bars_from = self.writer.floor(time) + self.writer.bar_length

    async def _skip_bars(self, instrument: str, gaps: Sequence[Gap], oldest: datetime | None) -> None:
        """After a repair whose answer began at `oldest`: build no bar between the hole and that trade.

        None: the answer had no trade.
        """
        start, end = _time(min(gap.start for gap in gaps)), _time(max(gap.end for gap in gaps))
        reached = end if oldest is None else oldest
        if reached <= start:
            return
        await self._build_bars()  # those before the hole, which is still open
        progress = self.progress[instrument]
        progress.first_bar = None
        self._begin_bars(instrument, reached)
        self._say(
            f"{self.source.website.name}: {instrument}: the provider answers with its newest trades alone, from "
            f"{reached:%Y-%m-%d %H:%M:%S} UTC on: no bar from {start:%H:%M:%S} until then"
        )

    def _build_again(self, instrument: str, time: datetime) -> None:
        """A trade of that time was stored: its bar is to be built, again where it was."""
        progress = self.progress[instrument]
        if progress.first_bar is not None and progress.bars_from is not None:
            progress.bars_from = min(progress.bars_from, max(time, progress.first_bar))

    async def _build_bars(self) -> None:
        """Bars of all trades before the first hole, once their time is over."""
        if not self.writer.builds_bars:
            return
        self._route_arrived()
        now = self._clock()
        waiting = min((time for frame in self._buffer for _, time in frame.times), default=None)
        for id_, progress in self.progress.items():
            hole = progress.numbers.complete_until()
            ends = [_time(time) for time in (waiting, hole) if time is not None]
            end = min([now - BARS_AFTER, *ends])
            start = progress.bars_from
            if start is None or end - self.writer.floor(start) < self.writer.bar_length:
                continue
            progress.bars_from = self.writer.floor(end)
            try:
                build = partial(self.writer.build_bars, id_, start, end, now)
                self.counts.bars += await self._through("bars", build)
            except BaseException:
                progress.bars_from = min(start, progress.bars_from)
                raise

    async def _mend_gaps(self) -> None:
        wait = FIRST_WAIT
        while True:
            await asyncio.sleep(MEND_SECONDS)
            now, seconds = self._clock(), asyncio.get_running_loop().time()
            connected = self.client.connection is not None
            if self.writer.is_completed and connected and seconds - self.client.connected_at > JOIN_SECONDS:
                for progress in self.progress.values():
                    progress.numbers.join_without_trade(_microseconds(now), seconds)
            due = {id_: each.numbers.due(seconds - GAP_SECONDS) for id_, each in self.progress.items()}
            if not any(due.values()):
                if not any(each.numbers.gaps for each in self.progress.values()):
                    self.counts.errors.pop("repair", None)  # late trades have filled what could not be asked for
                continue
            try:
                await self._mend({id_: gaps for id_, gaps in due.items() if gaps})
                wait = FIRST_WAIT
                self.counts.errors.pop("repair", None)
                if not any(progress.numbers.gaps for progress in self.progress.values()):
                    self.counts.errors.pop("parser", None)
            except (RepairFailed, *DATABASE_ERRORS) as error:
                self._tell("repair", f"what is missing could not be asked for: {one_line(str(error))}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _mend(self, due: dict[str, list[Gap]]) -> None:
        """Ask for all gaps of all instruments in one stretch, load it, and have the bars of it built again."""
        gaps = [gap for each in due.values() for gap in each]
        start, end = _time(min(gap.start for gap in gaps)), _time(max(gap.end for gap in gaps))
        now = self._clock()
        loaded = await asyncio.to_thread(self.writer.repair, list(due), start - MARGIN, end + MARGIN, now)
        self.counts.repairs += 1
        self.counts.rows += loaded.rows
        if loaded.rows:
            self._tell_listener()
        for id_, closed in due.items():
            if loaded.oldest is not None and self.writer.builds_bars:
                await self._skip_bars(id_, closed, loaded.oldest.get(id_))
            self.progress[id_].numbers.close(closed)
            self._build_again(id_, min(_time(gap.start) for gap in closed) - MARGIN)
        self._say(
            f"{self.source.website.name}: {', '.join(sorted(due))}: asked again for {start:%Y-%m-%d %H:%M:%S} to "
            f"{end:%H:%M:%S} UTC, {loaded.rows} rows that were missing"
        )

    async def _report_states(self) -> None:
        while True:
            seconds = asyncio.get_running_loop().time()
            for id_, progress in self.progress.items():
                quiet = seconds - max(progress.heard_at, self.client.connected_at)
                if self.client.connection and quiet > self._stale_seconds(id_) and not progress.is_stale:
                    progress.is_stale = True
                    self._say(f"{self.source.website.name}: {id_}: no record for {quiet:.0f} s")
            await self._write_states()
            await asyncio.sleep(STATE_SECONDS)
            self.counts.errors.pop("failure", None)  # it was started again, and runs

    async def _write_states(self) -> None:
        async with self._states_lock:
            states = {id_: self._state(progress) for id_, progress in self.progress.items()}
            await self._through("database", partial(self.writer.keep_states, states, datetime.now(UTC)))
            for id_, state in states.items():
                self.progress[id_].reported_until = _microseconds_of(state.complete_until)

    def _stale_seconds(self, instrument: str) -> float:
        """A bar comes once an interval."""
        return max(self.stream.stale_seconds, 2.0 * self.writer.length_of_bars(instrument).total_seconds())

    def _state(self, progress: Progress) -> State:
        connection, gaps = self.client.connection, len(progress.numbers.gaps)
        state = "down" if connection is None else "stale" if progress.is_stale else "repairing" if gaps else "live"
        errors = self.counts.errors
        refusal = errors.get("venue")
        if connection is None:
            detail = refusal or self.client.error
        else:
            detail = errors.get("repair") or errors.get("parser") or refusal
        until = progress.complete_until
        complete = (progress.complete_from, None if until is None else _time(until))
        return State(connection, state, progress.last_frame_at, gaps, detail, *complete)

    async def _through(self, what: str, work: Callable[[], Result]) -> Result:
        """Do work of the database in a thread, again and again while it is away; what was read waits meanwhile."""
        wait = FIRST_WAIT
        while True:
            try:
                done = await asyncio.to_thread(work)
            except (StreamBusy, *DATABASE_ERRORS) as error:
                why = "" if isinstance(error, StreamBusy) else "the database does not take it, nothing more is read: "
                self._tell(what, f"{why}{one_line(str(error))}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                self.counts.errors.pop(what, None)
                return done

    def _tell(self, what: str, line: str) -> None:
        if self.counts.errors.get(what) != line:
            self._say(f"{self.source.website.name}: {line}")
        self.counts.errors[what] = line


def _time(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def _microseconds_of(time: datetime | None) -> int | None:
    return None if time is None else _microseconds(time)
