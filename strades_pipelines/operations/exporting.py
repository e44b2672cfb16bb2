"""Records as a file, with where they come from: as of a time, by source, under its licence."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.trade_bars import Every
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.bulk import column_types
from strades_pipelines.ingestion.keyed_rows import without_keys
from strades_pipelines.ingestion.record_tables import TARGETS, Target
from strades_pipelines.ingestion.streams.bars_of_trades import bars_of_size, bars_of_trades
from strades_pipelines.lineage.licences_of_rows import own_use_sources, read_provenance, use_of
from strades_pipelines.market.records import TIME

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

FORMATS = (".parquet", ".csv")
METADATA_KEY = "strades.export"
EVENT_TIMES = {
    "candle": "open_time",
    "corporate_action": "ex_date",
    "article": "knowledge_time",
    "document": "filed_at",
}
LISTING_NAMES = "SELECT listing_id, venue || ':' || symbol AS instrument FROM records.listings"
# Every vintage that was stored, each from when it was known, of the series that have a value at all.
VINTAGES = """
    SELECT DISTINCT ON (v.series, v.event_time) v.* FROM records.observation_versions AS v
    WHERE v.vintage IS NOT NULL AND v.recorded_at <= '{stored}' AND v.knowledge_time <= '{known}'
        AND EXISTS (SELECT FROM records.observations AS o WHERE o.series = v.series AND o.event_time = v.event_time)
    ORDER BY v.series, v.event_time, v.knowledge_time DESC, v.recorded_at DESC
"""


@dataclass(frozen=True)
class View:
    """Which records: of a kind, as they were stored at `as_of` and the world could know them at `known_at` (UTC).

    `listings`: only of these; None for all. `start`, `end`: [start, end) of the records' own time.
    """

    kind: str
    as_of: datetime
    known_at: datetime
    listings: tuple[int, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def target(self) -> Target:
        """Where records of the kind are stored."""
        return TARGETS[self.kind]

    @property
    def where(self) -> str:
        """The condition of the view's bounds, as SQL."""
        time = EVENT_TIMES.get(self.kind, "event_time")
        parts = [] if self.listings is None else [f"listing_id IN ({', '.join(map(str, self.listings))})"]
        parts += [f"{time} >= '{self.start.isoformat()}'"] if self.start else []
        parts += [f"{time} < '{self.end.isoformat()}'"] if self.end else []
        return " AND ".join(parts) or "true"


def read_view(cursor: "Cursor", view: View) -> pa.Table:
    """The records of a view by their key, one row a key; those of a listing with its name as `instrument`."""
    key, columns = view.target.key, list(column_types(cursor, view.target.table))
    rows = read_as_of(
        cursor,
        view.target.table,
        columns,
        known_at=view.known_at,
        recorded_as_of=view.as_of,
        where=view.where,
        order_by=[f'"{name}"' for name in key],
        span=(view.start, view.end),
        listings=view.listings,
        adjusted=False,  # by splits that may have come after `known_at`, of sources that nobody would name
    )
    if view.kind == "observation":
        rows = _with_vintages(cursor, view, rows)
    if not view.target.listed:
        return rows
    cursor.execute(LISTING_NAMES)
    names = dict(cursor.fetchall())
    instruments = pa.array([names[id_] for id_ in rows["listing_id"].to_pylist()], pa.string())
    return rows.add_column(0, "instrument", instruments).drop_columns(["listing_id"])


def _with_vintages(cursor: "Cursor", view: View, rows: pa.Table) -> pa.Table:
    """Where values state their vintage, that which was known then in place of the newest, or of one without."""
    stated = VINTAGES.format(stored=view.as_of.isoformat(), known=view.known_at.isoformat())
    names = ", ".join(rows.column_names)
    cursor.execute(f"SELECT {names} FROM ({stated}) AS v WHERE {view.where}")
    vintages = cursor.fetch_arrow_table().cast(rows.schema)
    plain = without_keys(rows.filter(pc.is_null(rows["vintage"])), vintages.select(list(view.target.key)))
    return pa.concat_tables([plain, vintages]).sort_by([(name, "ascending") for name in view.target.key])


