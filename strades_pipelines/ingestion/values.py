"""Cells to typed arrays, by one strict rule a type; a cell that breaks the rule is marked, its neighbours are kept.

Texts are read as Arrow reads them: ASCII, no blanks, no separators, no underscores, correctly rounded to the nearest
float64 (so 26 decimals are rounded, by that rule). A number of 2**53 or more could lose digits and is no number here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.ingestion.blocks import Cells
from strades_pipelines.ingestion.verdicts import MOST_BAD_ROWS

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# The least that Arrow casts to a time; only 29 February and the time of day are left to it.
DAY_OF_MONTH = "(02-(0[1-9]|[12][0-9])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))"
DATED = f"^[0-9]{{4}}-{DAY_OF_MONTH}[0-9T :.Z+-]*$"
# Its fraction may have any number of digits, its letters may be small.
RFC_3339 = re.compile(
    r"(?P<day>[0-9-]{10})[Tt ](?P<clock>[0-9:]{8})(?P<decimals>\.[0-9]{1,30})?(?P<zone>[Zz]|[+-][0-9:]{4,5})"
)
ISO_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
LARGEST = 2.0**53
LONGEST_TEXT = 200
MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
DAY = 86_400_000_000


@dataclass(frozen=True)
class Column:
    """Typed values. Where `missing`, none was given; where `bad`, one that cannot be read: there they mean nothing."""

    values: NDArray[Any]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Where there is no value: one that cannot be read must not stand there as a zero or an empty text."""
        return self.missing | self.bad


def numbers(cells: Cells) -> Column:
    """Float64 from JSON numbers or texts."""
    cells = _as_arrow(cells)
    values = _fast_numbers(cells)
    if values is None:
        values = np.array([_number(cell) for cell in _listed(cells)], np.float64)
    missing = _missing(cells)
    return Column(values, missing, ~missing & ~(np.abs(values) < LARGEST))


def whole_numbers(cells: Cells) -> Column:
    """Int64 from JSON integers or texts of digits."""
    cells = _as_arrow(cells)
    missing = _missing(cells)
    fast = _fast_whole_numbers(cells)
    if fast is not None:
        return Column(fast, missing, np.zeros(len(cells), np.bool_))
    found = [_whole(cell) for cell in _listed(cells)]
    values = np.array([0 if value is None else value for value in found], np.int64)
    return Column(values, missing, ~missing & np.array([value is None for value in found], np.bool_))


