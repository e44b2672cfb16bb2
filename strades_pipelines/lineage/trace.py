"""Follow a fill, an order, a decision or a prediction to the bytes, or every fill."""

from dataclasses import asdict
from typing import Any

from strades_pipelines.database.connection import connect
from strades_pipelines.lineage.data import (
    follow_articles,
    follow_bars,
    follow_prediction,
    splits_behind,
)
from strades_pipelines.lineage.heard_rows import follow_quotes, follow_trades
from strades_pipelines.lineage.order_lineage import follow_order, follow_statement
from strades_pipelines.lineage.row_lineage import (
    Connection,
    FetchReaders,
    Lineage,
    NotFound,
    Reader,
    read_row,
    read_rows,
)
from strades_pipelines.lineage.stream_frames import verify


def trace_one(identity: str, url: str | None = None) -> dict[str, Any]:
    """The lineage of a fill, an intent (its order), a decision or a prediction, as one document.

    Raises:
        NotFound: when nothing has this id.
    """
    with connect(url) as connection:
        lineage, fetch_ids = follow(connection, identity)
        follow_order(connection, lineage)
        lineage.fetches = [verify(connection, fetch_id) for fetch_id in sorted(fetch_ids)]
    bodies = [*lineage.fetches, *([lineage.statement] if lineage.statement else [])]
    lineage.faults += [fault for body in bodies for fault in body["faults"]]
    if not bodies and not lineage.has_venue_evidence:
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
            row["fill_id"]
            for row in read_rows(connection, "SELECT fill_id FROM trading.fills ORDER BY filled_at, fill_id")
        ]
        for fill in fills:
            lineage, fetch_ids = follow(connection, fill)
            faults += lineage.faults
            if lineage.statement:
                faults += lineage.statement["faults"]
            elif not fetch_ids and not follow_order(connection, lineage).has_venue_evidence:
                faults.append(f"{fill}: no stored body stands behind it")
        fetches = read_rows(
            connection, "SELECT fetch_id FROM rawsources.fetches WHERE outcome = 'stored' ORDER BY fetched_at, fetch_id"
        )
        for fetch in fetches:
            faults.extend(verify(connection, fetch["fetch_id"])["faults"])
    return {"fills": len(fills), "bodies": len(fetches), "faults": list(dict.fromkeys(faults))}


def follow(connection: Connection, identity: str) -> tuple[Lineage, FetchReaders]:
    """The rows behind an id, and the fetches those came from, each with what read it."""
    lineage = Lineage(identity)
    lineage.fill = read_row(connection, "SELECT * FROM trading.fills WHERE fill_id = %s", identity)
    intent = lineage.fill["intent_id"] if lineage.fill else identity
    lineage.intent = read_row(connection, "SELECT * FROM trading.intents WHERE intent_id = %s", intent)
    lineage.order = read_row(connection, "SELECT * FROM trading.orders WHERE intent_id = %s", intent)
    decision = lineage.intent["decision_id"] if lineage.intent else identity
    lineage.decision = read_row(connection, "SELECT * FROM signals.decisions WHERE decision_id = %s", decision)
    prediction = lineage.decision["inputs"].get("prediction_id") if lineage.decision else identity
    of_features, of_training = follow_prediction(connection, lineage, prediction)
    if lineage.decision is None and lineage.prediction is None:
        raise NotFound(
            f"expected the id of a fill, an order, a decision or a prediction, was {identity!r}; "
            "`strades db psql` shows trading.fills"
        )
    follow_bars(connection, lineage)
    follow_trades(connection, lineage)
    follow_quotes(connection, lineage)
    if lineage.decision and "statement" in lineage.decision["inputs"]:
        lineage.statement = follow_statement(connection, lineage.decision["inputs"])
    bars = [*lineage.records, *lineage.cleaned]
    of_bars = {one for row in bars for one in (row["fetch_id"], *(row.get("replacement_fetch_ids") or ()))}
    of_decision = {row["fetch_id"] for row in [*lineage.trades, *lineage.quotes]} | follow_articles(connection, lineage)
    by_reader: dict[Reader, set[int]] = {
        "bars": of_bars, "features": of_features, "model": of_training, "decision": of_decision,
    }  # fmt: skip
    readers: FetchReaders = {}
    for reader, fetch_ids in by_reader.items():
        for fetch_id in fetch_ids:
            readers.setdefault(fetch_id, set()).add(reader)
    for split, adjusted in splits_behind(connection, list(readers)).items():
        readers[split] = readers.get(split, set()).union(*(readers[fetch_id] for fetch_id in adjusted))
    return lineage, readers
