"""How a stream does, said every few seconds in `ops.stream_states`, which is all that other processes see of it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from strades_pipelines.ingestion.streams.epoch import microseconds_of, time_of
from strades_pipelines.ingestion.streams.progress import Progress
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.ingestion.streams.stream_log import StreamLog
from strades_pipelines.ingestion.streams.writer import State, StreamWriter

STATE_SECONDS = 5.0


class StateReports:
    """Writes the states of one source's instruments.

    Args:
        stale_seconds: after so long without a record a stream is stale; a stream of bars after two of them at least.
        progress: of each instrument; shared with the recorder.
    """

    def __init__(
        self,
        writer: StreamWriter,
        client: StreamClient,
        progress: Mapping[str, Progress],
        log: StreamLog,
        *,
        stale_seconds: float,
    ) -> None:
        self._writer, self._client, self._progress, self._log = writer, client, progress, log
        self._stale_seconds = stale_seconds
        self._lock = asyncio.Lock()  # older states never overwrite newer ones

    async def run(self) -> None:
        """Write the states every few seconds, until cancelled; tell of a stream that has become stale."""
        while True:
            seconds = asyncio.get_running_loop().time()
            for id_, progress in self._progress.items():
                quiet = seconds - max(progress.heard_at, self._client.connected_at)
                if self._client.connection and quiet > self._longest_pause(id_) and not progress.is_stale:
                    progress.is_stale = True
                    self._log.say(f"{id_}: no record for {quiet:.0f} s")
            await self.write()
            await asyncio.sleep(STATE_SECONDS)
            self._log.end_fault("failure")  # it was started again, and runs

    async def write(self) -> None:
        """Write the states now."""
        async with self._lock:
            states = {id_: self.state(progress) for id_, progress in self._progress.items()}
            await self._log.retry("database", partial(self._writer.keep_states, states, datetime.now(UTC)))
            for id_, state in states.items():
                until = state.complete_until
                self._progress[id_].reported_until = None if until is None else microseconds_of(until)

    def state(self, progress: Progress) -> State:
        """The state of one instrument."""
        connection, gaps = self._client.connection, len(progress.numbers.gaps)
        state = "down" if connection is None else "stale" if progress.is_stale else "repairing" if gaps else "live"
        refusal = self._log.fault("venue")
        if connection is None:
            detail = refusal or self._client.error
        else:
            detail = self._log.fault("repair") or self._log.fault("parser") or refusal
        until = progress.complete_until
        complete = (progress.complete_from, None if until is None else time_of(until))
        return State(connection, state, progress.last_frame_at, gaps, detail, *complete)

    def _longest_pause(self, instrument: str) -> float:
        """A bar comes once an interval."""
        return max(self._stale_seconds, 2.0 * self._writer.length_of_bars(instrument).total_seconds())
