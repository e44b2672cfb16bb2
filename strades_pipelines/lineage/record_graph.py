"""A lineage as a graph: its rows as nodes, and an edge from each row to what was made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from strades_pipelines.lineage.row_lineage import Connection, FetchReaders, Lineage, Row, read_rows
from strades_pipelines.predictor.formulas import SESSIONS

DECISION_LAYERS = ("features", "predictions", "signals", "orders")  # layers whose rows are decided at an instant
FIRST_KNOWN = """
    SELECT r.listing_id, r."interval", r.open_time, min(r.knowledge_time) AS knowledge_time
    FROM unnest(%s::int[], %s::text[], %s::timestamptz[]) AS bar (listing_id, "interval", open_time)
    INNER JOIN records.candle_revisions AS r USING (listing_id, "interval", open_time)
    GROUP BY r.listing_id, r."interval", r.open_time
"""


@dataclass(frozen=True)
class RecordNode:
    """A row of a lineage.

    Args:
        layer: sources, raw, cleaned, features, predictions, signals, orders or fills.
        asset: the table or source that it stands in.
        known_at: when it was first known, or decided (UTC); of a fetch, when the first row from it was.
        sha256: hash of its bytes or inputs as the database has it, or None.
    """

    key: str
    layer: str
    asset: str
    known_at: datetime
    listing_id: int
    wallet: str
    sha256: str | None


@dataclass(frozen=True)
class RecordEdge:
    """`target` was made of `source`; it looks ahead where that was known later than the target was decided."""

    source: str
    target: str
    looks_ahead: bool


@dataclass(frozen=True)
class RecordGraph:
    """The nodes of a lineage, and the edges between them; no edge is there twice."""

    nodes: tuple[RecordNode, ...]
    edges: tuple[RecordEdge, ...]


def read_first_known(connection: Connection, lineage: Lineage) -> dict[tuple[Any, ...], datetime]:
    """When the first version of each revised bar of a lineage was known, by listing, interval and opening time."""
    keys = {_version_key(row) for row in [*lineage.records, *lineage.cleaned]}
    if not keys:
        return {}
    revised = read_rows(connection, FIRST_KNOWN, *map(list, zip(*keys, strict=True)))
    return {_version_key(row): row["knowledge_time"] for row in revised}


def _version_key(row: Row) -> tuple[Any, ...]:
    """Listing, interval and opening time of the candle whose versions are those of a bar."""
    return row.get("quoted_listing_id") or row["listing_id"], row.get("interval", "1d"), row["open_time"]


def record_graph(
    lineage: Lineage,
    fetches: Iterable[Row],
    first_known: Mapping[tuple[Any, ...], datetime],
    readers: FetchReaders,
) -> RecordGraph:
    """The graph of a lineage.

    Args:
        fetches: `{"fetch_id", "source", "sha256"}` of those behind it (`sha256` in hex or None).
        readers: see `strades_pipelines.lineage.trace.follow`.
        first_known: see `read_first_known`.
    """
    return _Builder(lineage, first_known, readers).build(fetches)


class _Builder:
    """Collects nodes by key and edges in the order of the steps."""

    def __init__(
        self, lineage: Lineage, first_known: Mapping[tuple[Any, ...], datetime], readers: FetchReaders
    ) -> None:
        self._lineage, self._first_known, self._readers = lineage, first_known, readers
        self._nodes: dict[str, RecordNode] = {}
        self._edges: dict[tuple[str, str], RecordEdge] = {}
        self._from_fetch: dict[int, list[str]] = {}
        self._in_cleaned: set[str] = set()

    def build(self, fetches: Iterable[Row]) -> RecordGraph:
        lineage, keys = self._lineage, self._add_steps()
        bars = [(self._candle(row), row) for row in lineage.records]
        bars += [(self._bar(row), row) for row in lineage.cleaned]
        for key, row in bars:
            self._join_readers(keys, key, row)
        self._flag_features(keys)
        self._outside(keys)
        for fetch in fetches:
            self._fetch(keys, fetch)
        return RecordGraph(tuple(self._nodes.values()), tuple(self._edges.values()))

    def _add_steps(self) -> dict[str, str]:
        """Add what was decided and done, each on the step before it; returns the keys by step."""
        lineage, keys = self._lineage, dict[str, str]()
        if row := lineage.features:
            key = f"features:{row['listing_id']}:{row['decision_time'].isoformat()}"
            keys["features"] = self._add(key, "features", "features/daily", row["decision_time"], row, "inputs_hash")
        if row := lineage.model:
            keys["model"] = self._add(
                f"model:{row['model_id']}", "predictions", "predictions/models", row["trained_at"], row, "fitted_hash"
            )
        if row := lineage.prediction:
            asset = f"predictions/{row['name']}"
            keys["prediction"] = self._add(
                row["prediction_id"], "predictions", asset, row["decision_time"], row, "inputs_hash"
            )
        if row := lineage.decision:
            keys["decision"] = self._add(
                row["decision_id"], "signals", f"signals/{row['strategy']}", row["decided_at"], row
            )
        if row := lineage.intent:
            keys["intent"] = self._add(row["intent_id"], "orders", "trading/orders", row["intended_at"], row)
        if row := lineage.fill:
            keys["fill"] = self._add(row["fill_id"], "fills", "trading/fills", row["known_at"], row)
        steps = ("features", "prediction", "decision", "intent", "fill")
        for before, after in [*pairwise(steps), ("model", "prediction")]:
            if before in keys and after in keys:
                self._join(keys[before], keys[after])
        return keys

    def _add(
        self,
        key: str,
        layer: str,
        asset: str,
        known_at: datetime,
        row: Row,
        hashed: str = "",
        sha256: str | None = None,
    ) -> str:
        self._nodes[key] = RecordNode(
            key, layer, asset, known_at, row.get("listing_id") or 0, row.get("wallet") or "", row.get(hashed) or sha256
        )
        return key

    def _join(self, source: str, target: str) -> None:
        before, after = self._nodes[source], self._nodes[target]
        ahead = after.layer in DECISION_LAYERS and before.layer != "sources" and before.known_at > after.known_at
        self._edges[source, target] = RecordEdge(source, target, ahead)

    def _candle(self, row: Row) -> str:
        key = f"candle:{row['listing_id']}:{row['interval']}:{row['open_time'].isoformat()}"
        self._from_fetch.setdefault(row["fetch_id"], []).append(key)
        return self._add(key, "raw", "records/candles", self._known(row), row)

    def _bar(self, row: Row) -> str:
        key = f"bar:{row['listing_id']}:{row['session_date']}"
        candle = f"candle:{row.get('quoted_listing_id') or row['listing_id']}:1d:{row['open_time'].isoformat()}"
        of_others = row.get("replacement_fetch_ids") or ()
        for fetch_id in of_others if candle in self._nodes else (row["fetch_id"], *of_others):
            self._from_fetch.setdefault(fetch_id, []).append(key)
        self._add(key, "cleaned", "cleaned/daily_bars", self._known(row), row)
        if candle in self._nodes:
            self._join(candle, key)
            self._in_cleaned.add(candle)
        return key

    def _known(self, row: Row) -> datetime:
        """When the first version of a bar was known: a revision makes nothing look ahead."""
        known: datetime = row["knowledge_time"]
        return min(known, self._first_known.get(_version_key(row), known))

    def _join_readers(self, keys: Mapping[str, str], key: str, row: Row) -> None:
        """Join a bar with what read it: features, decision, fill. What reads daily bars reads the cleaned ones."""
        features, fill = self._lineage.features, self._lineage.fill
        read = (self._lineage.decision or {"inputs": {}})["inputs"].get("bars")
        of_market = features and "session_date" in row and row["listing_id"] == features["listing_id"]
        if features and of_market and features["window_start"] <= row["session_date"] <= features["session_date"]:
            self._join(key, keys["features"])
        if key in self._in_cleaned:
            return
        if read and row["listing_id"] == read["listing_id"] and _within(row, read):
            self._join(key, keys["decision"])
        bar = row["listing_id"], row["open_time"], row.get("interval", "1d")
        if fill and bar == (fill["listing_id"], fill["bar_open_time"], fill["bar_interval"]):
            self._join(key, keys["fill"])

    def _flag_features(self, keys: Mapping[str, str]) -> None:
        """Decide whether the features read the late bars of their window, and flag the forecast with them.

        A row passes over a bar that was known only after its decision and reads an older one instead
        (`predictor/provenance.py`): with SESSIONS bars that were known, it read none of those that were late.
        """
        read = [edge for edge in self._edges.values() if edge.target == keys.get("features")]
        late = [edge for edge in read if edge.looks_ahead]
        if not late:
            return
        if len(read) - len(late) >= SESSIONS:
            self._edges |= {(edge.source, edge.target): replace(edge, looks_ahead=False) for edge in late}
        elif "prediction" in keys:
            pair = keys["features"], keys["prediction"]
            self._edges[pair] = replace(self._edges[pair], looks_ahead=True)

    def _outside(self, keys: Mapping[str, str]) -> None:
        """Add what led to a decision without data of ours: the line of a statement, an adopted finding."""
        if row := self._lineage.statement:
            at = self._nodes[keys["decision"]].known_at
            key = self._add(f"statement:{row['sha256']}", "sources", "trading/statements", at, row, "sha256")
            self._join(key, keys["decision"])
        if row := self._lineage.finding:
            key = self._add(f"finding:{row['finding_id']}", "sources", "trading/findings", row["occurred_at"], {})
            self._join(key, keys["decision"])

    def _fetch(self, keys: Mapping[str, str], row: Row) -> None:
        """Add a fetch under the bars that were read from it, else under what read it; training joins the model."""
        readers = self._readers[row["fetch_id"]]
        targets = self._from_fetch.get(row["fetch_id"], [])
        if not targets and readers - {"model"}:  # peers, series and articles; splits of bars; trades that were heard
            step = next(step for step in ("features", "decision", "fill") if step in keys)
            targets = [keys["decision" if readers == {"decision"} else step]]
        if "model" in readers and "model" in keys:
            targets = [*targets, keys["model"]]
        known = min(self._nodes[target].known_at for target in targets)
        key = f"fetch:{row['fetch_id']}"
        self._add(key, "sources", f"rawsources/{row['source']}", known, {}, sha256=row["sha256"])
        for target in targets:
            self._join(key, target)


def _within(row: Row, read: Mapping[str, Any]) -> bool:
    """Whether a bar is one of those that a decision named."""
    first, last = (datetime.fromisoformat(read[name]) for name in ("first_open_time", "last_open_time"))
    opened: datetime = row["open_time"]
    return first <= opened <= last and bool(row.get("interval", "1d") == read["interval"])
