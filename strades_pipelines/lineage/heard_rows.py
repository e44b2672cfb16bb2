"""The trades and quotes that a decision heard, those of cold months too."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from psycopg.rows import dict_row

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.asof import cold_first_stored, cold_union
from strades_pipelines.database.cold_store import ColdStoreError, cold_months, read_months
from strades_pipelines.lineage.row_lineage import Connection, Lineage, Row, read_row

# What a strategy may have heard: of a replay as it happened, of the others as it was stored (brokerage/trade_feed.py).
HEARD = """
    {cold} SELECT t.* FROM {rows} AS t {first_stored}
    CROSS JOIN LATERAL records.{heard_at}(t.listing_id, t.{number}, t.event_time, {recorded_at}) AS h
    CROSS JOIN LATERAL (SELECT CASE WHEN %(is_replay)s THEN t.event_time ELSE h.heard_at END AS known) AS k
    WHERE t.listing_id = ANY(%(listing_ids)s) AND k.known BETWEEN %(heard_from)s AND %(heard_to)s
        AND k.known - t.event_time < '1 minute'::interval
        AND t.event_time BETWEEN %(heard_from)s::timestamptz - interval '1 minute' AND %(heard_to)s AND {where}
    ORDER BY k.known, t.listing_id, t.event_time, length(t.{number}), t.{number}
"""
KINDS = {
    "trade": {"table": "records.trades", "heard_at": "heard_at", "number": "trade_id", "where": "true"},
    "quote": {
        "table": "records.quotes",
        "heard_at": "quote_heard_at",
        "number": "quote_id",
        "where": "t.bid IS NOT NULL AND t.ask IS NOT NULL",  # one side alone is no event (brokerage/quote_feed.py)
    },
}
STAMPS = {
    "knowledge_time": "timestamptz",
    "knowledge_basis": "text",
    "fetch_id": "bigint",
    "recorded_at": "timestamptz",
}
TYPES: Mapping[str, Mapping[str, str]] = {
    "trade": {
        "listing_id": "int",
        "trade_id": "text",
        "event_time": "timestamptz",
        **dict.fromkeys(("price", "size"), "double precision"),
        "side": "text",
        **STAMPS,
    },
    "quote": {
        "listing_id": "int",
        "quote_id": "text",
        "event_time": "timestamptz",
        **dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), "double precision"),
        **STAMPS,
    },
}
# Not a temporary table: the dashboard's transactions write none.
COLD_ROWS = "WITH cold_rows AS (SELECT * FROM unnest({arrays}) AS rows ({names}))"


def follow_trades(connection: Connection, lineage: Lineage) -> None:
    """The trades a decision read; where they are in a cold store that cannot be read, a fault says so."""
    lineage.trades += _follow(connection, lineage, "trade")


def follow_quotes(connection: Connection, lineage: Lineage) -> None:
    """The quotes a decision read; where they are in a cold store that cannot be read, a fault says so."""
    lineage.quotes += _follow(connection, lineage, "quote")


def _follow(connection: Connection, lineage: Lineage, kind: str) -> list[Row]:
    decision = lineage.decision or {"inputs": {}}
    read = decision["inputs"].get(f"{kind}s")
    if not read:
        return []
    words = KINDS[kind]
    try:
        cold = _cold_columns(connection, words["table"], read)
    except (BadInput, ColdStoreError) as error:
        lineage.faults.append(f"decision {decision['decision_id']}: its {kind}s are in a cold month: {error}")
        return []
    first_stored, recorded_at = cold_first_stored(words["table"]) if cold else ("", "t.recorded_at")
    query = HEARD.format(
        cold=_cold_rows(TYPES[kind]) if cold else "",
        rows=cold_union(words["table"], None) if cold else words["table"],
        first_stored=first_stored,
        recorded_at=recorded_at,
        heard_at=words["heard_at"],
        number=words["number"],
        where=words["where"],
    )
    wallet = read_row(connection, "SELECT mode FROM trading.wallets WHERE wallet = %s", decision["wallet"])
    heard = {**read, **cold, "is_replay": wallet is not None and wallet["mode"] == "replay"}
    rows = connection.cursor(row_factory=dict_row).execute(query, heard).fetchall()
    if not rows and decision["trigger_kind"] == kind:
        lineage.faults.append(f"decision {decision['decision_id']}: the {kind}s that it was made on are gone")
    return rows


def _cold_rows(types: Mapping[str, str]) -> str:
    arrays = ", ".join(f"%({name})s::{type_}[]" for name, type_ in types.items())
    return COLD_ROWS.format(arrays=arrays, names=", ".join(types))


def _cold_columns(connection: Connection, table: str, read: Row) -> dict[str, list[object]]:
    """The columns of rows in cold months that a decision may have heard; empty where no such month is cold."""
    first, end = (datetime.fromisoformat(str(read[name])) for name in ("heard_from", "heard_to"))
    # HEARD takes its end in, and a span of cold months leaves it out.
    span = first - timedelta(minutes=1), end + timedelta(microseconds=1)
    with connection.cursor() as cursor:
        months = cold_months(cursor, table, span)
    if not months:
        return {}
    rows = read_months(months, span, {"listing_id": read["listing_ids"]})
    return {name: rows[name].to_pylist() for name in rows.column_names}
