"""Where a row of any table comes from: the fetches whose bytes it was read from, or what can be followed to them.

From any row the bytes are two steps away at most: a fetch of its own, or a trace that lists the fetches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.gateway.bodies import Fetch, read_fetches
from dashboard.gateway.reading import domain_connection, read
from strades_pipelines.lineage.data import follow_features

SHOWN_FETCHES, SHOWN_TRACES = 10, 5
# Ids that `strades trace` follows, with the column that holds one.
TRACED = ("fill_id", "intent_id", "decision_id", "prediction_id")
# Where a row says only what it is about: a query of its fetches, by the columns that it needs.
FETCHES_BY: Mapping[tuple[str, ...], str] = {
    ("listing_id", "session_date"): """
        SELECT unnest(b.fetch_id || b.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS b
        WHERE b.listing_id = %(listing_id)s AND b.session_date = %(session_date)s
    """,
    ("listing_id", "month"): """
        SELECT DISTINCT unnest(b.fetch_id || b.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS b
        WHERE b.listing_id = %(listing_id)s AND b.session_date >= %(month)s
            AND b.session_date < %(month)s + interval '1 month'
    """,
    ("series", "event_time"): """
        SELECT o.fetch_id FROM records.observations AS o
        WHERE o.series = %(series)s AND o.event_time = %(event_time)s
    """,
    ("series", "month"): """
        SELECT DISTINCT o.fetch_id FROM records.observations AS o
        WHERE o.series = %(series)s AND o.event_time >= %(month)s AND o.event_time < %(month)s + interval '1 month'
    """,
    ("series", "session_date"): """
        SELECT o.fetch_id FROM records.observations AS o
        WHERE o.series = %(series)s AND o.event_time <= %(session_date)s ORDER BY o.event_time DESC LIMIT 1
    """,
    ("sha256",): "SELECT f.fetch_id FROM rawsources.fetches AS f WHERE f.sha256 = decode(%(sha256)s, 'hex')",
    ("source", "article_id"): """
        SELECT a.fetch_id FROM records.articles AS a WHERE a.source = %(source)s AND a.article_id = %(article_id)s
    """,
}
NEEDS_CLEANED = "cleaned.daily_bars"
TRACES_BY: Mapping[tuple[str, ...], str] = {
    ("model_id",): """
        SELECT f.prediction_id AS identity, 'prediction_id' AS kind, f.decision_time AS at
        FROM predictions.forecasts AS f WHERE f.model_id = %(model_id)s
        ORDER BY f.decision_time DESC LIMIT 5
    """,
    ("wallet",): """
        SELECT f.fill_id AS identity, 'fill_id' AS kind, f.filled_at AS at FROM trading.fills AS f
        WHERE f.wallet = %(wallet)s ORDER BY f.filled_at DESC, f.fill_id LIMIT 5
    """,
}


@dataclass(frozen=True)
class Trace:
    """An id that can be followed down to the bytes; `kind` is the column that holds it."""

    identity: str
    kind: str
    at: datetime | None = None


@dataclass(frozen=True)
class WhereFrom:
    """The newest fetches behind a row (`fetch_count`: of how many), and what of it can be traced."""

    fetches: list[Fetch]
    fetch_count: int
    traces: list[Trace]

    @property
    def is_known(self) -> bool:
        """Whether there is anything to follow."""
        return bool(self.fetches or self.traces)


@dataclass(frozen=True)
class _FetchId:
    fetch_id: int


def read_where_from(row: Mapping[str, Any], *, has_daily_bars: bool) -> WhereFrom:
    """What a row rests on, by the ids in its columns. Two queries at most, and the statements of a feature row.

    Args:
        has_daily_bars: whether dbt has made cleaned.daily_bars yet.
    """
    given = {name: value for name, value in row.items() if value is not None}
    traces = [Trace(str(given[name]), name) for name in TRACED if name in given]
    fetch_ids = _named_fetches(given)
    if not fetch_ids and not traces:
        fetch_ids = _found_fetches(given, has_daily_bars=has_daily_bars)
    if not fetch_ids and not traces:
        query = _first_that_fits(TRACES_BY, given)
        traces = read(Trace, query, **given) if query else []
    fetches = read_fetches(fetch_ids, most=SHOWN_FETCHES) if fetch_ids else []
    return WhereFrom(fetches, len(fetch_ids), traces)


def _named_fetches(given: Mapping[str, Any]) -> set[int]:
    """The fetches that a row names itself; a list of ids comes as PostgreSQL writes it."""
    named = {int(given["fetch_id"])} if "fetch_id" in given else set()
    listed = str(given.get("replacement_fetch_ids", "")).strip("{}").split(",")
    return named | {int(text) for text in listed if text.isdigit()}


def _found_fetches(given: Mapping[str, Any], *, has_daily_bars: bool) -> set[int]:
    if has_daily_bars and {"listing_id", "decision_time"} <= given.keys():
        with domain_connection() as connection:
            return follow_features(connection, given["listing_id"], given["decision_time"])
    query = _first_that_fits(FETCHES_BY, given)
    if query is None or (NEEDS_CLEANED in query and not has_daily_bars):
        return set()
    return {found.fetch_id for found in read(_FetchId, query, **given)}


def _first_that_fits(queries: Mapping[tuple[str, ...], str], given: Mapping[str, Any]) -> str | None:
    return next((query for names, query in queries.items() if set(names) <= given.keys()), None)
