"""From a fill or an order back to the bytes: each step a natural key, the last one checked against the stored body.

fill -> order with its events, and what the venue said at each -> intent -> decision (with its inputs) -> prediction
-> model and features -> cleaned rows, published values and articles -> records -> fetches -> bodies. A body is read
again, its SHA-256 compared, parsed again, and its rows compared with those stored. What no data of ours led to ends
elsewhere: in a venue's answer, in a statement's line, in the finding that was adopted.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.markup import escape

from strades_pipelines.brokerage.prices import bar_table
from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.bodies import BodyCorrupt, unpack
from strades_pipelines.ingestion.verify import verify_fetch
from strades_pipelines.predictor.families.published import SERIES
from strades_pipelines.predictor.formulas import OPTIONAL, REGISTRY

LOOK_BACK = timedelta(days=45)  # longer than any window of a series or of articles
PUBLISHED = """
    SELECT DISTINCT fetch_id FROM records.observation_versions
    WHERE series = any(%s) AND event_time BETWEEN %s AND %s
"""
WRITTEN = "SELECT DISTINCT fetch_id FROM records.articles WHERE knowledge_time BETWEEN %s AND %s"
REWARDED = """
    SELECT DISTINCT fetch_id FROM records.corporate_actions WHERE listing_id = %s AND ex_date BETWEEN %s AND %s
