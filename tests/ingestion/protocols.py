"""Protocols of providers the project has no file for: defined as data alone, and parsed without a line of Python."""

from typing import Any

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import make_protocol

ASK = {
    "per": "instrument",
    "url": "https://example.org/{symbol}",
    "requests_per_second": 1,
    "concurrency": 1,
    "retries": 1,
    "timeout_seconds": 10,
    "max_bytes": 5_000_000,
}
DATASHEET = dict.fromkeys(("units", "limits", "paging", "finality", "knowledge", "attribution"), "none stated")
CLOSE = {"rule": "close", "basis": "assumed"}
SERIES = {"symbol": {"given": "symbol"}, "interval": {"given": "interval"}, "calendar": {"default": "24/7"}}


def made(name: str, read: dict[str, Any]) -> Protocol:
    """A protocol from its `read` section."""
    texts = {"title": name, "documentation": "https://example.org/", "licence": "none"}
    sheet = {**DATASHEET, "row_order": "none"}
    return make_protocol({"name": name, **texts, "datasheet": sheet, "ask": ASK, "read": read})


def gate_v2_trades() -> Protocol:
    """GET /api2/1/tradeHistory of 2017."""
    fields = {
        "trade_id": {"at": "tradeID"},
        "event_time": {"at": "timestamp", "unit": "s"},
        "price": {"at": "rate"},
        "size": {"at": "amount"},
        "side": {"at": "type", "values": {"buy": "buy", "sell": "sell"}},
    }
    output = {
        "kind": "trade",
        "layout": "objects",
        "rows": "/data",
        "fields": fields,
        "knowledge": {"rule": "event", "basis": "stated"},
        "earliest": "2013-01-01",
    }
    return made("gate_trades", {"format": "json", "scalars": SERIES, "outputs": [output]})


def wire_articles() -> Protocol:
    """An interface of news that answers in JSON and states edits in seconds since the epoch."""
    names = ("article_id", "title", "authors", "categories")
    fields: dict[str, Any] = {name: {"at": name} for name in names}
    fields |= {name: {"at": name, "unit": "s", "optional": True} for name in ("published_at", "modified_at")}
    output = {
        "kind": "article",
        "layout": "objects",
        "fields": fields,
        "knowledge": {"rule": "event", "basis": "stated"},
        "earliest": "1990-01-01",
    }
    return made("wire_articles", {"format": "json", "outputs": [output]})


def daily_bars(
    calendar: str = "XNYS",
    unit: str = "iso",
    columns: str = "ts_utc open high low close volume",
    zone: str = "UTC",
) -> Protocol:
    """A CSV of bars, days by the date of their session in `zone`; `columns`: time, open, high, low, close, volume."""
    time, *values = columns.split()
    names = ("open", "high", "low", "close", "volume")
    output = {
        "kind": "candle",
        "layout": "table",
        "fields": {
            "open_time": {"at": time, "unit": unit},
            **{name: {"at": at} for name, at in zip(names, values, strict=True)},
        },
        "knowledge": CLOSE,
        "earliest": "1990-01-01",
    }
    scalars = SERIES | {"calendar": {"default": calendar}, "time_zone": {"default": zone}}
    return made("csv_bars", {"format": "csv", "scalars": scalars, "outputs": [output]})
