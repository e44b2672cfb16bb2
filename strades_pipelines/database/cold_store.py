"""Cold months as Parquet on an object store: `STRADES_COLD_STORE` is a folder or a URI of pyarrow (`s3://`, `gs://`).

A file is named by its hash and never changed. Rows are sorted by listing and time, so that a read of one listing takes
a few row groups; pages have checksums, which each read verifies.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from strades_pipelines.bad_input import BadInput
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

HASHED_ROWS = 65_536  # of a turn of the content's hash, however the rows came in batches
GROUP_ROWS = 131_072
COPIED_BYTES = 1 << 20
TIMES = {"records.trades": "event_time"}
MONTHS = """
    SELECT relation, month, path, row_count, size, sha256, content_sha256 FROM records.cold_months
    WHERE relation = '{relation}'
        -- A bare literal beside a date is read as one: the month of an end on its first day would be left out.
        AND month < '{end}'::timestamptz AND month + interval '1 month' > '{start}'::timestamptz
    ORDER BY month
"""
FOREVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class ColdStoreError(RuntimeError):
    """A cold month cannot be read as it was written; one line with its path."""


@dataclass(frozen=True)
class ColdMonth:
    """A row of `records.cold_months`."""

    relation: str
    month: date
    path: str
    row_count: int
    size: int
    sha256: str
    content_sha256: str


@dataclass(frozen=True)
class Written:
    """A Parquet file: rows, bytes, and the SHA-256 of both."""

    row_count: int
    size: int
    sha256: str
    content_sha256: str


class ContentHash:
    """SHA-256 over rows without nulls, in their order: the same however they are batched or encoded."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next rows."""
        self._waiting.append(batch)
        self._count += batch.num_rows
        if self._count >= HASHED_ROWS:
            table = pa.Table.from_batches(self._waiting)
            whole = table.num_rows // HASHED_ROWS * HASHED_ROWS
            for start in range(0, whole, HASHED_ROWS):
                self._take(table.slice(start, HASHED_ROWS))
            rest = table.slice(whole)
            self._waiting, self._count = rest.to_batches(), rest.num_rows

    def hexdigest(self) -> str:
        """The hash of all rows that were added; none can be added after."""
        if self._count:
            self._take(pa.Table.from_batches(self._waiting))
            self._waiting, self._count = [], 0
        return self._digest.hexdigest()

    def _take(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        for name in table.column_names:
            column = table[name].combine_chunks()
            if column.null_count:
                raise ColdStoreError(f"expected values in {name}, was none in {column.null_count} rows")
            self._digest.update(f"{name} {len(column)} ".encode())
            self._digest.update(_column_bytes(column))


def _column_bytes(column: Any) -> bytes:
    if pa.types.is_string(column.type):
        texts = [text.encode() for text in column.to_pylist()]
        lengths = np.array([len(text) for text in texts], np.int64)
        return lengths.tobytes() + b"".join(texts)
    values = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    return bytes(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).tobytes())