"""
# A bar of which another venue gave some cells comes from that venue's bytes too.
PEERS = """
    SELECT DISTINCT unnest(peer.fetch_id || peer.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS peer
    WHERE peer.venue = (SELECT venue FROM records.listings WHERE listing_id = %s)
        AND peer.session_date BETWEEN %s AND %s
"""
CLEANED = """
    SELECT * FROM cleaned.daily_bars WHERE listing_id = %s AND session_date BETWEEN %s AND %s ORDER BY session_date
"""
CLEANED_AT = "SELECT * FROM cleaned.daily_bars WHERE listing_id = %s AND open_time BETWEEN %s AND %s ORDER BY open_time"
CANDLES = """
    SELECT * FROM records.candles WHERE listing_id = %s AND "interval" = %s AND open_time BETWEEN %s AND %s
    ORDER BY open_time
"""
EVENTS = """
    SELECT sequence, state, filled, venue_order_id, venue_time, reason, recorded_at, message
    FROM trading.order_events WHERE intent_id = %s ORDER BY sequence
"""
ADOPTED = """
    SELECT finding_id, account, code, reference, quantity, price, occurred_at, detail, evidence
    FROM trading.findings WHERE %s = 'finding@' || finding_id
"""
SPLITS = """
    SELECT DISTINCT split.fetch_id FROM records.split_adjustments AS adjusted
    INNER JOIN records.listings AS own ON own.listing_id = adjusted.listing_id
    INNER JOIN records.listings AS peer
        ON (peer.symbol, peer.currency, peer.calendar) = (own.symbol, own.currency, own.calendar)
    INNER JOIN records.corporate_actions AS split
        ON split.listing_id = peer.listing_id AND split.action = 'split' AND split.knowledge_time > adjusted.to_time
    WHERE adjusted.fetch_id = ANY(%s)
"""
Row = dict[str, Any]
Connection = psycopg.Connection[Any]


class NotFound(LookupError):
    """No fill, order, decision or prediction has this id."""


@dataclass
class Lineage:
    """Everything that one fill, order, decision or prediction rests on; `faults` is empty when all of it holds."""

    identity: str
    fill: Row | None = None
    order: Row | None = None
    intent: Row | None = None
    decision: Row | None = None
    prediction: Row | None = None
    model: Row | None = None
    features: Row | None = None
    cleaned: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    finding: Row | None = None
    statement: Row | None = None
    fetches: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def is_told(self) -> bool:
        """Whether a venue's own words are kept: an answer about the order, or what an adopted finding rests on.

        An answer says what became of an order, and not why it was made: where its decision names bars or a prediction,
        those have to be there.
        """
        if self.finding is not None:
            return True
        read = (self.decision or {"inputs": {}})["inputs"]
        is_of_data = bool(read.get("bars") or read.get("prediction_id"))
        return not is_of_data and any(event["message"] is not None for event in self.events)


def trace_one(identity: str, url: str | None = None) -> dict[str, Any]:
    """The lineage of a fill, an intent (its order), a decision or a prediction, as one document.

    Raises:
        NotFound: when nothing has this id.
    """
    with connect(url) as connection:
        lineage, fetch_ids = follow(connection, identity)
        follow_order(connection, lineage)
        lineage.fetches = [_verified(connection, fetch_id) for fetch_id in sorted(fetch_ids)]
    bodies = [*lineage.fetches, *([lineage.statement] if lineage.statement else [])]
    lineage.faults = [fault for body in bodies for fault in body["faults"]]
    if not bodies and not lineage.is_told:
        lineage.faults.append(f"{identity}: no stored body stands behind it")
    return asdict(lineage)


def trace_all(url: str | None = None) -> dict[str, Any]:
    """Every fill followed to its bodies, and every stored body checked once.

    Returns:
        `{"fills", "bodies", "faults"}`.
    """
    faults: list[str] = []
    with connect(url) as connection:
        fills = [
            row["fill_id"] for row in _rows(connection, "SELECT fill_id FROM trading.fills ORDER BY filled_at, fill_id")
        ]
        for fill in fills:
            lineage, fetch_ids = follow(connection, fill)
            if lineage.statement:
                faults += lineage.statement["faults"]
            elif not fetch_ids and not follow_order(connection, lineage).is_told:
                faults.append(f"{fill}: no stored body stands behind it")
        fetches = _rows(
            connection, "SELECT fetch_id FROM rawsources.fetches WHERE outcome = 'stored' ORDER BY fetched_at, fetch_id"
        )
        for fetch in fetches:
            faults.extend(_verified(connection, fetch["fetch_id"])["faults"])
    return {"fills": len(fills), "bodies": len(fetches), "faults": list(dict.fromkeys(faults))}


def follow(connection: Connection, identity: str) -> tuple[Lineage, set[int]]:
    """The rows behind an id, and the fetches those came from."""
    lineage = Lineage(identity)
    lineage.fill = _one(connection, "SELECT * FROM trading.fills WHERE fill_id = %s", identity)
    intent = lineage.fill["intent_id"] if lineage.fill else identity
    lineage.intent = _one(connection, "SELECT * FROM trading.intents WHERE intent_id = %s", intent)
    lineage.order = _one(connection, "SELECT * FROM trading.orders WHERE intent_id = %s", intent)
    decision = lineage.intent["decision_id"] if lineage.intent else identity
    lineage.decision = _one(connection, "SELECT * FROM signals.decisions WHERE decision_id = %s", decision)
    prediction = lineage.decision["inputs"].get("prediction_id") if lineage.decision else identity
    fetch_ids = _follow_prediction(connection, lineage, prediction)
    if lineage.decision is None and lineage.prediction is None:
        raise NotFound(
            f"expected the id of a fill, an order, a decision or a prediction, was {identity!r}; "
            "`strades db psql` shows trading.fills"
        )
    _follow_bars(connection, lineage)
    if lineage.decision and "statement" in lineage.decision["inputs"]:
        lineage.statement = follow_statement(connection, lineage.decision["inputs"])
    rows = [*lineage.records, *lineage.cleaned]
    fetch_ids = fetch_ids.union(*([row["fetch_id"], *(row.get("replacement_fetch_ids") or ())] for row in rows))
    return lineage, fetch_ids | splits_behind(connection, fetch_ids)


def follow_order(connection: Connection, lineage: Lineage) -> Lineage:
    """Add what happened to the order, and the finding that it was adopted from; returns the same lineage.

    An event's `message` is what the venue said, as text, with `sha256` of its bytes; None where it said nothing.
    """
    if lineage.intent:
        lineage.events = [_told(row) for row in _rows(connection, EVENTS, lineage.intent["intent_id"])]
    if lineage.decision:
        lineage.finding = _one(connection, ADOPTED, lineage.decision["trigger_id"])
    return lineage


def _told(event: Row) -> Row:
    said = event.pop("message")
    if said is None:
        return event | {"sha256": None, "message": None}
    return event | {
        "sha256": hashlib.sha256(said).hexdigest(),
        "message": bytes(said).decode(errors="backslashreplace"),
    }


def follow_features(connection: Connection, listing_id: int, decision_time: datetime) -> set[int]:
    """The fetches that the features of a listing at a decision rest on; empty where there are none."""
    features = _one(
        connection,
        "SELECT * FROM features.daily WHERE listing_id = %s AND decision_time = %s",
        listing_id,
        decision_time,
    )
    if features is None:
        return set()
    bars = _rows(connection, CLEANED, listing_id, features["window_start"], features["session_date"])
    own = [fetch_id for row in bars for fetch_id in (row["fetch_id"], *(row.get("replacement_fetch_ids") or ()))]
    return {*own, *_behind_features(connection, features)}


def splits_behind(connection: Connection, fetch_ids: Collection[int]) -> set[int]:
    """The fetches of the splits that put bars of these fetches into other shares."""
    return {row["fetch_id"] for row in _rows(connection, SPLITS, list(fetch_ids))}


def _follow_prediction(connection: Connection, lineage: Lineage, prediction_id: str | None) -> set[int]:
    """Prediction, model, features and the rows under the features; the fetches behind the rows not shown."""
    if prediction_id is None:
        return set()
    forecast = _one(connection, "SELECT * FROM predictions.forecasts WHERE prediction_id = %s", prediction_id)
    if forecast is None:
        if lineage.decision is not None:
            lineage.faults.append(f"prediction {prediction_id} is gone")
        return set()
    lineage.prediction = forecast
    lineage.model = _one(connection, "SELECT * FROM predictions.models WHERE model_id = %s", forecast["model_id"])
    key = (forecast["listing_id"], forecast["decision_time"])
    features = _one(connection, "SELECT * FROM features.daily WHERE listing_id = %s AND decision_time = %s", *key)
    if features is None:
        return set()
    alpha158 = _one(connection, "SELECT * FROM features.alpha158 WHERE listing_id = %s AND decision_time = %s", *key)
    lineage.features = {**(alpha158 or {}), **features}
    window = (features["listing_id"], features["window_start"], features["session_date"])
    lineage.cleaned += _rows(connection, CLEANED, *window)
    return _behind_features(connection, features) | _behind_training(connection, lineage.model)


def _behind_features(connection: Connection, features: Row) -> set[int]:
    """The fetches of what else went into a feature row: series, articles, dividends, and the peers' bars."""
    window = (features["window_start"], features["session_date"])
    rows = [
        *_rows(connection, PUBLISHED, list(SERIES), features["decision_time"] - LOOK_BACK, features["decision_time"]),
        *_rows(connection, WRITTEN, features["decision_time"] - LOOK_BACK, features["decision_time"]),
        *_rows(connection, REWARDED, features["listing_id"], *window),
        *_rows(connection, PEERS, features["listing_id"], *window),
    ]
    return {row["fetch_id"] for row in rows}


def _behind_training(connection: Connection, model: Row | None) -> set[int]:
    """The fetches of the bars a model was trained on, all listings."""
    if model is None:
        return set()
    rows = _rows(
        connection,
        """
        SELECT DISTINCT unnest(b.fetch_id || b.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS b
        WHERE b.session_date >= (
                SELECT min(f.window_start) FROM features.daily AS f WHERE f.decision_time BETWEEN %s AND %s
            )
            AND b.knowledge_time <= %s
        """,
        model["train_from"],
        model["train_to"],
        model["trained_at"],
    )
    return {row["fetch_id"] for row in rows}


def _follow_bars(connection: Connection, lineage: Lineage) -> None:
    """The bars a decision read, and the bar whose open its fill took."""
    spans = []
    if bars := (lineage.decision or {"inputs": {}})["inputs"].get("bars"):
        spans.append((bars["listing_id"], bars["interval"], bars["first_open_time"], bars["last_open_time"]))
    if (fill := lineage.fill) and fill["bar_open_time"]:
        spans.append((fill["listing_id"], fill["bar_interval"], fill["bar_open_time"], fill["bar_open_time"]))
    for listing_id, interval, *span in spans:
        lineage.records += _rows(connection, CANDLES, listing_id, interval, *span)
        if bar_table(interval) == "cleaned.daily_bars":
            found = _rows(connection, CLEANED_AT, listing_id, *span)
            lineage.cleaned += [row for row in found if row not in lineage.cleaned]


def follow_statement(connection: Connection, inputs: Row) -> Row:
    """The row of a statement that a person's trade was read from: its file, and the line as it stands in the bytes.

    Args:
        inputs: of its decision.

    Returns:
        `{"sha256", "file_name", "format", "row", "line", "faults"}`.
    """
    sha256, row = bytes.fromhex(inputs["statement"]), int(inputs["row"])
    found = _one(
        connection,
        """
        SELECT s.file_name, s.format, b.size, b.body
        FROM trading.statements AS s INNER JOIN rawsources.bodies AS b USING (sha256) WHERE s.sha256 = %s LIMIT 1
        """,
        sha256,
    )
    told: Row = {"sha256": sha256.hex(), "row": row, "file_name": None, "format": None, "line": None, "faults": []}
    if found is None:
        return told | {"faults": [f"statement {sha256.hex()} is gone from rawsources.bodies"]}
    told |= {"file_name": found["file_name"], "format": found["format"]}
    try:
        text = unpack(sha256, found["size"], found["body"]).decode("utf-8-sig")
    except (BodyCorrupt, UnicodeDecodeError) as error:
        return told | {"faults": [str(error)]}
    return told | {"line": text.splitlines()[row - 1]}


def _verified(connection: Connection, fetch_id: int) -> Row:
    fetch = _one(
        connection,
        """
        SELECT f.fetch_id, f.source, f.protocol, f.url, f.fetched_at, encode(f.sha256, 'hex') AS sha256,
            s.connection, s.first_frame, s.last_frame
        FROM rawsources.fetches AS f, LATERAL (
            SELECT min(connection) AS connection, min(sequence) AS first_frame, max(sequence) AS last_frame
            FROM rawsources.frames WHERE fetch_id = f.fetch_id
        ) AS s
        WHERE f.fetch_id = %s
        """,
        fetch_id,
    )
    if fetch is None:
        return {"fetch_id": fetch_id, "faults": [f"fetch {fetch_id} is gone from rawsources.fetches"]}
    try:
        with connection.cursor() as cursor:
            verification = verify_fetch(cursor, fetch_id)
    except LookupError as error:
        return {**fetch, "rows": 0, "faults": [str(error)]}
    return {**fetch, "rows": verification.rows, "faults": list(verification.faults)}


def _one(connection: Connection, query: str, *values: Any) -> Row | None:
    rows = _rows(connection, query, *values)
    return rows[0] if rows else None


def _rows(connection: Connection, query: str, *values: Any) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def lines(document: dict[str, Any]) -> Iterable[str]:
    """A lineage, one line a step, the newest first."""
    if "fills" in document:
        yield f"{document['fills']:,} fills followed, {document['bodies']:,} stored bodies hashed and parsed again"
        return
    for step in ("fill", "order", "intent", "decision", "finding", "prediction", "model", "features"):
        if document[step]:
            yield f"[bold]{step:11}[/] {_summary(step, document[step])}"
        if step == "order":
            yield from _event_lines(document["events"])
    if document["features"]:
        yield from _feature_values(document["features"])
    for step in ("cleaned", "records"):
        if document[step]:
            yield f"[bold]{step:11}[/] {len(document[step])} rows, the last {_summary(step, document[step][-1])}"
    if document["statement"]:
        yield f"[bold]{'statement':11}[/] {_summary('statement', document['statement'])}"
    for fetch in document["fetches"]:
        state = "[red]does not hold[/]" if fetch["faults"] else "[green]holds[/]"
        yield f"[bold]{'fetch':11}[/] {fetch.get('url', fetch['fetch_id'])} at {fetch.get('fetched_at', '?')}"
        yield f"{'':11} sha256 {fetch.get('sha256', '?')} {state}"
        if fetch.get("connection") is not None:
            first, last = fetch["first_frame"], fetch["last_frame"]
            yield f"{'':11} frames {first} to {last} of connection {fetch['connection']}, in rawsources.frames"


def _event_lines(events: Iterable[Row]) -> Iterable[str]:
    """A line an event, and one for what the venue said then."""
    for event in events:
        reason = f" · {escape(event['reason'])}" if event["reason"] else ""
        yield f"{'':11} {event['recorded_at']} {event['state']} · filled {event['filled']}{reason}"
        if event["message"] is not None:
            yield f"{'':11}   the venue said {len(event['message'])} characters, sha256 {event['sha256']}"


def _feature_values(row: Row) -> Iterable[str]:
    """A line a family that was computed, with what is not missing."""
    computed = [one for one in (*REGISTRY, *OPTIONAL) if one.name in row]
    for family in dict.fromkeys(one.family for one in computed):
        names = [one.name for one in computed if one.family == family and row[one.name] is not None]
        yield f"{'':11} {family}: " + (" · ".join(f"{name} {row[name]:.6g}" for name in names) or "missing")


SHOWN = {
    "fill": ("fill_id", "side", "quantity", "price", "fee", "currency", "filled_at"),
    "order": ("intent_id", "broker", "state", "submitted_at"),
    "intent": ("intent_id", "side", "quantity", "intended_at"),
    "decision": ("decision_id", "wallet", "strategy", "target", "reason", "decided_at"),
    "finding": ("finding_id", "account", "code", "reference", "quantity", "price", "occurred_at"),
    "prediction": ("prediction_id", "name", "value", "status", "decision_time"),
    "model": ("model_id", "name", "trained_at", "train_rows", "fitted_hash"),
    "features": ("session_date", "max_knowledge_time", "inputs_hash"),
    "cleaned": ("session_date", "close", "knowledge_time"),
    "records": ("open_time", "open", "close", "knowledge_time"),
    "statement": ("file_name", "format", "row", "sha256"),
}


def _summary(step: str, row: Row) -> str:
    return " · ".join(f"{name} {row[name]}" for name in SHOWN[step])
