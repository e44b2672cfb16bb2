"""CSV bodies, alone or in a zip: a table with a header, or a matrix with a record in each cell."""

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from strades_pipelines.datamanager.protocol import Field, Output, Read
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.verdicts import MOST_BAD_ROWS, BodyRefused, one_line, refuse_bad_rows

MOST_COLUMNS = 4_000


class CsvReader:
    """A CSV body with a header line: every cell a text, rows with too few or too many cells set aside."""

    def __init__(self, read: Read, body: bytes) -> None:
        self.delimiter = read.delimiter
        self.lost: list[tuple[str, str, str]] = []
        self.header = _header(body, read.delimiter)
        self.has_quotes = b'"' in body
        if self.has_quotes:
            _check_quotes(body, read.delimiter, len(self.header))
        if read.trailing_newline and not body.endswith(b"\n"):  # half of its last number reads as a number
            last = one_line(body[body.rfind(b"\n") + 1 :].decode("utf-8"), 80)
            raise BodyRefused(f"expected a line end after the last row, was {last}")
        self.places = {name: place for place, name in reversed(list(enumerate(self.header)))}
        self.table = self._read(body)
        refuse_bad_rows(len(self.lost), self.table.num_rows + len(self.lost))
        self.numbers = self._row_numbers()

    def scalar(self, pointer: str) -> object:
        """The name of a column, at `/header/<position>`; a table says nothing else but its rows."""
        _, word, place = (*pointer.split("/"), "", "")[:3]
        known = word == "header" and place.isdigit() and int(place) < len(self.header)
        return self.header[int(place)] if known else None

    def block(self, output: Output) -> Block:
        """The rows of the table, or the cells of the matrix."""
        fields = [field for field in output.fields.values() if not field.optional]
        if output.layout == "matrix":
            fields = [output.fields["event_time"]]
        missing = [str(field.at) for field in fields if self._named(field) not in self.places]
        if missing:
            found = one_line(self.delimiter.join(self.header), 80)
            raise BodyRefused(f"expected the columns {', '.join(missing)}, was the header {found!r}")
        return self._matrix(output) if output.layout == "matrix" else self._rows(output)

    def _read(self, body: bytes) -> pa.Table:
        names = [f"{i}" for i in range(len(self.header))]  # positions: a header may repeat an empty name
        try:
            return pyarrow.csv.read_csv(
                io.BytesIO(body),
                # One thread: with several, Arrow tells invalid rows without their number.
                read_options=pyarrow.csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter, invalid_row_handler=self._set_aside, newlines_in_values=self.has_quotes
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.string() for name in names}, strings_can_be_null=False
                ),
            ).combine_chunks()
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error) or b"\n" not in body:
                return pa.table({name: pa.array([], pa.string()) for name in names})
            refuse_bad_rows(len(self.lost), len(self.lost))  # the reason why `_set_aside` ended the reading
            raise BodyRefused(f"expected CSV, was {error}") from None

    def _set_aside(self, row: pyarrow.csv.InvalidRow) -> str:
        # Arrow counts the header as row 1.
        self.lost.append(("wrong_number_of_columns", f"row {row.number - 1}", one_line(row.text, 500)))
        # More bad rows than a body may have end the reading: a line a reject would fill the memory (2.5 million from
        # 4.9 MB).
        return "error" if len(self.lost) > MOST_BAD_ROWS else "skip"

    def _row_numbers(self) -> Sequence[int]:
        """The number of each kept row in the body, counted from 1 below the header."""
        if not self.lost:
            return range(1, self.table.num_rows + 1)
        aside = {int(where.split()[1]) for _, where, _ in self.lost}
        return [n for n in range(1, self.table.num_rows + len(aside) + 1) if n not in aside]

    def _named(self, field: Field) -> str:
        """What the column of a field is called in this body."""
        return next((name for name in (str(field.at), *field.aliases) if name in self.places), str(field.at))

    def _column(self, name: str) -> pa.Array:
        column = self.table.column(self.places[name])
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())

    def _rows(self, output: Output) -> Block:
        cells: dict[str, pa.Array] = {}
        for name, field in output.fields.items():
            if self._named(field) in self.places:
                column = self._column(self._named(field))
                cells[name] = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
            else:
                cells[name] = pa.nulls(self.table.num_rows, pa.string())
        return Block(self.table.num_rows, cells, self._where, self._raw, lost=tuple(self.lost))

    def _matrix(self, output: Output) -> Block:
        """A record for each cell that has a value; `currency` (or whatever it is called) is the column's name."""
        index = self._named(output.fields["event_time"])
        label = next(name for name, field in output.fields.items() if field.at == "header")
        stamps, markers = self._column(index), pa.array(output.missing, pa.string())
        names = [name for name in self.header if name and name != index]
        columns = [self._column(name) for name in names]
        kept = [np.flatnonzero(~pc.is_in(column, markers).to_numpy(zero_copy_only=False)) for column in columns]
        # The empty array gives the type where no column has a value.
        rows = np.concatenate([*kept, np.empty(0, np.int64)]).astype(np.int64)
        codes = np.repeat(np.arange(len(names)), [len(indices) for indices in kept])
        values = [column.take(pa.array(indices)) for column, indices in zip(columns, kept, strict=True)]
        cells = {
            "event_time": stamps.take(pa.array(rows)),
            label: pa.array(names, pa.string()).take(pa.array(codes)),
            "value": pa.concat_arrays(values) if values else pa.array([], pa.string()),
        }
        return Block(
            len(rows),
            cells,
            lambda i: f"{self._where(int(rows[i]))}, column {one_line(names[codes[i]], 40)}",
            lambda i: one_line(f"{stamps[int(rows[i])]} {names[codes[i]]} {cells['value'][i]}", 500),
            lost=tuple(self.lost),
        )

    def _where(self, i: int) -> str:
        return f"row {self.numbers[i]}"

    def _raw(self, i: int) -> str:
        return one_line(self.delimiter.join(self.table.slice(i, 1).to_pylist()[0].values()), 500)


