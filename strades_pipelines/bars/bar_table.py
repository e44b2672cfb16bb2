"""The columns of a file of bars or trades, csv, csv.gz or parquet, read through Arrow, no Python object for a row."""

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.system.regular_files import check_regular

VOLUME = "volume"
TIME, PRICES = "ts_utc", ("open", "high", "low", "close", VOLUME)
UTC_TIME = "a time in UTC such as 2012-01-31T00:00:00Z"
UTC_NAMES = ("UTC", "Etc/UTC", "Z", "+00:00")
MOST_BYTES = 16_000_000_000  # a century of minute bars of one instrument is 3 GB of csv
MICROSECONDS = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class BarTable:
    """What a file says: `time` int64 microseconds UTC, shape (n,); `prices` of shape (5, n).

    They are open, high, low, close, volume. `first_row` is the row of the file that the first bar stands in: 2 behind a
    header.
    """

    time: Integers
    prices: Floats
    first_row: int


def read_table(path: Path) -> BarTable:
    """The columns of a file of bars; an empty volume, where the source has none, is 0.

    Raises:
        BadInput: naming the file, the row and the field, for whatever is no time in UTC or no number.
    """
    time, prices, first_row = read_columns(path, PRICES, "bars")
    return BarTable(time, prices, first_row)


def read_columns(path: Path, names: Sequence[str], what: str) -> tuple[Integers, Floats, int]:
    """`ts_utc`, shape (n,), microseconds UTC; columns of numbers, shape (names, n); and the row the first is in.

    Args:
        names: of the columns of numbers, of which a volume may be empty.
        what: the rows are, for messages.

    Raises:
        BadInput: naming the file, the row and the field, for whatever is no time in UTC or no number.
    """
    try:
        check_regular(path, most_bytes=MOST_BYTES)
        read = _read_parquet if path.suffix == ".parquet" else _read_csv
        columns = read(path, names, what)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: expected a readable file of {what}, found {' '.join(reason.split())}") from None
    # Arrow keeps what it has freed: of a large file that is gigabytes.
    pa.default_memory_pool().release_unused()
    return columns


def _read_csv(path: Path, names: Sequence[str], what: str) -> tuple[Integers, Floats, int]:
    from pyarrow.csv import ConvertOptions, read_csv

    _check_header(path, names, what)
    options = ConvertOptions(
        include_columns=[TIME, *names],
        column_types={TIME: pa.string(), **{name: pa.float64() for name in names}},
        null_values=[""],
        strings_can_be_null=True,
    )
    try:
        table = read_csv(path, parse_options=_parse_options(), convert_options=options)
    except pa.ArrowInvalid as error:
        raise _first_fault(path, names) or BadInput(f"{path}: {' '.join(str(error).split())}") from None
    if table.num_rows == 0:
        raise BadInput(f"{path}: expected {what} below the header, found none")
    return _columns(path, table, names, 2)


def _parse_options(handler: Callable[[Any], str] | None = None) -> Any:
    from pyarrow.csv import ParseOptions

    return ParseOptions(ignore_empty_lines=False, invalid_row_handler=handler)


def _check_header(path: Path, names: Sequence[str], what: str) -> None:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), None)
    if not header:
        raise BadInput(f"{path}: expected the columns {TIME},{','.join(names)} and {what}, found an empty file")
    _check_names(path, header, names)


def _check_names(path: Path, header: list[str], names: Sequence[str]) -> None:
    for name in (TIME, *names):
        if header.count(name) != 1:
            found = f"the columns {','.join(header)}"[:120]
            raise bad_row(path, 1, name, f"one column of this name among {TIME},{','.join(names)}", found)


def _first_fault(path: Path, numbers: Sequence[str]) -> BadInput | None:
    """The first row that has another number of cells, or a cell that is no number."""
    from pyarrow.csv import ConvertOptions, ReadOptions, read_csv

    cut: list[Any] = []

    def skip(row: Any) -> str:
        cut.append(row)
        return "skip"

    names = [TIME, *numbers]
    options = ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    table = read_csv(
        path,
        read_options=ReadOptions(use_threads=False),
        parse_options=_parse_options(skip),
        convert_options=options,
    )
    found = [(bad, name) for name in numbers if (bad := _first_bad(table[name], pa.float64())) is not None]
    if cut and (not found or cut[0].number <= min(found)[0] + 2):
        cells = f"{cut[0].actual_columns} cells"
        return bad_row(path, cut[0].number, TIME, f"{cut[0].expected_columns} cells", cells)
    if not found:
        return None
    row, name = min(found)
    return bad_row(path, row + 2, name, "a number", repr(table[name][row].as_py()))