def open_store() -> tuple["FileSystem", str]:
    """The store's file system and the path in it.

    Raises:
        BadInput: STRADES_COLD_STORE is not set, or names no store.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    place = settings().cold_store
    if place is None:
        raise BadInput("expected STRADES_COLD_STORE: a folder, or a URI such as s3://bucket/strades")
    if "://" not in place:
        return LocalFileSystem(), place.rstrip("/")
    try:
        system, path = FileSystem.from_uri(place)
    except (pa.ArrowInvalid, OSError):  # the message may have the keys that a URI has
        raise BadInput("STRADES_COLD_STORE: expected a folder, or a URI such as s3://bucket/strades") from None
    return system, path.rstrip("/")


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> Written:
    """Write batches into an open file, which can be read too."""
    import pyarrow.parquet as pq

    content = ContentHash()
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            content.add(batch)
            writer.write_batch(batch, row_group_size=GROUP_ROWS)
    file.seek(0)
    hashed, size = _copy(file, None)
    return Written(content.rows if content.hexdigest() else 0, size, hashed, content.hexdigest())


def upload(file: IO[bytes], path: str, sha256: str) -> None:
    """Copy a file to a path below the store. One that is there with this hash stays: it may be the only copy."""
    from pyarrow.fs import LocalFileSystem

    system, base = open_store()
    target = f"{base}/{path}"
    if _hash_of(system, target) != sha256:
        system.create_dir(target.rpartition("/")[0], recursive=True)
        file.seek(0)
        if isinstance(system, LocalFileSystem):
            _write_through(file, Path(target))
        else:
            with system.open_output_stream(target) as out:
                _copy(file, out)
    if isinstance(system, LocalFileSystem):  # the rows are deleted next: the name must outlive a power cut too
        for folder in [one for one in Path(target).parents if one.is_relative_to(Path(base).parent)]:
            _sync(folder)


def verify_month(month: ColdMonth | Written, path: str) -> None:
    """Read a file of the store whole: bytes and rows must be those that were written.

    Raises:
        ColdStoreError: they are not, or it cannot be read.
    """
    import pyarrow.parquet as pq

    system, base = open_store()
    content = ContentHash()
    try:
        with system.open_input_stream(f"{base}/{path}") as stream:
            sha256, _size = _copy(stream, None)
        with system.open_input_file(f"{base}/{path}") as source:
            for batch in pq.ParquetFile(source, page_checksum_verification=True).iter_batches(HASHED_ROWS):
                content.add(batch)
    except (OSError, pa.ArrowInvalid) as error:
        raise ColdStoreError(f"{path}: {str(error).splitlines()[0]}") from None
    if (sha256, content.hexdigest()) != (month.sha256, month.content_sha256):
        raise ColdStoreError(f"{path}: expected SHA-256 {month.sha256}, was {sha256}, or its rows are others")


def cold_months(cursor: Any, relation: str, span: tuple[datetime, datetime] = FOREVER) -> list[ColdMonth]:
    """The cold months of a table that touch [start, end), UTC, ascending. `cursor` is psycopg's or ADBC's."""
    cursor.execute(MONTHS.format(relation=relation, start=span[0].isoformat(), end=span[1].isoformat()))
    return [ColdMonth(*row) for row in cursor.fetchall()]


def read_months(
    months: Sequence[ColdMonth],
    span: tuple[datetime, datetime] = FOREVER,
    listings: Sequence[int] | None = None,
) -> pa.Table:
    """The rows of cold months within [start, end) of their time, of some listings or all.

    Raises:
        ColdStoreError: a file is gone or damaged: what is as of a time must not be read without it.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    system, base = open_store()
    tables = []
    for month in months:
        time = pc.field(TIMES[month.relation])
        chosen = (time >= pa.scalar(span[0])) & (time < pa.scalar(span[1]))
        if listings is not None:
            chosen &= pc.field("listing_id").isin(list(listings))
        try:
            tables.append(
                pq.read_table(
                    f"{base}/{month.path}", filesystem=system, filters=chosen, page_checksum_verification=True
                )
            )
        except (OSError, pa.ArrowInvalid) as error:
            raise ColdStoreError(f"{month.path}: {str(error).splitlines()[0]}") from None
    return pa.concat_tables(tables)


def stage_rows(cursor: Any, rows: pa.Table) -> None:
    """Copy rows of cold months into `pg_temp.cold_rows`. `cursor` is of ADBC."""
    cursor.execute("SET LOCAL client_min_messages = warning")
    cursor.execute("DROP TABLE IF EXISTS pg_temp.cold_rows")
    cursor.adbc_ingest("cold_rows", rows, mode="create", temporary=True)
    # Nobody analyzes a temporary table by itself, and the planner would guess its size.
    cursor.execute("ANALYZE pg_temp.cold_rows")


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=32)).replace(day=1)


def _hash_of(system: "FileSystem", path: str) -> str | None:
    """SHA-256 of a file of the store; None where there is none."""
    if not system.get_file_info(path).is_file:
        return None
    with system.open_input_stream(path) as stream:
        return _copy(stream, None)[0]


def _write_through(file: IO[bytes], target: Path) -> None:
    """Copy to a local path, whole and on the disk before it has its name."""
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as out:
            _copy(file, out)
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Any, target: Any) -> tuple[str, int]:
    """Copy to `target`, where there is one; SHA-256 and size of what was read."""
    digest, size = hashlib.sha256(), 0
    for block in _blocks(source):
        digest.update(block)
        size += len(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest(), size


def _blocks(source: Any) -> Iterator[bytes]:
    while block := source.read(COPIED_BYTES):
        yield block
