"""A lineage as lines for a person."""

from collections.abc import Iterable
from typing import Any

from rich.markup import escape

from strades_pipelines.lineage.row_lineage import Row
from strades_pipelines.predictor.formulas import OPTIONAL, REGISTRY


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
