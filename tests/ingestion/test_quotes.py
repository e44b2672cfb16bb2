"""Best bids and asks: what venues and others say they are, sides on which nobody stands, and which of them are kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NUMBERS = ("bid", "bid_size", "ask", "ask_size")
Row = dict[str, Any]


def read(protocol: Protocol, body: bytes, symbol: str = "BTC_USDT") -> Parsed:
    """The parse of a body that came at `NOW`."""
    return parse(protocol, body, given={"symbol": symbol}, fetched_at=NOW)


def of_gate(rows: Sequence[Row], every_ms: int = 0) -> Parsed:
    """Frames of Gate.io's book ticker, read with another `every_ms`."""
    frames = [
        json.dumps({"channel": "spot.book_ticker", "event": "update", "result": {"s": "BTC_USDT"} | row}).encode()
        for row in rows
    ]
    protocol = load_protocol("gateio_quotes_stream")
    outputs = tuple(replace(output, every_ms=every_ms) for output in protocol.read.outputs)
    return read(replace(protocol, read=replace(protocol.read, outputs=outputs)), join_frames(frames))


# As the venues document them.
FRAMES: Mapping[str, Any] = {
    "gateio_quotes_stream": {
        "time": 1606293275, "time_ms": 1606293275723, "channel": "spot.book_ticker", "event": "update",
        "result": {"t": 1606293275123, "u": 48733182, "s": "BTC_USDT", "b": "19177.79", "B": "0.0003341504",
                   "a": "19179.38", "A": "0.09"},
    },
    "binance_quotes_stream": {
        "stream": "bnbusdt@bookTicker",
        "data": {"u": 400900217, "s": "BNBUSDT", "b": "25.35190000", "B": "31.21000000", "a": "25.36520000",
                 "A": "40.66000000"},
    },
    "coinbase_quotes_stream": {
        "type": "ticker", "sequence": 37475248783, "product_id": "ETH-USD", "price": "1285.22", "best_bid": "1285.04",
        "best_bid_size": "0.46688654", "best_ask": "1285.27", "best_ask_size": "1.56637040", "side": "buy",
        "time": "2022-10-19T23:28:22.061769Z", "trade_id": 370843401, "last_size": "11.4396987",
    },
    "kraken_quotes_stream": {
        "channel": "ticker", "type": "snapshot",
        "data": [{"symbol": "ALGO/USD", "bid": 0.10025, "bid_qty": 740.0, "ask": 0.10036, "ask_qty": 1361.44813783,
                  "last": 0.10035, "volume": 997038.98383185, "vwap": 0.10148}],
    },
    "alpaca_crypto_trades_stream": [
        {"T": "q", "S": "BTC/USD", "bp": 36970.37, "bs": 0.5, "ap": 36996.8, "as": 1.25, "t": "2022-01-01T10:00:00.5Z"},
    ],
}  # fmt: skip
DOCUMENTED = {
    "gateio_quotes_stream": (
        "BTC_USDT", "48733182", datetime(2020, 11, 25, 8, 34, 35, 123000, UTC), 19177.79, 0.0003341504, 19179.38, 0.09,
    ),
    "binance_quotes_stream": ("BNBUSDT", "400900217", NOW, 25.3519, 31.21, 25.3652, 40.66),
    "coinbase_quotes_stream": (
        "ETH-USD", "37475248783", datetime(2022, 10, 19, 23, 28, 22, 61769, UTC), 1285.04, 0.46688654, 1285.27,
        1.5663704,
    ),
    "kraken_quotes_stream": ("ALGO/USD", "", NOW, 0.10025, 740.0, 0.10036, 1361.44813783),
    "alpaca_crypto_trades_stream": (
        "BTC/USD", "", datetime(2022, 1, 1, 10, 0, 0, 500000, UTC), 36970.37, 0.5, 36996.8, 1.25,
    ),
}  # fmt: skip


@pytest.mark.parametrize("protocol", FRAMES)
def test_frames_are_read_as_their_venues_document_them(protocol: str) -> None:
    symbol, quote_id, time, *numbers = DOCUMENTED[protocol]
    parsed = read(load_protocol(protocol), join_frames([json.dumps(FRAMES[protocol]).encode()]), str(symbol))
    [row] = parsed.tables["quote"].to_pylist()
    assert (row["symbol"], row["quote_id"], row["event_time"]) == (symbol, quote_id, time)
    assert parsed.rejects == ()
    assert [row[name] for name in NUMBERS] == numbers
    assert row["knowledge_basis"] == ("observed" if time == NOW else "stated")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, (10.0, 1.0, 11.0, 2.0)),
        ({"b": "11"}, (11.0, 1.0, 11.0, 2.0)),  # a locked market
        ({"b": "", "B": "0"}, (None, None, 11.0, 2.0)),
        ({"a": "0", "A": "0"}, (10.0, 1.0, None, None)),
        ({"B": None}, (10.0, None, 11.0, 2.0)),
        ({"b": "0", "a": ""}, "bid_and_ask_missing"),
        ({"b": "11.5"}, "bid_above_ask"),
        ({"b": "-1"}, "bid_negative"),
        ({"A": "-1"}, "ask_size_negative"),
        ({"a": "much"}, "ask_unreadable"),
        ({"u": None}, "quote_id_unreadable"),
        ({"s": "ETH_USDT"}, "another_symbol"),
    ],
)
def test_a_side_may_be_without_anybody_and_nonsense_is_no_quote(change: Row, found: object) -> None:
    good = {"t": 1_790_000_000_000, "u": 1, "b": "10", "B": "1", "a": "11", "A": "2"}
    parsed = of_gate([good | {"u": 7}, good | change])
    rows = [row for row in parsed.tables["quote"].to_pylist() if row["quote_id"] != "7"]
    if isinstance(found, str):
        assert (rows, [reject.reason for reject in parsed.rejects]) == ([], [found])
    else:
        assert [tuple(row[name] for name in NUMBERS) for row in rows] == [found]
        assert parsed.rejects == ()


def test_a_quote_of_the_future_or_of_another_unit_is_refused() -> None:
    row = {"u": 1, "b": "10", "B": "1", "a": "11", "A": "2"}
    for time in (1_000 * (NOW + timedelta(minutes=1)).timestamp(), 1_790_000_000):
        with pytest.raises(BodyRefused, match="event_time as ms"):
            of_gate([row | {"t": int(time)}])


@given(st.lists(st.integers(0, 40), min_size=1, max_size=25), st.sampled_from([0, 1, 7, 1_000]))
def test_of_each_stretch_the_newest_quote_is_kept_and_no_other_is_a_reject(offsets: list[int], every_ms: int) -> None:
    start = 1_790_000_000_000
    rows = [
        {"t": start + offset, "u": number, "b": "10", "B": "1", "a": "11", "A": "2"}
        for number, offset in enumerate(offsets)
    ]
    parsed = of_gate(rows, every_ms)
    newest: dict[int, tuple[int, int]] = {}
    for number, offset in enumerate(offsets):
        cell = (start + offset) // every_ms if every_ms else -number
        newest[cell] = max(newest.get(cell, (0, 0)), (offset, number))
    kept = {int(row["quote_id"]) for row in parsed.tables["quote"].to_pylist()}
    assert kept == {number for _, number in newest.values()}
    assert parsed.rejects == ()