def instants(cells: Cells, unit: str | None) -> Column:
    """Microseconds since the epoch, UTC, int64.

    Args:
        unit: `s`, `ms`, `us`, `ns`, `iso` (with an offset or Z), `iso_basic` (20230918T031500Z), `date` (its midnight,
            UTC), `iso_new_york` (New York's clock, written with a Z that is not true). Nanoseconds are rounded up:
            nothing is known before it was.
    """
    if unit == "iso_new_york":
        return _on_new_yorks_clock(_written_instants(cells, pa.timestamp("us", "UTC")))
    if unit == "iso_basic":
        return _written_instants([_extended(cell) for cell in _listed(cells)], pa.timestamp("us", "UTC"))
    if unit in ("iso", "date"):
        return _written_instants(cells, pa.timestamp("us", "UTC") if unit == "iso" else pa.date32())
    whole = whole_numbers(cells)
    if unit == "ns":
        return Column(-(-whole.values // 1000), whole.missing, whole.bad)
    factor = MICROSECONDS[unit or "s"]
    values, bad = whole.values, whole.bad
    if bad.any():  # a fraction: exact to a microsecond, since float64 has 0.25 us at today's milliseconds and seconds
        decimal = numbers(cells)
        usable = bad & ~decimal.bad & (np.abs(np.nan_to_num(decimal.values)) < LARGEST / factor)
        scaled = np.rint(np.where(usable, decimal.values, 0.0) * factor).astype(np.int64)
        bad = bad & ~usable
    else:
        usable, scaled = bad, values
    limit = np.iinfo(np.int64).max // factor
    outside = (values > limit) | (values < -limit)
    times = np.where(usable, scaled, np.where(outside | bad, 0, values) * factor)
    return Column(times, whole.missing, bad | (outside & ~usable))


def texts(cells: Cells, words: Mapping[str, str] | None = None, pattern: str | None = None) -> Column:
    """Printable texts of at most 200 characters, as objects, without blanks around them: ` USD` is no other currency.

    Whole numbers and booleans are written out.

    Args:
        words: the provider's words and ours; any other is bad.
        pattern: what the whole of a text looks like; any other is bad.
    """
    cells = _as_arrow(cells)
    if not isinstance(cells, pa.Array):
        return _checked_texts(list(cells), np.arange(len(cells)), _missing(cells), words, pattern)
    encoded = cells.dictionary_encode()  # a column of few different texts is checked quickly
    codes = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    return _checked_texts(encoded.dictionary.to_pylist() or [None], codes, _missing(cells), words, pattern)


def _checked_texts(
    different: list[object],
    codes: NDArray[Any],
    missing: NDArray[np.bool_],
    words: Mapping[str, str] | None,
    pattern: str | None,
) -> Column:
    written = [_written(cell) for cell in different]
    if pattern is not None:
        written = [text if text is not None and re.fullmatch(pattern, text) else None for text in written]
    if words is not None:
        written = [None if text is None else words.get(text) for text in written]
    unread = np.array([text is None for text in written], np.bool_)
    values = np.array(["" if text is None else text for text in written], object)
    return Column(values[codes], missing, unread[codes] & ~missing)


def _as_arrow(cells: Cells) -> Cells:
    """A column of texts alone as Arrow has it, any other as it is."""
    if isinstance(cells, pa.Array):
        return cells
    try:
        made = pa.array(cells, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid, UnicodeEncodeError):
        return cells
    return cells if made.null_count else made


def _fast_whole_numbers(cells: Cells) -> NDArray[np.int64] | None:
    """All cells at once where they are of one kind and all readable; else None."""
    try:
        if not isinstance(cells, pa.Array):
            return np.array(cells, np.int64) if set(map(type, cells)) == {int} else None
        if cells.null_count or _may_be_hexadecimal(cells):
            return None
        return np.asarray(pc.cast(cells, pa.int64()).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, OverflowError):
        return None


def _may_be_hexadecimal(written: pa.Array) -> bool:
    """Whether there is an x anywhere, since Arrow reads 0x10; searching the bytes costs less than asking each text."""
    letters = written.buffers()[2]
    return letters is not None and b"x" in letters.to_pybytes().lower()


def _fast_numbers(cells: Cells) -> NDArray[np.float64] | None:
    """All cells at once where they are of one kind and all readable; else None."""
    try:
        if isinstance(cells, pa.Array):
            return np.asarray(pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        return np.array(cells, np.float64) if set(map(type, cells)) <= {int, float} else None
    except (pa.ArrowInvalid, OverflowError):
        return None


def _number(cell: object) -> float:
    """NaN for what is no number: NaN itself is none."""
    if isinstance(cell, str):
        return float(cell) if len(cell) <= LONGEST_TEXT and NUMBER.fullmatch(cell) else np.nan
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return np.nan
    return float(cell) if abs(cell) < LARGEST else np.nan


def _whole(cell: object) -> int | None:
    if isinstance(cell, str):
        cell = int(cell) if INTEGER.fullmatch(cell) else None
    if isinstance(cell, bool) or not isinstance(cell, int):
        return None
    return cell if -(2**63) <= cell < 2**63 else None


def _written(cell: object) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell) if abs(cell) < 2**63 else None
    if isinstance(cell, str) and len(cell) <= LONGEST_TEXT and cell.isprintable():
        return cell.strip() or None
    return None


def _written_instants(cells: Cells, kind: pa.DataType) -> Column:
    missing, above = _missing(cells), np.zeros(len(cells), np.bool_)
    try:
        read = pc.cast(cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string()), kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        listed = _listed(cells)
        if kind != pa.date32():
            listed, above = _in_microseconds(listed)
        read = _castable(listed, kind)
    ticks = pc.cast(read, pa.int32() if kind == pa.date32() else pa.int64())
    values = pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    unread = ticks.is_null().to_numpy(zero_copy_only=False)
    return Column(values * (DAY if kind == pa.date32() else 1) + above, missing, unread & ~missing)


def _in_microseconds(cells: list[object]) -> tuple[list[object], NDArray[np.bool_]]:
    """Instants as Arrow reads them, with six decimals and capital letters, and which lie above that microsecond."""
    found = [RFC_3339.fullmatch(cell) if isinstance(cell, str) else None for cell in cells]
    written = [
        cell if each is None else f"{each['day']}T{each['clock']}{(each['decimals'] or '')[:7]}{each['zone'].upper()}"
        for cell, each in zip(cells, found, strict=True)
    ]
    above = [each is not None and bool((each["decimals"] or "")[7:].strip("0")) for each in found]
    return written, np.array(above, np.bool_)


def _extended(cell: object) -> object:
    """A time of ISO 8601's basic format in its extended one; what is no such text stays, and cannot be read."""
    found = ISO_BASIC.fullmatch(cell) if isinstance(cell, str) else None
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else None if cell is None else ""


def _on_new_yorks_clock(written: Column) -> Column:
    """The later instant where a clock shows a time twice: never known too early."""
    local = pa.array(written.values, pa.timestamp("us"))
    read = pc.assume_timezone(local, "America/New_York", ambiguous="latest", nonexistent="latest")
    return Column(pc.cast(read, pa.int64()).to_numpy(), written.missing, written.bad)


def _castable(cells: list[object], kind: pa.DataType) -> pa.Array:
    """The cells that can be cast, null in place of the others; all null after `MOST_BAD_ROWS` that cannot.

    Halves are cast until what cannot be cast is alone: as many casts as there are bad cells, times the logarithm of
    all. One cast a cell takes 40 s for 4 MB of text.
    """
    written = pa.array([cell if isinstance(cell, str) and cell.isascii() else None for cell in cells], pa.string())
    written = pc.if_else(pc.match_substring_regex(written, DATED), written, pa.scalar(None, pa.string()))
    parts: list[pa.Array] = []
    todo, bad = [(0, len(written))], 0
    while todo:
        start, stop = todo.pop()
        part = written[start:stop]
        try:
            if bad > MOST_BAD_ROWS:
                raise pa.ArrowInvalid
            parts.append(pc.cast(part, kind))
        except pa.ArrowInvalid:
            if bad > MOST_BAD_ROWS or stop - start == 1:
                bad += 1
                parts.append(pa.nulls(stop - start, kind))
            else:
                middle = (start + stop) // 2
                todo += [(middle, stop), (start, middle)]
    return pa.concat_arrays(parts) if parts else pa.array([], kind)


def _missing(cells: Cells) -> NDArray[np.bool_]:
    if isinstance(cells, pa.Array):
        return np.asarray(cells.is_null().to_numpy(zero_copy_only=False), np.bool_)
    if None not in cells:
        return np.zeros(len(cells), np.bool_)
    return np.fromiter((cell is None for cell in cells), np.bool_, len(cells))


def _listed(cells: Cells) -> list[object]:
    return cells.to_pylist() if isinstance(cells, pa.Array) else list(cells)