class ZippedCsvReader(CsvReader):
    """The one CSV file in a zip."""

    def __init__(self, read: Read, body: bytes) -> None:
        super().__init__(read, unzip(body, member=str(read.member), limit=read.max_unpacked_bytes))


def unzip(body: bytes, *, member: str, limit: int) -> bytes:
    """The bytes of the one file of a zip, in memory: its path is compared, never used.

    Raises:
        BodyRefused: not a zip, another content, encrypted, corrupt, or more than `limit` bytes when unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = archive.namelist()
            if names != [member]:
                raise BodyRefused(f"expected a zip of {member} alone, was {', '.join(names[:5]) or 'empty'}")
            with archive.open(member) as file:
                # One byte more than is allowed tells a file that is too long, without unpacking the rest of a bomb.
                unpacked = file.read(limit + 1)
    # What `zipfile` raises on hostile bytes is more than BadZipFile.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, BodyRefused):
            raise
        raise BodyRefused(f"expected a zip, was {error}") from None
    if len(unpacked) > limit:
        raise BodyRefused(f"expected at most {limit} bytes in the zip, was more")
    return unpacked


def _check_quotes(body: bytes, delimiter: str, columns: int) -> None:
    """Refuse a body whose quotes do not close, or close only after whole rows: RFC 4180 ends a quoted field with one.

    A field with an open quote holds all up to the next one, be it the end of a body that was cut.
    """
    end = "the end of the body"  # swallowed where a quote is open
    text = chain(io.StringIO(body.decode("utf-8"), newline=""), ["\n", end])
    before, row = 0, [""]
    lines = csv.reader(text, delimiter=delimiter)
    try:
        for row in lines:
            if lines.line_num - before > 1 and any(_holds_a_row(field, delimiter, columns) for field in row):
                raise BodyRefused(
                    f"expected rows on lines of their own, was one within the quotes of line {before + 1}"
                )
            before = lines.line_num
    except csv.Error as error:
        raise BodyRefused(f"expected CSV, was {error}") from None
    if row != [end]:
        raise BodyRefused(f"expected quotes that close, was one that is open at the end: {one_line(row[-1], 80)}")


def _holds_a_row(field: str, delimiter: str, columns: int) -> bool:
    return columns > 1 and any(line.count(delimiter) >= columns - 1 for line in field.splitlines()[1:])


def _header(body: bytes, delimiter: str) -> list[str]:
    try:
        body.decode("utf-8")  # all of it: of a row that is none, the reader below loses the place
        first = body[: body.find(b"\n") if b"\n" in body else None].decode("utf-8-sig").strip("\r")
    except UnicodeDecodeError:
        raise BodyRefused("expected UTF-8 text, was not") from None
    try:
        names = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BodyRefused(f"expected CSV with a header, was {error}") from None
    if len(names) > MOST_COLUMNS:
        raise BodyRefused(f"expected at most {MOST_COLUMNS} columns, was {len(names)}")
    named = [name for name in names if name]
    if not named:
        raise BodyRefused("expected CSV with a header, was empty")
    if len(set(named)) != len(named):
        raise BodyRefused(f"expected column names that are there once, was {one_line(first, 80)!r}")
    return names
