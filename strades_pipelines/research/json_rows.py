"""A JSON document with long tables in it, written without a Python object for each cell."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CHUNK = 16_384
Column = Callable[[slice], pa.Array]  # the cells of some rows, each a text of JSON


@dataclass(frozen=True)
class Rows:
    """A table of `length` rows: a list of objects by the columns' names, or of lists.

    The cells are made when it is written, some rows at a time.
    """

    length: int
    columns: Mapping[str, Column]
    as_objects: bool = True

    def texts(self) -> Iterator[str]:
        """The table's JSON in pieces."""
        yield "["
        for start in range(0, self.length, CHUNK):
            rows = self._joined(slice(start, start + CHUNK))
            yield ("," if start else "") + pc.binary_join(_as_list(rows), _text(","))[0].as_py()
        yield "]"

    def _joined(self, rows: slice) -> pa.Array:
        parts: list[Any] = []
        for k, (name, column) in enumerate(self.columns.items()):
            key = f"{json.dumps(name)}:" if self.as_objects else ""
            opening = ("{" if self.as_objects else "[") if k == 0 else ","
            parts += [_text(opening + key), column(rows)]
        parts.append(_text("}" if self.as_objects else "]"))
        return pc.binary_join_element_wise(*parts, _text(""))


def _as_list(texts: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(_array(np.array([0, len(texts)], np.int32)), texts)


def numbers(values: Any) -> Column:
    """Floats or integers, in the fewest digits that read back the same; null for what is not finite."""

    def cells(rows: slice) -> pa.Array:
        array = _array(values[rows])
        texts = array.cast(pa.string())
        return pc.if_else(pc.is_finite(array), texts, _text("null")) if pa.types.is_floating(array.type) else texts

    return cells


def times(microseconds: Any) -> Column:
    """Microseconds UTC as ISO 8601 with Z; without a fraction where no time of the rows has one."""

    def cells(rows: slice) -> pa.Array:
        array = np.asarray(microseconds[rows], np.int64)
        whole = not np.any(array % 1_000_000)
        kind = pa.timestamp("s" if whole else "us")  # without a zone: Arrow takes thirty times as long to write one
        spaced = _array(array // 1_000_000 if whole else array).cast(kind).cast(pa.string())
        iso = pc.utf8_replace_slice(spaced, 10, 11, "T")
        return pc.binary_join_element_wise(_text('"'), iso, _text('Z"'), _text(""))

    return cells


def choices(texts: Sequence[str | bool | None], index: Any) -> Column:
    """One of few values a row."""
    cells = _texts([json.dumps(text) for text in texts])
    return lambda rows: cells.take(_array(np.asarray(index[rows], np.int64)))


# Arrow imports pandas, half a second, to ask whether what it is given is one of its; so it is given buffers.


def _array(values: np.typing.NDArray[Any]) -> pa.Array:
    """An array of numbers without a copy."""
    contiguous = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(contiguous.dtype)
    return pa.Array.from_buffers(kind, len(contiguous), [None, pa.py_buffer(contiguous)])


def _texts(texts: Sequence[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _text(text: str) -> pa.Scalar:
    return _texts([text])[0]


def write(document: Mapping[str, Any], stream: TextIO) -> None:
    """One line of JSON; values are `Rows` or whatever JSON knows, in which a number that is not finite is null."""
    for k, (name, value) in enumerate(document.items()):
        stream.write(("," if k else "{") + json.dumps(name) + ":")
        for text in value.texts() if isinstance(value, Rows) else [json.dumps(value, default=str, allow_nan=False)]:
            stream.write(text)
    stream.write("}\n")
