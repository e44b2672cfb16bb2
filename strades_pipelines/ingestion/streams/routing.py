"""Which instrument a frame is of, and which of the venue's trades are in it: a pure function of its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.json_pointer import ABSENT, resolve
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.sources import Instrument
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.streams.messages import topic_of
from strades_pipelines.ingestion.values import instants

TIMES = {"trade": "event_time", "candle": "open_time"}
LARGEST = 2**63


@dataclass(frozen=True)
class Route:
    """What a frame is: one with records of an `instrument` (its id), one without records, or an unreadable one.

    `first` and `last` are the numbers of its trades or of its bar, `time` is in microseconds since the epoch; None
    where it states none that can be used.
    """

    instrument: str | None = None
    is_readable: bool = True
    first: int | None = None
    last: int | None = None
    time: int | None = None


class Router:
    """Knows the topics of the instruments of a connection."""

    def __init__(self, protocol: Protocol, instruments: Sequence[Instrument]) -> None:
        assert protocol.stream is not None
        self.stream = protocol.stream
        self.topics: Mapping[str, str] = {topic_of(protocol, each): each.id for each in reversed(instruments)}
        output = self.stream.read.outputs[0]
        field = output.fields[TIMES[output.kind]]
        self._time = (f"{output.rows}/{field.at}", field.unit)
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
        if any(resolve(document, pointer) != wanted for pointer, wanted in self.stream.match.items()):
            return Route()
        topic = resolve(document, self.stream.at)
        if not isinstance(topic, str):
            return Route(is_readable=False)
        if topic not in self.topics:
            return Route()
        instrument, time = self.topics[topic], self._time_of(document)
        if instrument in self._steps:  # bars are numbered by their place on the grid
            number = None if time is None else time // self._steps[instrument]
            return Route(instrument, True, number, number, time)
        first, last = (_number(resolve(document, pointer)) for pointer in self.stream.sequence or ("/", "/"))
        return Route(instrument, True, first, last, time)

    def _time_of(self, document: object) -> int | None:
        pointer, unit = self._time
        found = instants([None if (cell := resolve(document, pointer)) is ABSENT else cell], unit)
        return None if found.absent.any() else int(found.values[0])


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST
    return value if isinstance(value, int) and is_number else None
