"""Answers that a client must not trust: no JSON, fields that lack, a status nobody knows, another order."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sandbox.venue.decimals import plain
from sandbox.venue.faults import Fault
from sandbox.world import Reply

PAGE = b"<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking your browser</body></html>\n"
NEEDED_FIELDS = ("id", "status", "filled_qty", "left", "filled_amount")
UNKNOWN_STATUS = "under_review"
OTHER_SIDE = {"buy": "sell", "sell": "buy"}
KINDS = (Fault.NOT_JSON, Fault.MISSING_FIELDS, Fault.UNKNOWN_STATUS, Fault.CONTRADICTION)


def damaged(reply: Reply, kind: Fault) -> Reply:
    """The same answer, made useless in one way. Lists have every row damaged."""
    if kind is Fault.NOT_JSON or not reply.body:
        return replace(reply, body=PAGE, content_type="text/html; charset=utf-8", status=200)
    document = json.loads(reply.body)
    rows = document if isinstance(document, list) else [document]
    changed = [_damaged_row(row, kind) if isinstance(row, dict) else row for row in rows]
    body = json.dumps(changed if isinstance(document, list) else changed[0], separators=(",", ":")).encode()
    return replace(reply, body=body)


def _damaged_row(row: Mapping[str, Any], kind: Fault) -> Mapping[str, Any]:
    if kind is Fault.MISSING_FIELDS:
        return {name: value for name, value in row.items() if name not in NEEDED_FIELDS}
    if kind is Fault.UNKNOWN_STATUS:
        return {**row, **{name: UNKNOWN_STATUS for name in ("status", "finish_as") if name in row}}
    sizes = {name: _doubled(row[name]) for name in ("qty", "amount") if isinstance(row.get(name), str)}
    return {**row, **sizes, "side": OTHER_SIDE.get(str(row.get("side")), row.get("side"))}


def _doubled(number: str) -> str:
    return plain(Decimal(number) * 2)
