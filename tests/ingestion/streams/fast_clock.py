"""A clock on which a minute of the market is a second, and a recorder that follows it to its end."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from strades_pipelines.brokerage.stream_desk import StreamDesk
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.ingestion.streams import gap_repairs
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.ingestion.streams.writer import StreamWriter

SPEED = 60.0
MOST_SECONDS = 240.0  # beyond what the clock takes: a busy machine


@dataclass
class FastClock:
    """Market time: from `start` on at `SPEED`, and held at `end`."""

    start: datetime
    end: datetime
    began: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The time of the market, UTC."""
        return min(self.start + timedelta(seconds=SPEED * (time.monotonic() - self.began)), self.end)

    def restart(self, minutes: float = 10) -> None:
        """Go on from the end, for that long."""
        self.start, self.end, self.began = self.end, self.end + timedelta(minutes=minutes), time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it takes from start to end."""
        return (self.end - self.start).total_seconds() / SPEED

    @property
    def stands(self) -> bool:
        """Whether it was not started, or stopped."""
        return self.start == self.end

    def stop(self) -> None:
        """Stand still at the end."""
        self.start = self.end

    @property
    def is_over(self) -> bool:
        """Whether it has been at its end for a moment."""
        return time.monotonic() - self.began > self.seconds + 0.3


def record(name: str, sources: Sources, clock: FastClock, url: str, say: Callable[[str], None]) -> StreamRecorder:
    """Keep the stream of a source until the clock is at its end, everything is stored and no gap is open.

    A clock that stands still goes on once the stream is connected: a slow machine misses nothing.
    """
    [made] = record_all([name], sources, clock, url, say)
    return made


def record_all(
    names: Sequence[str],
    sources: Sources,
    clock: FastClock,
    url: str,
    say: Callable[[str], None],
    desk: StreamDesk | None = None,
    minutes: float = 10,
) -> list[StreamRecorder]:
    """As `record`, several streams side by side, and a desk that decides on what they bring."""
    made = [
        StreamRecorder(source, StreamWriter(source, url), clock=clock.now, say=say, listener=desk)
        for source in stream_sources(sources, names)
    ]
    gap_repairs.JOIN_SECONDS = gap_repairs.GAP_SECONDS = 1.0  # the ten minutes are over by then, and asked for at once
    asyncio.run(_run(made, clock, desk, minutes))
    return made


async def _run(made: Sequence[StreamRecorder], clock: FastClock, desk: StreamDesk | None, minutes: float) -> None:
    running = [asyncio.create_task(each.run()) for each in made]
    running += [] if desk is None else [asyncio.create_task(desk.run())]
    async with asyncio.timeout(MOST_SECONDS + 60 * minutes / SPEED + clock.seconds):
        while clock.stands and any(each.client.connection is None for each in made):
            await asyncio.sleep(0.02)
        if clock.stands:
            clock.restart(minutes)
        while not (clock.is_over and all(map(_is_complete, made))):
            await asyncio.sleep(0.02)
            for task in running:
                if task.done():
                    task.result()
        # The bars of what a last repair brought are built a moment later; a stream that ends before leaves them to the
        # next start, since it knows nothing of what came behind the trade that it saw last.
        built = -1
        while built != (built := sum(each.counts.bars for each in made)):
            await asyncio.sleep(1.0)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for each in made:
        await each.drain()
    if desk is not None:
        desk.decide()


def _is_complete(made: StreamRecorder) -> bool:
    if not made.writer.is_completed:
        return bool(made.progress) and made.is_empty
    joined = all(each.numbers.is_joined and not each.numbers.gaps for each in made.progress.values())
    return bool(made.progress) and joined and made.is_empty
