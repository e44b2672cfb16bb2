"""Which instruments a frame is of, and which of the venue's trades are in it: a pure function of its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Sighting:
    """A record of an `instrument` (its id) in a frame.

    `first` and `last` are the numbers of its trades or of its bar, `time` is in microseconds since the epoch; None
    where it states none that can be used, and where it is not of the kind that is completed, the protocol's first.
    """

    instrument: str
    first: int | None = None
    last: int | None = None
    time: int | None = None


@dataclass(frozen=True)
class Route:
    """What a frame is: one with records of an `instrument` (or `SEVERAL`), one without records, an unreadable one.

    `refusal`: what the venue says in it where it refuses a login or a subscription.
    """

    instrument: str | None = None
    is_readable: bool = True
    sightings: tuple[Sighting, ...] = ()
    refusal: str | None = None


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

    def route(self, frame: bytes) -> Route:
        """The route of a frame.

        A frame of an instrument that was not asked for has no records for us; one that is not JSON is unreadable, and
        so is one that has what marks records but names no instrument.
        """
        try:
            document = loads(frame)
        except JsonError:
            return Route(is_readable=False)
        found = document if self.stream.messages is None else resolve(document, self.stream.messages)
        messages = found if self.stream.messages is not None and isinstance(found, list) else [found]
        with_records = [message for message in messages if matches(message, self.stream.match)]
        topics = [resolve(message, self.stream.at) for message in with_records]
        if not all(isinstance(topic, str) for topic in topics):
            return Route(is_readable=False)
        pairs = zip(topics, with_records, strict=True)
        sightings = tuple(self._sighting(self.topics[topic], each) for topic, each in pairs if topic in self.topics)
        if not sightings:
            return Route(refusal=next(filter(None, map(self._refusal_in, messages)), None))
        return Route(SEVERAL if self.stream.messages is not None else sightings[0].instrument, True, sightings)

    def _refusal_in(self, message: Any) -> str | None:
        """What a message says at the pointers of `errors`, where something stands at the first one."""
        said = [resolve(message, pointer) for pointer in self.stream.errors]
        if not said or said[0] in (ABSENT, None, False, ""):
            return None
        return one_line(" ".join(str(each) for each in said if each is not ABSENT and each is not None))

    def _sighting(self, instrument: str, message: Any) -> Sighting:
        found = resolve(message, self._rows)
        rows = found if isinstance(found, list) else [found]
        if self._match is not None:
            rows = [row for row in rows if matches(row, self._match)]
            if not rows:  # a bar that comes beside trades has a time and no number of theirs: it tells of no trade
                return Sighting(instrument)
        time = self._time_of(rows[-1]) if rows else None  # of several the newest
        if instrument in self._steps:  # bars are numbered by their place on the grid
            number = None if time is None else time // self._steps[instrument]
            return Sighting(instrument, number, number, time)
        first, last = (_number(resolve(message, pointer)) for pointer in self.stream.sequence or ("/", "/"))
        return Sighting(instrument, first, last, time)

    def _time_of(self, row: Any) -> int | None:
        if self._time is None:
            return None
        at, unit = self._time
        found = instants([cell_of(row, at) if isinstance(row, dict) else None], unit)
        return None if found.absent.any() else int(found.values[0])


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST
    return value if isinstance(value, int) and is_number else None
