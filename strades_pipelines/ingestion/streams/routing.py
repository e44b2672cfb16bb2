"""Which instruments frames are of, and which of the venue's trades are in them: a pure function of their bytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.json_pointer import ABSENT, matches, resolve
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.sources import Instrument
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.json_reader import cell_of
from strades_pipelines.ingestion.streams.messages import topic_of
from strades_pipelines.ingestion.values import instants
from strades_pipelines.ingestion.verdicts import one_line

TIMES = {"trade": "event_time", "quote": "event_time", "candle": "open_time"}
LARGEST = 2**63
SEVERAL = "several"  # in the place of an instrument, for frames that may have messages of any of them


class Sighting(NamedTuple):
    """A record of an `instrument` (its id) in a frame.

    `first` and `last` are the numbers of its trades or of its bar, `time` is in microseconds since the epoch; None
    where it states none that can be used, and where it is not of the kind that is completed, the protocol's first.
    """

    instrument: str
    first: int | None = None
    last: int | None = None
    time: int | None = None


class Route(NamedTuple):
    """What a frame is: one with records of an `instrument` (or `SEVERAL`), one without records, an unreadable one.

    `refusal`: what the venue says in it where it refuses a login or a subscription.
    """

    instrument: str | None = None
    is_readable: bool = True
    sightings: tuple[Sighting, ...] = ()
    refusal: str | None = None


class _Message(NamedTuple):
    """A message of an instrument that was asked for; `row` is the newest one in it that may state a time.

    `is_of_kind`: it has records of the kind that is completed.
    """

    instrument: str
    body: Any
    row: Any
    is_of_kind: bool


UNREADABLE_ROUTE, EMPTY_ROUTE = Route(is_readable=False), Route()


class Router:
    """Knows the topics of the instruments of a connection."""

    def __init__(self, protocol: Protocol, instruments: Sequence[Instrument]) -> None:
        assert protocol.stream is not None
        self.stream = protocol.stream
        self.topics: Mapping[str, str] = {topic_of(protocol, each): each.id for each in reversed(instruments)}
        output = self.stream.read.outputs[0]
        field = output.fields.get(TIMES[output.kind])
        self._rows = "" if self.stream.messages is not None else output.rows  # of a message, which is the row itself
        self._match = output.match
        self._time = None if field is None else (str(field.at), field.unit)
        is_of_bars = output.kind == "candle"
        self._steps = {each.id: interval_seconds(each.interval) * 1_000_000 for each in instruments if is_of_bars}

    def route(self, frames: Sequence[bytes]) -> list[Route]:
        """The route of each frame.

        A frame of an instrument that was not asked for has no records for us; one that is not JSON is unreadable, and
        so is one that has what marks records but names no instrument.
        """
        found = [self._read(frame) for frame in frames]
        # The times of all frames at once: the arrays of a single one took half of the time of a route (2026-11-30).
        times = iter(self._times([message.row for each in found if isinstance(each, list) for message in each]))
        return [each if isinstance(each, Route) else self._route(each, times) for each in found]

    def _read(self, frame: bytes) -> Route | list[_Message]:
        """The messages of a frame that has records for us, or its route where it has none."""
        try:
            document = loads(frame)
        except JsonError:
            return UNREADABLE_ROUTE
        found = document if self.stream.messages is None else resolve(document, self.stream.messages)
        messages = found if self.stream.messages is not None and isinstance(found, list) else [found]
        read = []
        for message in messages:
            if matches(message, self.stream.match):
                topic = resolve(message, self.stream.at)
                if not isinstance(topic, str):
                    return UNREADABLE_ROUTE
                if topic in self.topics:
                    read.append(self._message(self.topics[topic], message))
        if read:
            return read
        refusal = next(filter(None, map(self._refusal_in, messages)), None)
        return EMPTY_ROUTE if refusal is None else Route(refusal=refusal)

    def _refusal_in(self, message: Any) -> str | None:
        """What a message says at the pointers of `errors`, where something stands at the first one."""
        said = [resolve(message, pointer) for pointer in self.stream.errors]
        if not said or said[0] in (ABSENT, None, False, ""):
            return None
        return one_line(" ".join(str(each) for each in said if each is not ABSENT and each is not None))

    def _message(self, instrument: str, message: Any) -> _Message:
        found = resolve(message, self._rows)
        rows = found if isinstance(found, list) else [found]
        if self._match is not None:
            rows = [row for row in rows if matches(row, self._match)]
            if not rows:  # a bar that comes beside trades has a time and no number of theirs: it tells of no trade
                return _Message(instrument, message, None, is_of_kind=False)
        return _Message(instrument, message, rows[-1] if rows else None, is_of_kind=True)  # of several the newest

    def _times(self, rows: Sequence[Any]) -> list[int | None]:
        """The time that each row states, microseconds since the epoch."""
        if self._time is None or not rows:
            return [None] * len(rows)
        at, unit = self._time
        found = instants([cell_of(row, at) if isinstance(row, dict) else None for row in rows], unit)
        times: list[int | None] = found.values.tolist()
        if found.absent.any():
            return [None if absent else time for time, absent in zip(times, found.absent.tolist(), strict=True)]
        return times

    def _route(self, messages: Sequence[_Message], times: Iterator[int | None]) -> Route:
        sightings = tuple(self._sighting(message, next(times)) for message in messages)
        return Route(SEVERAL if self.stream.messages is not None else sightings[0].instrument, True, sightings)

    def _sighting(self, message: _Message, time: int | None) -> Sighting:
        if not message.is_of_kind:
            return Sighting(message.instrument)
        if message.instrument in self._steps:  # bars are numbered by their place on the grid
            number = None if time is None else time // self._steps[message.instrument]
            return Sighting(message.instrument, number, number, time)
        first, last = (_number(resolve(message.body, pointer)) for pointer in self.stream.sequence or ("/", "/"))
        return Sighting(message.instrument, first, last, time)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST
    return value if isinstance(value, int) and is_number else None
