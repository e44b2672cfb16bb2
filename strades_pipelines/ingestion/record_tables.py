"""Where each kind of record is stored, and the step from records to rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NO_VINTAGE = date.min  # sorts before any that is stated


@dataclass(frozen=True)
class Target:
    """A table of records: its primary key, its revisions, and whether rows name their symbol by a listing.

    A row that differs from what is stored in nothing but `ignore` is no new version: an article without a date was
    known when it was first seen, not when it was last, and so is a filing that was fetched before its stamp is past.

    `keeps_fetch`: a row stays with the fetch that stored it while that one says the same, also where an earlier one
    that is loaded later does too: a strategy has heard it.
    """

    table: str
    revisions: str
    key: tuple[str, ...]
    listed: bool
    ignore: tuple[str, ...] = ("fetch_id", "recorded_at")
    keeps_fetch: bool = False

    @property
    def sourced(self) -> bool:
        """Whether ids are a source's own, so that the source is part of the key."""
        return "source" in self.key


TARGETS: Mapping[str, Target] = {
    "candle": Target(
        "records.candles", "records.candle_revisions", ("listing_id", "interval", "open_time"), listed=True
    ),
    "trade": Target(
        "records.trades",
        "records.trade_revisions",
        ("listing_id", "trade_id", "event_time"),
        listed=True,
        keeps_fetch=True,
    ),
    "quote": Target(
        "records.quotes",
        "records.quote_revisions",
        ("listing_id", "event_time", "quote_id"),
        listed=True,
        keeps_fetch=True,
    ),
    "observation": Target(
        "records.observations", "records.observation_revisions", ("series", "event_time"), listed=False
    ),
    "corporate_action": Target(
        "records.corporate_actions",
        "records.corporate_action_revisions",
        ("listing_id", "ex_date", "action"),
        listed=True,
    ),
    "article": Target(
        "records.articles",
        "records.article_revisions",
        ("source", "article_id"),
        listed=False,
        ignore=("fetch_id", "recorded_at", "knowledge_time"),
    ),
    "document": Target(
        "records.documents",
        "records.document_revisions",
        ("source", "document_id"),
        listed=False,
        ignore=("fetch_id", "recorded_at", "filed_at", "knowledge_time"),
    ),
}


class UnlistedError(ValueError):
    """Records of a symbol that has no listing; one line."""


def rows_of(
    kind: str, records: pa.Table, *, fetch_id: int, source: str, venue: str, listings: Mapping[tuple[str, str], int]
) -> pa.Table:
    """Records as rows of their table: the symbol by its listing, the fetch they came with, forming bars left out.

    Args:
        listings: listing ids by (venue, symbol).

    Raises:
        UnlistedError: a symbol has no listing at the venue.
    """
    if kind == "candle":
        final = records["is_final"]
        records = (records if pc.all(final).as_py() else records.filter(final)).drop_columns(["is_final"])
    if TARGETS[kind].listed:
        ids = _listing_ids(records["symbol"], venue, listings)
        # `symbol` is the first column of each kind that has a listing.
        records = records.set_column(0, "listing_id", ids)
    if TARGETS[kind].sourced:
        records = records.add_column(0, "source", pa.repeat(pa.scalar(source, pa.string()), records.num_rows))
    return records.append_column("fetch_id", pa.repeat(pa.scalar(fetch_id, pa.int64()), records.num_rows))


def versions(rows: pa.Table, key: tuple[str, ...], ignore: tuple[str, ...] = ("fetch_id",)) -> list[pa.Table]:
    """Rows in fetch order, parted so that a key is at most once in each part; the last of each key is in the last part.

    A row equal to its key's version before it but for `ignore` says nothing new and is dropped, as it would be had it
    come later. Versions that state their vintage are in the order of these, behind those that state none.
    """
    numbered = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
    stated = pc.fill_null(rows["vintage"], NO_VINTAGE) if "vintage" in rows.column_names else numbered["position"]
    by = [(name, "ascending") for name in (*key, "stated", "position")]
    order = pc.sort_indices(numbered.append_column("stated", stated), by)
    rows = rows.take(order)
    same = np.ones(max(rows.num_rows - 1, 0), np.bool_)
    for name in key:
        same &= _equal_to_previous(rows[name])
    if not same.any():
        return [rows]
    equal = same.copy()
    for name in rows.column_names:
        if name not in key and name not in ignore:
            equal &= _equal_to_previous(rows[name])
    first = np.concatenate([[True], ~same])
    kept = np.concatenate([[True], ~equal])
    group = np.cumsum(first) - 1
    count = np.bincount(group, weights=kept).astype(np.int64)  # versions of each key
    ordinal = np.cumsum(kept) - np.concatenate([[0], np.cumsum(count)])[group]  # 1 for a key's first
    # Counted from the end, so that the last version of each key is in the last part.
    part = count.max() - count[group] + ordinal - 1
    return [rows.filter(pa.array(kept & (part == n))) for n in range(int(count.max()))]


def _equal_to_previous(column: pa.ChunkedArray) -> np.ndarray:
    one = column.combine_chunks()
    if pa.types.is_list(one.type):
        one = pc.binary_join(one, "\x1f")  # no text of ours holds it
    before, after = one[:-1], one[1:]
    equal = pc.fill_null(pc.equal(before, after), False)
    both = pc.and_(pc.is_null(before), pc.is_null(after))
    return np.asarray(pc.or_(equal, both).to_numpy(zero_copy_only=False))


def _listing_ids(symbols: pa.ChunkedArray, venue: str, listings: Mapping[tuple[str, str], int]) -> pa.Array:
    encoded = symbols.combine_chunks().dictionary_encode()
    ids = []
    for symbol in encoded.dictionary.to_pylist():
        if (venue, symbol) not in listings:
            raise UnlistedError(f"expected a listing of {symbol} at {venue}, was none; add it to Sources.json")
        ids.append(listings[venue, symbol])
    return pc.take(pa.array(ids, pa.int32()), encoded.indices)
