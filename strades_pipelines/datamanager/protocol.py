"""What a protocol says, typed: how to ask a provider, how to read its answer, when its records could be known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from strades_pipelines.datamanager.ask import Ask

# The fields that are read as numbers: in a text or a date a comma stands for nothing.
BAR_NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count")
QUOTE_NUMBERS = ("bid", "bid_size", "ask", "ask_size")
OTHER_NUMBERS = ("price", "size", "value", "amount", "numerator", "denominator")
NUMBER_FIELDS = frozenset((*BAR_NUMBERS, *QUOTE_NUMBERS, *OTHER_NUMBERS))


@dataclass(frozen=True)
class Field:
    """Where a value is in a row (`at`: position, key, column, pointer or XPath) and what it is written in.

    `unit`: s, ms, us, ns since the epoch, `iso` (with offset), `date` (a label, midnight UTC). `values` maps the
    provider's words to ours; a word that is not there is no value. `aliases` are older names of a column; the letters
    of `remove` are taken out before the value is read, thousands marks of a number only where they stand for thousands.
    `decimal` is the mark before a number's decimals; with a comma, the dot stands for thousands. `pattern` is what the
    whole of a label looks like: a footnote's mark makes it no other label. `cut_to`: a time is cut to whole `ms`, where
    a provider's interfaces write one instant with different precision.
    """

    at: str | int
    unit: str | None = None
    values: Mapping[str, str] | None = None
    optional: bool = False
    aliases: tuple[str, ...] = ()
    remove: str = ""
    decimal: str = "."
    pattern: str | None = None
    cut_to: str | None = None


@dataclass(frozen=True)
class Scalar:
    """A value of the whole body: given with the request, said by the body, or both, and then they must agree.

    `digits`: the body says a number, which is written with at least so many.
    """

    given: str | None = None
    body: str | None = None
    values: Mapping[str, str] | None = None
    default: str | None = None
    digits: int | None = None


@dataclass(frozen=True)
class Knowledge:
    """When a record could be known: a bar's `close`, the `event`, the day's `session_open`, `daily` at a local time.

    `vintage` is at a local time of the day that the row's field `vintage` states, `answer` when the answer had come.

    `daily` is `lag_days` after the day of the label (or as many as are given as `lag_days`), on the first day from then
    on with a session of `calendar`.
    """

    rule: str
    basis: str
    at: str | None = None
    time_zone: str | None = None
    lag_days: int = 0
    calendar: str | None = None


@dataclass(frozen=True)
class Output:
    """One kind of record in the body: where its rows are, how they lie, which field is which.

    `layout`: `arrays` (of values), `objects`, `object` (a single one), `columns` (one array a field), `members` (an
    object of objects), `nested` (arrays of objects below objects by `keys`), `table` (CSV, HTML), `matrix` (CSV, a
    record a cell), `elements` (XML), `entries` (a feed).
    `empty`: no rows at all are `fine`, or refused; where `parents` (XML) finds elements, there must be rows. `count` is
    where a JSON body says how many there are.
    `finality` of a bar: by its `field`, by the `clock`, or `all_but_last`. `texts` are columns written from others, as
    in "ECB:{currency}". `earliest` is the first day such data can be about.
    `match`: a row of frames is of this output where these values stand at these JSON pointers of it (`matches`).
    `every_ms`: of the quotes of a batch in each so many milliseconds the newest is a record; 0: each is.
    `keys` of `nested`: the names of the members that the asterisks of `rows` stand for, which fields of a row have;
    `choose`: by such a name the members that are read, all where it is not there.
    """

    kind: str
    layout: str
    rows: str
    fields: Mapping[str, Field]
    knowledge: Knowledge
    earliest: date
    texts: Mapping[str, str]
    least_columns: int
    empty: str
    missing: tuple[str, ...]
    finality: str
    positive: bool
    parents: str | None = None
    count: str | None = None
    match: Mapping[str, Any] | None = None
    every_ms: int = 0
    keys: tuple[str, ...] = ()
    choose: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Read:
    """How to read: the format, what marks an error document, values of the whole body, and the records in it.

    The format `frames` is a batch of a stream's frames; `rows` is then where the rows are in each.

    `trailing_newline` of a CSV: the provider ends every line, so that a last line without an end was cut.
    """

    format: str
    errors: tuple[str, ...]
    scalars: Mapping[str, Scalar]
    namespaces: Mapping[str, str]
    delimiter: str
    member: str | None
    max_unpacked_bytes: int
    root: str | None
    outputs: tuple[Output, ...]
    trailing_newline: bool = False


@dataclass(frozen=True)
class Login:
    """The message that a venue wants first: `message`, and with it the values of `secrets`, by the variable's name."""

    message: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True)
class Stream:
    """How the same records come as they happen, over a WebSocket: a frame a message.

    A frame with records has the values of `match` (by JSON pointer) in it, and at `at` the text that `topic` gives for
    its instrument. `messages` is where a frame has several such messages, of any instruments, in an array: `match`,
    `at` and `sequence` are then of each. `errors` are the pointers to what the venue says where it refuses a message of
    ours: the first stands nowhere else. `login` is the message that is sent first, its values the names of variables
    that hold a key. `sequence` are the pointers to the numbers of its first and last trade, which have no hole for one
    instrument. `subscribe` and `ping` are messages with places for values (`ingestion.streams.messages`).
    """

    url: str
    topic: str
    at: str
    match: Mapping[str, Any]
    read: Read
    subscribe: tuple[Any, ...] = ()
    subscribe_per_second: float = 4.0
    sequence: tuple[str, str] | None = None
    messages: str | None = None
    errors: tuple[str, ...] = ()
    login: Login | None = None
    ping: Mapping[str, Any] | None = None
    ping_seconds: float = 15.0
    silence_seconds: float = 60.0
    stale_seconds: float = 120.0
    life_seconds: float = 82_800.0
    max_frame_bytes: int = 1_000_000


@dataclass(frozen=True)
class Datasheet:
    """What a provider's data are, in words for people; all must be said.

    `units`: of prices, sizes and times. `row_order`: `oldest_first`, `newest_first` or `none`, as the provider sends
    rows. `limits`: how often it lets itself be asked. `paging`: how a long answer is cut. `finality`: when a record
    changes no more. `knowledge`: when the world could know it. `attribution`: whom to name where records are passed on.
    """

    units: str
    row_order: str
    limits: str
    paging: str
    finality: str
    knowledge: str
    attribution: str


@dataclass(frozen=True)
class Protocol:
    """One provider's way of giving one kind of data: asked for, and as a `stream` where it has one.

    `export`: whether its `licence` lets records be passed on: `free`, with `attribution`, or not (`own_use`).
    """

    name: str
    title: str
    documentation: str
    licence: str
    datasheet: Datasheet
    calendar: str
    adjustment: str
    ask: Ask
    read: Read
    stream: Stream | None = None
    export: str = "own_use"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The record kinds that come out, each once, in order."""
        return tuple(dict.fromkeys(output.kind for output in self.read.outputs))

    @property
    def stream_kinds(self) -> tuple[str, ...]:
        """The record kinds that come out of the stream, each once; the first is the one that is completed by `ask`."""
        return tuple(dict.fromkeys(output.kind for output in self.stream.read.outputs)) if self.stream else ()
