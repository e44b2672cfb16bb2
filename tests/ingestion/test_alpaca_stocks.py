"""Alpaca's stocks: bars, trades and quotes as its documentation has them; nobody says which side took."""

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa

from strades_pipelines.brokerage.trade_feed import trade_columns
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import Parsed
from tests.ingestion.conftest import add_listing, store_body

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIVEN = {"symbol": "AAPL", "interval": "1m", "venue": "alpaca", "calendar": "XNYS"}
# In the form of Alpaca's Market Data API as its reference was remembered: no recorded answer was at hand. Times in
# nanoseconds.
TRADES = {
    "trades": {
        "AAPL": [
            {"t": "2022-01-03T14:30:00.123456789Z", "x": "V", "p": 178.26, "s": 246, "c": ["@", "T"], "i": 1, "z": "C"},
            {"t": "2022-01-03T14:30:01Z", "x": "V", "p": 178.27, "s": 12, "c": ["@"], "i": 2, "z": "C"},
        ]
    },
    "next_page_token": None,
}
QUOTES = {
    "quotes": {
        "AAPL": [
            {"t": "2022-01-03T14:30:00.028160898Z", "ax": "V", "ap": 178.3, "as": 1, "bx": "V", "bp": 178.21, "bs": 2,
             "c": ["R"], "z": "C"}
        ]
    },
    "next_page_token": None,
}  # fmt: skip
BARS = {
    "bars": {
        "AAPL": [
            {"t": "2022-01-03T14:30:00Z", "o": 178.26, "h": 178.34, "l": 177.76, "c": 178.08, "v": 60937, "n": 1727,
             "vw": 177.954244}
        ]
    },
    "next_page_token": None,
}  # fmt: skip
FRAME: list[dict[str, Any]] = [
    {"T": "t", "S": "AAPL", **TRADES["trades"]["AAPL"][0]},  # type: ignore[index]
    {"T": "q", "S": "AAPL", **QUOTES["quotes"]["AAPL"][0]},  # type: ignore[index]
    {"T": "b", "S": "AAPL", **BARS["bars"]["AAPL"][0]},  # type: ignore[index]
]


def read(protocol: str, body: Any, **more: str) -> Parsed:
    """The parse of a document, without rejects."""
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    parsed = parse(load_protocol(protocol), written, given=GIVEN | more, fetched_at=NOW)
    assert parsed.rejects == ()
    return parsed


def test_a_trade_of_a_consolidated_tape_has_no_side() -> None:
    first, second = read("alpaca_stock_trades", TRADES).tables["trade"].to_pylist()
    assert (first["trade_id"], first["price"], first["size"], first["side"]) == ("1", 178.26, 246.0, None)
    assert first["event_time"] == datetime(2022, 1, 3, 14, 30, 0, 123457, tzinfo=UTC)  # never known before it was
    assert second["side"] is None


def test_a_strategy_hears_of_a_trade_without_a_side_that_nobody_says_who_took() -> None:
    heard = read("alpaca_stock_trades", TRADES).tables["trade"]
    heard = heard.append_column("listing_id", pa.array([7] * heard.num_rows))
    assert trade_columns(heard, {7: 0}).c.tolist() == [0.0, 0.0]


def test_quotes_and_bars_are_those_of_every_other_venue() -> None:
    [quote] = read("alpaca_stock_quotes", QUOTES).tables["quote"].to_pylist()
    assert [quote[name] for name in ("bid", "bid_size", "ask", "ask_size")] == [178.21, 2.0, 178.3, 1.0]
    [bar] = read("alpaca_stock_candles", BARS).tables["candle"].to_pylist()
    assert [bar[name] for name in ("open", "high", "low", "close", "volume", "trade_count")] == [
        178.26, 178.34, 177.76, 178.08, 60937.0, 1727,
    ]  # fmt: skip
    assert bar["close_time"] == bar["knowledge_time"] == datetime(2022, 1, 3, 14, 31, tzinfo=UTC)


def test_a_bar_of_a_day_is_that_of_its_session() -> None:
    day = BARS["bars"]["AAPL"][0] | {"t": "2022-01-03T05:00:00Z"}  # type: ignore[index]
    [bar] = read("alpaca_stock_candles", {"bars": {"AAPL": [day]}}, interval="1d").tables["candle"].to_pylist()
    assert bar["open_time"] == datetime(2022, 1, 3, 14, 30, tzinfo=UTC)
    assert bar["close_time"] == datetime(2022, 1, 3, 21, tzinfo=UTC)


def test_a_frame_of_the_stream_has_trades_quotes_and_bars() -> None:
    frames = join_frames([json.dumps([message]).encode() for message in FRAME])
    tables = read("alpaca_stock_trades_stream", frames).tables
    assert {kind: table.num_rows for kind, table in tables.items()} == {"trade": 1, "quote": 1, "candle": 1}
    assert tables["trade"]["side"].to_pylist() == [None]


def test_a_trade_without_a_side_is_stored_once_and_corrected(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    add_listing(connection, "alpaca", "AAPL", "XNYS")
    connection.commit()
    corrected = json.loads(json.dumps(TRADES))
    corrected["trades"]["AAPL"][1]["p"] = 178.28
    for day, body in ((19, TRADES), (20, TRADES), (21, corrected)):
        store_body(
            database_url,
            json.dumps(body).encode(),
            protocol="alpaca_stock_trades",
            source="alpaca",
            request_key=f"trades {day}",
            given=GIVEN,
            fetched_at=datetime(2026, 11, day, tzinfo=UTC),
        )
        summary = load_stored(url=database_url, now=NOW)
        assert (summary.refused, summary.rejects) == ([], 0)
    rows = connection.execute("SELECT trade_id, price, side FROM records.trades ORDER BY 1").fetchall()
    assert rows == [("1", 178.26, None), ("2", 178.28, None)]
    revisions = connection.execute("SELECT trade_id, price, side FROM records.trade_revisions").fetchall()
    assert revisions == [("2", 178.27, None)]