def bars_of(rows: pa.Table, every: Every) -> pa.Table:
    """Bars of exported trades, an instrument after the other.

    Args:
        every: of a time without bars that no trade is in, or of a number of trades, a volume or an amount of money.
    """
    made = []
    for instrument in pc.unique(rows["instrument"]).sort().to_pylist():
        own = rows.filter(pc.equal(rows["instrument"], instrument))
        own = own.append_column("length", pc.utf8_length(own["trade_id"]))  # of one instant the number decides
        own = own.sort_by([(name, "ascending") for name in ("event_time", "length", "trade_id")])
        times = own["event_time"].cast(TIME).cast(pa.int64()).to_numpy()
        trades = times, own["price"].to_numpy(), own["size"].to_numpy()
        bars = bars_of_size(*trades, every) if every.unit else bars_of_trades(*trades, every.length)
        made.append(bars.add_column(0, "instrument", pa.repeat(pa.scalar(instrument), bars.num_rows)))
    return pa.concat_tables(made) if made else rows.slice(0, 0)


def export(cursor: "Cursor", view: View, file: Path, *, own_use: bool, every: Every | None = None) -> dict[str, Any]:
    """Write the records of a view; returns the metadata that stand in the file (Parquet) or beside it (CSV).

    Args:
        file: ends with .parquet or .csv; the latter has its metadata in FILE.json.
        own_use: also records of sources whose licence does not let them be passed on; the metadata say so.
        every: of trades: the bars of these, in place of the trades.

    Raises:
        BadInput: another ending, or records that may not be passed on.
    """
    if file.suffix not in FORMATS:
        raise BadInput(f"FILE: expected a name that ends with {' or '.join(FORMATS)}, was {file.name!r}")
    rows = read_view(cursor, view)
    sources = read_provenance(cursor, pc.unique(rows["fetch_id"]).to_pylist())
    kept = own_use_sources(sources)
    if kept and not own_use:
        raise BadInput(f"not to be passed on: {'; '.join(kept)}; `--own-use` writes them for yourself alone")
    rows = rows if every is None else bars_of(rows, every)
    text = as_csv(rows)
    metadata = {
        "records": view.kind,
        "as_of": view.as_of.isoformat(),
        "known_at": view.known_at.isoformat(),
        "where": view.where,
        **({} if every is None else {"every": asdict(every)}),
        "rows": rows.num_rows,
        "csv_sha256": hashlib.sha256(text).hexdigest(),
        "use": use_of(sources),
        "sources": sources,
        "software": f"strades {version('strades')}",
    }
    if file.suffix == ".csv":
        _write(file, text)
        _write(file.with_name(f"{file.name}.json"), json.dumps(metadata, indent=2).encode())
    else:
        written = io.BytesIO()
        pq.write_table(rows.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), written, compression="zstd")
        _write(file, written.getvalue())
    return metadata


def as_csv(rows: pa.Table) -> bytes:
    """Rows as CSV (RFC 4180, UTF-8, times in UTC); lists of texts with a semicolon between."""
    for number, field in enumerate(rows.schema):
        if pa.types.is_list(field.type):
            rows = rows.set_column(number, field.name, pc.binary_join(rows[field.name], "; "))
    written = io.BytesIO()
    arrow_csv.write_csv(rows, written)
    return written.getvalue()


def _write(file: Path, content: bytes) -> None:
    """The whole file, or none."""
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


def diff(before: pa.Table, after: pa.Table, key: tuple[str, ...]) -> list[dict[str, Any]]:
    """What differs between two views of one kind, by key: `{"key", "change", "fields": {name: {"old", "new"}}}`.

    `change` is `added`, `removed` or `changed`. Which fetch a row came with, and when it was stored, is no difference.
    """
    stamps = {"fetch_id", "recorded_at"}
    names = tuple("instrument" if name == "listing_id" else name for name in key)
    old, new = _by_key(before, names), _by_key(after, names)
    changes = []
    for each in sorted(old.keys() | new.keys(), key=str):
        left, right = old.get(each, {}), new.get(each, {})
        fields = {
            name: {"old": left.get(name), "new": right.get(name)}
            for name in before.column_names
            if name not in stamps and name not in names and left.get(name) != right.get(name)
        }
        if fields:
            change = "added" if not left else "removed" if not right else "changed"
            changes.append({"key": dict(zip(names, each, strict=True)), "change": change, "fields": fields})
    return changes


def _by_key(rows: pa.Table, names: tuple[str, ...]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {tuple(row[name] for name in names): row for row in rows.to_pylist()}