def _first_bad(column: pa.ChunkedArray, kind: pa.DataType) -> int | None:
    """The first row that cannot be cast: halves of the column are tried, so it takes two casts of the whole."""

    def good(start: int, end: int) -> bool:
        try:
            column.slice(start, end - start).cast(kind)
        except pa.ArrowInvalid:
            return False
        return True

    start, end = 0, len(column)
    if good(start, end):
        return None
    while end - start > 1:
        middle = (start + end) // 2
        # The first half that cannot be cast has the first fault.
        start, end = (middle, end) if good(start, middle) else (start, middle)
    return start


def _read_parquet(path: Path, names: Sequence[str], what: str) -> tuple[Integers, Floats, int]:
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
        _check_names(path, schema.names, names)
        table = parquet.read_table(path, columns=[TIME, *names])
    except pa.ArrowException as error:
        raise BadInput(f"{path}: expected a parquet file, found {' '.join(str(error).split())}") from None
    if table.num_rows == 0:
        raise BadInput(f"{path}: expected {what}, found an empty file")
    for name in names:
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise bad_row(path, 1, name, "a column of numbers", f"one of {kind}")
    return _columns(path, table, names, 1)


def _columns(path: Path, table: pa.Table, names: Sequence[str], first_row: int) -> tuple[Integers, Floats, int]:
    """Times and numbers as arrays; nothing is missing but volumes."""
    for name in (TIME, *names):
        if table[name].null_count and name != VOLUME:
            row = pc.index(pc.is_null(table[name]), True).as_py()
            expected = UTC_TIME if name == TIME else "a number"
            raise bad_row(path, row + first_row, name, expected, "nothing")
    time = _times(path, table[TIME], first_row)
    numbers = np.empty((len(names), table.num_rows))
    for k, name in enumerate(names):
        _copy(_without_nulls(table[name].cast(pa.float64())), numbers[k])
    return time, numbers, first_row


def _times(path: Path, column: pa.ChunkedArray, first_row: int) -> Integers:
    """Microseconds of a column of times or of texts, which must say that they are UTC, each of them."""
    if pa.types.is_timestamp(column.type):
        if column.type.tz not in UTC_NAMES:
            zone = column.type.tz or "no time zone"
            raise bad_row(path, first_row, TIME, "times in UTC", f"a column of times in {zone}")
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        utc = pc.ends_with(column, "Z")
        if not pc.all(utc).as_py():
            utc = pc.or_(utc, pc.ends_with(column, "+00:00"))
        if not pc.all(utc).as_py():
            raise _bad_time(path, column, pc.index(utc, False).as_py(), first_row)
    else:
        raise bad_row(path, first_row, TIME, "a column of times", f"one of {column.type}")
    time = np.empty(len(column), np.int64)
    try:
        _copy(column.cast(MICROSECONDS), time)
    except pa.ArrowInvalid:
        raise _bad_time(path, column, _first_bad_time(column), first_row) from None
    return time


def _without_nulls(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(column, 0.0) if column.null_count else column


def _copy(column: pa.ChunkedArray, out: NDArray[Any]) -> None:
    """Copy a column of 8 byte numbers without nulls; Arrow's own way would import pandas, half a second."""
    at = 0
    for chunk in column.chunks:
        count = len(chunk)
        out[at : at + count] = np.frombuffer(chunk.buffers()[1], out.dtype, count, 8 * chunk.offset)
        at += count


def _first_bad_time(column: pa.ChunkedArray) -> int:
    if not pa.types.is_timestamp(column.type):
        return _first_bad(column, MICROSECONDS) or 0
    whole = pc.equal(pc.floor_temporal(column, unit="microsecond"), column)
    return int(pc.index(whole, False).as_py())


def _bad_time(path: Path, column: pa.ChunkedArray, row: int, first_row: int) -> BadInput:
    found = column[row]
    text = repr(found.as_py()) if pa.types.is_string(column.type) else str(found)
    return bad_row(path, row + first_row, TIME, UTC_TIME, text)
