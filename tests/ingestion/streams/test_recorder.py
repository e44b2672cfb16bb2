"""What a recorder makes of single frames, and in which order it writes; a list stands for the database.

It holds the recorder's parts too: strades_pipelines.ingestion.streams.bar_schedule, whose times are those of
strades_pipelines.ingestion.streams.epoch, gap_repairs and strades_pipelines.ingestion.streams.state_reports.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.brokerage.stream_desk import StreamDesk
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams import recorder
from strades_pipelines.ingestion.streams.frame_store import Frame
from strades_pipelines.ingestion.streams.progress import Progress
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.ingestion.streams.stream_gaps import Sequence as Numbers
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.ingestion.streams.writer import Coverage, State, StreamWriter, Taken
from strades_pipelines.operations.streaming import _keep_all
from strades_pipelines.settings import PROJECT

BTC = "001CC"  # of gateio_trades in Sources.json
NOW = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
WORDS = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "1", "price": "2"}


class ListWriter(StreamWriter):
    """Keeps what it was asked to write, in order; `taken` is the answer to each batch and each repair."""

    def __init__(self, source: Any) -> None:
        super().__init__(source, "")
        self.calls: list[tuple[Any, ...]] = []
        self.taken = Taken(1, 0)

    def open(self, now: datetime) -> Mapping[str, Coverage]:
        """Nothing is there."""
        return dict.fromkeys(self.source.instruments, Coverage(None, None))

    def store(self, frames: Sequence[Frame], now: datetime) -> Taken:
        """Keep the numbers of the frames."""
        self.calls.append(("store", [frame.sequence for frame in frames]))
        return self.taken

    def repair(self, instruments: Sequence[str], start: datetime, end: datetime, now: datetime) -> Taken:
        """Answer with `taken`."""
        return self.taken

    def build_bars(self, instrument: str, start: datetime, end: datetime, now: datetime) -> int:
        """Keep the stretch of Bitcoin whose bars were built."""
        self.calls.append(("bars", start, self.floor(end)))
        return 1

    def keep_states(self, states: Mapping[str, State], now: datetime) -> None:
        """Keep what was said of Bitcoin."""
        self.calls.append(("state", states[BTC].state, states[BTC].complete_until))

    def show_last_records(self, now: datetime) -> None:
        """Keep that it was asked for."""
        self.calls.append(("shown", now))


class Recording:
    """A recorder of gateio_trades at NOW, on a `ListWriter`."""

    def __init__(self) -> None:
        [source] = stream_sources(load_sources(PROJECT / "Sources.json"), ["gateio_trades"])
        self.writer = ListWriter(source)
        self.said: list[str] = []
        self.now = NOW
        self.recorder = StreamRecorder(source, self.writer, clock=lambda: self.now, say=self.said.append)
        self.recorder.progress.update((id_, Progress(Numbers())) for id_ in source.instruments)
        self.recorder.client.connection = 7
        self.sequence = 0

    @property
    def progress(self) -> Progress:
        """Of Bitcoin."""
        return self.recorder.progress[BTC]

    async def receive(self, number: int, time: datetime | float) -> None:
        """A frame of a trade of Bitcoin; a float is seconds since the epoch."""
        seconds = time.timestamp() if isinstance(time, datetime) else time
        row = {"id": number, "id_market": number, "create_time_ms": f"{1000 * seconds:.0f}"}
        document = {"channel": "spot.trades", "event": "update", "result": row | WORDS}
        await self.recorder._receive(7, self.sequence, json.dumps(document).encode())
        self.recorder._route_arrived()
        self.sequence += 1

    async def store(self) -> None:
        """Store what was received."""
        while not self.recorder.is_empty:
            await self.recorder._store_batch()


@pytest.fixture
def recording() -> Recording:
    """A recorder that has received nothing."""
    return Recording()


def test_02_a_hole_is_written_down_before_the_trades_behind_it_are_stored(recording: Recording) -> None:
    async def receive() -> None:
        await recording.receive(1, NOW - timedelta(seconds=9))
        await recording.store()
        await recording.receive(5, NOW - timedelta(seconds=3))  # 2 to 4 are missing
        await recording.store()
        await recording.receive(6, NOW - timedelta(seconds=2))
        await recording.store()

    asyncio.run(receive())
    hole = ("state", "repairing", NOW - timedelta(seconds=9))
    assert recording.writer.calls == [("store", [0]), hole, ("store", [1]), ("store", [2])]


def test_a_stream_that_fails_is_started_again_and_no_other_one_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "FIRST_WAIT", 0.01)
    failing, other = Recording(), Recording()
    runs: list[str] = []

    async def fail_once() -> None:
        runs.append("failing")
        if len(runs) < 3:  # the other one, this one, and this one again
            raise ExceptionGroup("of tasks", [OverflowError("date value out of range")])
        await asyncio.Event().wait()

    async def run_on() -> None:
        runs.append("other")
        await asyncio.Event().wait()

    monkeypatch.setattr(failing.recorder, "run", fail_once)
    monkeypatch.setattr(other.recorder, "run", run_on)
    desk = StreamDesk("", clock=lambda: datetime.now(UTC), say=print)
    asyncio.run(_keep_all([other.recorder, failing.recorder], desk, 0.5))
    assert runs == ["other", "failing", "failing"]
    line = "failed, starting it again: OverflowError: date value out of range"
    assert failing.said == [f"gateio_trades: {line}"]
    assert failing.recorder.counts.errors == {"failure": line}
    assert failing.writer.calls == [("state", "down", None)]
    assert other.said == []


@pytest.mark.parametrize("seconds", [9e12, 253_402_300_799.0, 0.0, NOW.timestamp() + 86_400, NOW.timestamp() - 86_401])
def test_a_frame_of_another_time_costs_nothing_but_its_own_place_in_the_bars(
    recording: Recording, seconds: float
) -> None:
    async def receive() -> None:
        await recording.receive(1, NOW - timedelta(seconds=5))
        await recording.receive(2, seconds)
        await recording.receive(2, seconds)
        await recording.receive(3, NOW - timedelta(seconds=3))  # 2 is missing: its frame counted for nothing
        await recording.store()

    asyncio.run(receive())
    assert recording.writer.calls[-1] == ("store", [0, 1, 2, 3])  # all are kept
    numbers = recording.progress.numbers
    assert [(gap.first, gap.last) for gap in numbers.gaps] == [(2, 2)]
    assert numbers.time == 1_000_000 * (int(NOW.timestamp()) - 3)  # the next outage is asked for from there on
    assert recording.progress.bars_from == NOW  # the minute after the first trade's, as without that frame
    assert len(recording.said) == 1
    assert "is this machine's clock right?" in recording.said[0]


def test_what_the_parser_refuses_is_told_of_once_and_asked_for(recording: Recording) -> None:
    recording.writer.taken = Taken(0, 0, ("gateio_trades wss://x: expected at most 1000000 bytes, was 1400000",))
    first, last = NOW - timedelta(seconds=9), NOW - timedelta(seconds=3)

    async def receive() -> None:
        await recording.receive(1, first)
        await recording.receive(2, last)
        await recording.store()
        await recording.receive(3, NOW)
        await recording.store()

    asyncio.run(receive())
    seconds = [(gap.start / 1e6, gap.end / 1e6) for gap in recording.progress.numbers.gaps]
    assert seconds == [(first.timestamp(), last.timestamp()), (NOW.timestamp(), NOW.timestamp())]
    assert len(recording.said) == 1
    assert "refused by the parser" in recording.said[0]
    state = recording.recorder.states.state(recording.progress)
    assert (state.state, state.complete_until) == ("repairing", first)
    assert "expected at most 1000000 bytes" in str(state.detail)


@pytest.mark.parametrize(("oldest", "built"), [(5.5, [(1, 2), (6, 14)]), (None, [(1, 2), (11, 14)]), (1, [(1, 14)])])
def test_no_bar_is_built_of_the_trades_that_an_answer_did_not_reach(
    recording: Recording, oldest: float | None, built: list[tuple[int, int]]
) -> None:
    # trades of 10:00 and 10:02:30, none until 10:10; the answer begins at 10:05:30, has no trade, or begins at 10:01
    minute = timedelta(minutes=1)
    reached = {} if oldest is None else {BTC: NOW + oldest * minute}
    recording.writer.taken = Taken(1, 0, (), reached)

    async def receive() -> None:
        recording.now = NOW + 10 * minute
        await recording.receive(1, NOW)
        await recording.receive(2, NOW + 2.5 * minute)
        await recording.receive(9, NOW + 10 * minute)
        await recording.store()
        await recording.recorder.repairs.repair({BTC: list(recording.progress.numbers.gaps)})
        recording.now = NOW + 15 * minute
        await recording.recorder._build_bars()

    asyncio.run(receive())
    bars = [call[1:] for call in recording.writer.calls if call[0] == "bars"]
    assert [((start - NOW) / minute, (end - NOW) / minute) for start, end in bars] == built
    assert len(recording.said) == len(built)  # that the hole was asked for, and where bars begin anew


def test_the_end_does_not_wait_for_a_database_that_is_away(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise psycopg.OperationalError("connection refused")

    async def receive_and_end() -> None:
        await recording.receive(1, NOW)
        async with asyncio.timeout(10):
            await recording.recorder.drain(0.1)

    monkeypatch.setattr(recording.writer, "store", refuse)
    asyncio.run(receive_and_end())
    assert recording.said[-1].endswith("1 frames were not stored within 0.1 s; the next start asks for them")
    assert "end" in recording.recorder.counts.errors


def test_last_prices_are_written_and_told_of_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recording()
    made.writer._unshown = [1]

    async def show_often() -> None:
        for _ in range(5):
            await made.recorder._show_last_records()

    asyncio.run(show_often())
    assert made.writer.calls == [("shown", NOW)]
    monkeypatch.setattr(recorder, "SHOW_SECONDS", 0.0)
    asyncio.run(show_often())
    assert made.writer.calls == [("shown", NOW)] * 6


def test_a_frame_waits_for_others_unless_somebody_waits_for_its_records() -> None:
    async def wakes(listener: Listening | None) -> bool:
        made = Recording()
        made.recorder._listener = listener
        await made.receive(1, NOW)
        return made.recorder._work.is_set()

    assert [asyncio.run(wakes(one)) for one in (None, Listening(False), Listening(True))] == [False, False, True]


def test_the_first_frame_after_a_pause_waits_for_no_others_and_those_of_a_burst_are_stored_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, "PROMPT_SECONDS", 1.0)
    made = Recording()
    made.recorder._listener = Listening(True)
    waited: list[float] = []

    async def receive() -> None:
        loop = asyncio.get_running_loop()
        storing = asyncio.create_task(made.recorder._store_batches())
        for numbers in ((1,), (2, 3)):
            began, calls = loop.time(), len(made.writer.calls)
            for number in numbers:
                await made.receive(number, NOW)
                await asyncio.sleep(0.05)
            while len(made.writer.calls) == calls:
                await asyncio.sleep(0.01)
            waited.append(loop.time() - began)
        storing.cancel()

    asyncio.run(receive())
    assert [call for call in made.writer.calls if call[0] == "store"] == [("store", [0]), ("store", [1, 2])]
    assert waited[0] < 0.9 < waited[1]


def test_frames_that_a_connection_left_behind_are_noted_before_its_end(recording: Recording) -> None:
    async def receive() -> None:
        for number, seconds in ((1, 9), (2, 8)):
            row = {"id": number, "id_market": number, "create_time_ms": f"{1000 * (NOW.timestamp() - seconds):.0f}"}
            frame = {"channel": "spot.trades", "event": "update", "result": row | WORDS}
            await recording.recorder._receive(7, number, json.dumps(frame).encode())
        recording.recorder._disconnected()
        await recording.receive(4, NOW)

    asyncio.run(receive())
    [gap] = recording.progress.numbers.gaps  # of what was sent while nobody listened, from the newest trade on
    assert (gap.first, gap.start) == (None, 1_000_000 * (int(NOW.timestamp()) - 8))


def test_whoever_waits_is_told_at_the_start_and_of_what_was_asked_for_again(recording: Recording) -> None:
    """A start loads what a killed process left, and an answer may hold the trades of a hole."""
    listener = Listening(True)
    recording.recorder._listener = listener

    async def wait() -> None:
        await asyncio.Event().wait()

    async def start() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await recording.recorder.run()

    async def repair() -> None:
        await recording.receive(1, NOW - timedelta(seconds=9))
        await recording.receive(5, NOW - timedelta(seconds=3))
        await recording.recorder.repairs.repair({BTC: list(recording.progress.numbers.gaps)})

    recording.recorder.client.run = wait  # type: ignore[method-assign]  # no network
    asyncio.run(start())
    assert listener.heard == 1
    recording.recorder.progress[BTC] = Progress(Numbers())
    asyncio.run(repair())
    assert listener.heard == 2


@dataclass
class Listening:
    """Who waits, or does not."""

    is_waiting: bool
    heard: int = 0

    def hear(self) -> None:
        """Count."""
        self.heard += 1
