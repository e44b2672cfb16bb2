"""The one way to read what feeds a decision: as the world could know it at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from strades_pipelines.database.bulk import differs, same_key
from strades_pipelines.database.cold_store import FOREVER, cold_months, read_months, stage_rows
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

REVISIONS = {
    "records.candles": "records.candle_revisions",
    "records.trades": "records.trade_revisions",
    "records.quotes": "records.quote_revisions",
    "records.observations": "records.observation_revisions",
    "records.corporate_actions": "records.corporate_action_revisions",
    "records.articles": "records.article_revisions",
    "records.documents": "records.document_revisions",
    "records.split_adjustments": "records.split_adjustment_revisions",
}

# Rows of cold months stand beside the hot ones. One that was loaded again and says the same ever since gives way: the
# cold one has when it was first stored. The cold one gives way from when other values, or old versions, were stored.
WITH_COLD = """(
    SELECT {columns} FROM {table} AS t
    WHERE NOT EXISTS (
        SELECT FROM cold_rows AS n WHERE {same} AND NOT ({differs})
            AND NOT EXISTS (SELECT FROM {revisions} AS t WHERE {same})
    )
    UNION ALL
    SELECT {columns} FROM cold_rows AS n
    WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {same} AND t.recorded_at <= {at} AND ({differs}))
        AND NOT EXISTS (SELECT FROM {revisions} AS t WHERE {same} AND t.recorded_at <= {at})
)"""
# Trades and quotes as a strategy at the live edge hears them: known when they were first stored.
HEARD = {
    "records.heard_trades": """(
    SELECT t.listing_id, t.trade_id, t.event_time, t.price, t.size, t.side, t.fetch_id, t.recorded_at,
        h.heard_at AS knowledge_time
    FROM {rows} AS t {first_stored}
    CROSS JOIN LATERAL records.heard_at(t.listing_id, t.trade_id, t.event_time, {recorded_at}) AS h
)""",
    "records.heard_quotes": """(
    SELECT t.listing_id, t.quote_id, t.event_time, t.bid, t.bid_size, t.ask, t.ask_size, t.fetch_id, t.recorded_at,
        h.heard_at AS knowledge_time
    FROM {rows} AS t {first_stored}
    CROSS JOIN LATERAL records.quote_heard_at(t.listing_id, t.quote_id, t.event_time, {recorded_at}) AS h
)""",
}
ADJUSTED_CANDLES = """(
    SELECT
        c.listing_id, c."interval", c.open_time, c.close_time,
        c.open / coalesce(a.ratio, 1) AS open, c.high / coalesce(a.ratio, 1) AS high,
        c.low / coalesce(a.ratio, 1) AS low, c.close / coalesce(a.ratio, 1) AS close,
        c.volume * coalesce(a.ratio, 1) AS volume, c.quote_volume, c.trade_count,
        c.knowledge_time, c.knowledge_basis, c.fetch_id, greatest(c.recorded_at, a.recorded_at) AS recorded_at,
        c.recorded_at AS stored_at
    FROM {candles} AS c LEFT JOIN {adjustments} AS a
        ON a.listing_id = c.listing_id AND a.fetch_id = c.fetch_id AND c.open_time BETWEEN a.from_time AND a.to_time
)"""


def read_as_of(
    cursor: "Cursor",
    table: str,
    columns: Sequence[str],
    *,
    known_at: datetime,
    recorded_as_of: datetime | None = None,
    where: str = "true",
    parameters: Sequence[object] = (),
    order_by: Sequence[str] = ("knowledge_time",),
    adjusted: bool = True,
    span: tuple[datetime | None, datetime | None] = (None, None),
    listings: Sequence[int] | None = None,
) -> pa.Table:
    """Rows of `table` with `knowledge_time <= known_at`, as an Arrow table ordered by `order_by`.

    Candles that were fetched before a split are in the shares after it, as in `cleaned`. `records.heard_trades` and
    `records.heard_quotes` are no relations of the database: they stand for the rows of `records.trades` and
    `records.quotes`, each known when it was first stored.

    Args:
        recorded_as_of: read the versions that were stored at this time, superseded ones included, so that an old run
            reads what it read then.
        where: a further condition, written by us, with `$1`, `$2` ... for `parameters`.
        adjusted: False for candles as their source stated them; splits that came later are not in them.
        span, listings: the event times [start, end) and listings that `where` asks for; of cold months (Parquet in
            STRADES_COLD_STORE) only those are read. They choose nothing themselves.

    Raises:
        ValueError: when a time is naive.
        ColdStoreError: a cold month that it asks for cannot be read.
    """
    if table == "records.adjusted_candles":  # the view of what is stored now, which keeps no versions
        table = "records.candles"
    known = _literal(known_at)
    names = ", ".join(f'"{name}"' for name in columns)
    stored = table.replace("heard_", "") if table in HEARD else table
    hot_and_cold = _with_cold(cursor, stored, known_at, recorded_as_of, span, listings)
    source = _source(stored, recorded_as_of, hot_and_cold)
    if table == "records.candles" and adjusted:
        source = ADJUSTED_CANDLES.format(
            candles=source, adjustments=_source("records.split_adjustments", recorded_as_of)
        )
    if table in HEARD:
        is_cold = hot_and_cold != stored
        first_stored, recorded_at = cold_first_stored(stored) if is_cold else ("", "t.recorded_at")
        source = HEARD[table].format(rows=source, first_stored=first_stored, recorded_at=recorded_at)
    order = ", ".join(order_by)
    query = f"SELECT {names} FROM {source} AS versions WHERE knowledge_time <= {known} AND ({where}) ORDER BY {order}"
    cursor.execute(query, list(parameters)) if parameters else cursor.execute(query)
    return cursor.fetch_arrow_table()


def _with_cold(
    cursor: "Cursor",
    table: str,
    known_at: datetime,
    recorded_as_of: datetime | None,
    span: tuple[datetime | None, datetime | None],
    listings: Sequence[int] | None,
) -> str:
    """SQL for the rows of a table that stand, those of cold months too, which are copied into a temporary table."""
    if table not in MONTHLY_TABLES:
        return table
    # Nothing is known before it was.
    start, end = span[0] or FOREVER[0], min(span[1] or FOREVER[1], known_at + timedelta(microseconds=1))
    months = cold_months(cursor, table, (start, end)) if start < end else []
    if not months:
        return table
    chosen = None if listings is None else {"listing_id": listings}
    stage_rows(cursor, read_months(months, (start, end), chosen))
    return cold_union(table, recorded_as_of)


def cold_union(table: str, recorded_as_of: datetime | None) -> str:
    """SQL for a table and the rows of its cold months, which are in `cold_rows`: a temporary table, or a CTE."""
    monthly = MONTHLY_TABLES[table]
    return WITH_COLD.format(
        columns=_shared(table),
        table=table,
        revisions=monthly.revisions,
        same=same_key(monthly.key),
        differs=differs(monthly.values),
        at="'infinity'" if recorded_as_of is None else _literal(recorded_as_of),
    )


def cold_first_stored(table: str) -> tuple[str, str]:
    """SQL that joins to `t` the cold row `n` of its key, and the earlier of when both were stored.

    A cold row that was corrected since was first stored, and heard, as its month says.
    """
    return f"LEFT JOIN cold_rows AS n ON {same_key(MONTHLY_TABLES[table].key)}", "least(t.recorded_at, n.recorded_at)"


def _source(table: str, recorded_as_of: datetime | None, hot_and_cold: str | None = None) -> str:
    """The versions that stood at a time, or those that stand now; `hot_and_cold` in place of the table itself."""
    stands = hot_and_cold or table
    if recorded_as_of is not None:
        return _versions(table, _literal(recorded_as_of), stands)
    return stands if stands == table else f"(SELECT * FROM {stands} AS stands)"


def _versions(table: str, at: str, stands: str) -> str:
    revisions = REVISIONS.get(table)
    current = f"SELECT * FROM {stands} AS stands WHERE recorded_at <= {at}"
    if revisions is None:
        return f"({current})"
    old = f"SELECT * FROM {revisions} WHERE recorded_at <= {at} AND superseded_at > {at}"
    return f"({current} UNION ALL SELECT {_shared(table)} FROM ({old}) AS old)"


def _shared(table: str) -> str:
    columns = {
        "records.candles": 'listing_id, "interval", open_time, close_time, open, high, low, close, '
        "volume, quote_volume, trade_count",
        "records.trades": "listing_id, trade_id, event_time, price, size, side",
        "records.quotes": "listing_id, quote_id, event_time, bid, bid_size, ask, ask_size",
        "records.observations": "series, event_time, value, unit, vintage",
        "records.corporate_actions": "listing_id, ex_date, action, ratio, amount, currency",
        "records.articles": 'source, article_id, url, title, summary, "text", authors, "language", categories, '
        "published_at",
        "records.documents": "source, document_id, entity, form, title, url, period_end, filed_at",
    }
    if table == "records.split_adjustments":
        return "listing_id, fetch_id, from_time, to_time, ratio, basis, knowledge_time, recorded_at"
    return columns[table] + ", knowledge_time, knowledge_basis, fetch_id, recorded_at"


def _literal(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"expected an aware time, was the naive {time!r}")
    return f"'{time.isoformat()}'::timestamptz"
