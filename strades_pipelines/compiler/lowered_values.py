"""What an expression of a compiled method stands for while it is lowered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.shapes import Field, Shape

DOUBLE, INT, BOOL, VOID, POINTER = ir.DoubleType(), ir.IntType(64), ir.IntType(1), ir.VoidType(), ir.PointerType()
TYPES = {"float": DOUBLE, "real": DOUBLE, "int": INT, "bool": BOOL, "nothing": VOID}
# The name of the error that ends compiled code where Python would do what it cannot; the run goes on per event.
PER_EVENT = "PerEvent"


class NotCompilable(Exception):
    """A method uses what cannot be compiled; the text says where and what, a reason a line."""

    refuses = True


class Recorded(NotCompilable):
    """The reasons stand in the program already."""


@contextmanager
def refusing() -> Iterator[None]:
    """A fault of the compiler is a reason not to compile, as any other: per event it runs.

    Raises:
        NotCompilable: for each other error too.
    """
    try:
        yield
    except NotCompilable:
        raise
    except Exception as error:
        raise NotCompilable(f"the compiler failed; please report it: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class Number:
    """A number: its value in the code, and its kind.

    Kinds: float, int, bool, real (a float, or an int that a float holds; known only when the code runs), and nothing
    (the result of a call).
    """

    value: Any
    kind: str


@dataclass(frozen=True)
class Object:
    """An object in the arrays: at constant places where it has no bases, else so much behind them."""

    shape: Shape
    f: int = 0
    n: int = 0
    base_f: Any = None
    base_n: Any = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes a function of its own of a method on it: where it lies, unless that is given when it is called."""
        return (self.shape, self.f, self.n) if self.base_f is None else (self.shape, "given")


@dataclass(frozen=True)
class Array:
    """A list of numbers: floats or ints, which slots of its owner say where it lies and how long it is, and its step.

    A reserve has the number of its table's entry as `start`, and nothing that says how long it is.
    """

    kind: str
    owner: Object
    name: str
    start: int
    count: int
    stride: int = 0
    offset: int = 0
    reserve: bool = False


@dataclass(frozen=True)
class Single:
    """A list of one element that lies inline."""

    owner: Object
    name: str
    entry: Field


@dataclass(frozen=True)
class Objects:
    """A list of objects of one shape, and where the integers say that they lie and how many they are."""

    shape: Shape
    owner: Object
    n: int


@dataclass(frozen=True)
class Event:
    """An event: its numbers by name where the code makes it, else the row of the columns that holds it."""

    cls: type
    numbers: tuple[tuple[str, Number], ...] = ()
    row: Any = None


@dataclass(frozen=True)
class Column:
    """Where a number of an event lies: the column, the type it has there, and the kind it is."""

    number: int
    stored: ir.Type
    kind: str


@dataclass(frozen=True)
class Computed:
    """An indicator that was updated ahead: the columns of its numbers, and the row of the event that is handled.

    What its update returned stands under that method's name.
    """

    shape: Shape
    columns: tuple[tuple[str, Column], ...]
    row: Any = None

    def column(self, name: str) -> Column | None:
        """The column of one of its numbers."""
        return dict(self.columns).get(name)


COLUMNS = 9  # how many columns there are; the table's entries behind them are the reserves
WHOLE = ("i", "time", "open_time", "start", "filled_at")


def column_of(cls: Any, name: str) -> Column | None:
    """The column of an event's number: 1 the instrument, 2 the time, 3 a second time, the floats from 4 on."""
    fields: tuple[str, ...] = cls.compiled_fields
    if name not in fields:
        return None
    if name in WHOLE:
        return Column({"i": 1, "time": 2}.get(name, 3), ir.IntType(32) if name == "i" else INT, "int")
    return Column(4 + fields.index(name) - sum(field in WHOLE for field in fields), DOUBLE, "float")


@dataclass(frozen=True)
class Unknown:
    """What a statement that cannot be compiled would have put under a name: nothing is said of its uses."""


Value = Number | Object | Array | Single | Objects | Event | Computed | Unknown
