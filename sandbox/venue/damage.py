"""Damaged replies: no JSON, missing fields, an unknown status, a contradiction of the order."""

import json
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


def damage(reply: Reply, kind: Fault) -> Reply:
    """Return the reply damaged in one way, in a list every row; unchanged where there is nothing to damage."""
    if kind is Fault.NOT_JSON:
        return replace(reply, body=PAGE, content_type="text/html; charset=utf-8", status=200)
    if not reply.body:
        return reply
    body = json.dumps(_damage(json.loads(reply.body), kind), separators=(",", ":"), ensure_ascii=False).encode()
    return replace(reply, body=body)


def _damage(value: Any, kind: Fault) -> Any:
    """Damage an order; in a list each row, in Gate.io's groups of open orders each order."""
    if isinstance(value, list):
        return [_damage(row, kind) for row in value]
    if not isinstance(value, dict):
        return value
    if "orders" in value:
        return {**value, "orders": _damage(value["orders"], kind)}
    if kind is Fault.MISSING_FIELDS:
        return {name: field for name, field in value.items() if name not in NEEDED_FIELDS}
    if kind is Fault.UNKNOWN_STATUS:
        return {**value, **{name: UNKNOWN_STATUS for name in ("status", "finish_as") if name in value}}
    sizes = {name: _doubled(value[name]) for name in ("qty", "amount") if isinstance(value.get(name), str)}
    return {**value, **sizes, **({"side": OTHER_SIDE[value["side"]]} if value.get("side") in OTHER_SIDE else {})}


def _doubled(number: str) -> str:
    return plain(Decimal(number) * 2)
