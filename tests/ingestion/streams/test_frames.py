"""Frames that real venues sent, read by the protocols; and frames of nonsense, which cost none of their neighbours."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.streams.batches import BATCH_BYTES, BATCH_FRAMES
from strades_pipelines.ingestion.streams.messages import connection_url, ping_message, subscriptions
from strades_pipelines.ingestion.streams.routing import Router
from tests.conftest import SHARED

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def instrument(symbol: str, interval: str = "1m") -> Instrument:
    """An instrument of which only symbol and interval matter."""
    return Instrument(symbol, symbol, symbol, "timeseries", interval, NOW - timedelta(days=1), None, "crypto")


def recorded(folder: str) -> list[bytes]:
    """The frames that a venue sent, as the shared folder has them."""
    path = SHARED / "data" / "payloads" / folder / "messages.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the shared folder with {folder} is not here")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return [json.dumps(json.loads(line)["msg"]).encode() for line in lines]


@pytest.mark.parametrize(
    ("folder", "protocol", "marks", "symbol_at"),
    [
        ("gateio/ws_v4", "gateio_trades", ('"channel": "spot.trades"', '"update"'), ("result", "currency_pair")),
        ("coinbase/ws_exchange", "coinbase_trades", ('"type": "match"',), ("product_id",)),
    ],
)
def test_real_frames_are_routed_and_read_as_the_venue_wrote_them(
    folder: str, protocol: str, marks: tuple[str, ...], symbol_at: tuple[str, ...]
) -> None:
    frames = recorded(folder)
    wanted = [json.loads(frame) for frame in frames if all(mark in frame.decode() for mark in marks)]
    rows = [frame.get("result", frame) for frame in wanted]
    symbols = sorted({row[symbol_at[-1]] for row in rows})
    router = Router(load_protocol(protocol), [instrument(symbol) for symbol in symbols])
    routes = router.route(frames)
    assert len(rows) == sum(route.instrument is not None for route in routes) > 5
    assert all(route.is_readable for route in routes)
    for symbol in symbols:
        own = [frame for frame, route in zip(frames, routes, strict=True) if route.instrument == symbol]
        read = load_protocol(f"{protocol}_stream")
        parsed = parse(read, join_frames(own), given={"symbol": symbol}, fetched_at=NOW)
        said = [row for row in rows if row[symbol_at[-1]] == symbol]
        size = "amount" if "amount" in said[0] else "size"
        number = "id" if "id" in said[0] else "trade_id"
        expected = sorted((str(row[number]), float(row["price"]), float(row[size])) for row in said)
        trades = parsed.tables["trade"].to_pylist()
        assert sorted((row["trade_id"], row["price"], row["size"]) for row in trades) == expected
        assert parsed.rejects == ()


def test_a_frame_of_nonsense_is_rejected_and_its_neighbours_are_read() -> None:
    good = {"id": 1, "create_time_ms": "1790000000000.5", "side": "buy", "amount": "1", "price": "2"}
    frame = {"channel": "spot.trades", "event": "update", "result": {**good, "currency_pair": "A_B"}}
    body = join_frames([b"\xff\x00", json.dumps(frame).encode(), b'{"result": 3}', b"", b'{"a": \x1e}'])
    parsed = parse(load_protocol("gateio_trades_stream"), body, given={"symbol": "A_B"}, fetched_at=NOW)
    assert [row["trade_id"] for row in parsed.tables["trade"].to_pylist()] == ["1"]
    assert [reject.where for reject in parsed.rejects] == [f"frame {n}/result" for n in (0, 2, 3, 4, 5)]


def test_the_largest_batch_of_a_recorder_is_read_whatever_the_limit_of_one_answer_is() -> None:
    words = {"type": "match", "product_id": "BTC-USD", "side": "buy", "size": "1", "price": "2"}
    times = {"time": "2026-11-29T00:00:00Z", "maker_order_id": "0" * 200}
    frames = [json.dumps(words | times | {"trade_id": number}).encode() for number in range(BATCH_FRAMES)]
    body = join_frames(frames)  # 4,000 frames of more than 300 bytes
    assert load_protocol("coinbase_trades").ask.max_bytes == 1_000_000 < len(body)
    parsed = parse(load_protocol("coinbase_trades_stream"), body, given={"symbol": "BTC-USD"}, fetched_at=NOW)
    assert parsed.tables["trade"].num_rows == BATCH_FRAMES
    # a batch, and the two bytes around each of its frames
    assert load_protocol("coinbase_trades_stream").ask.max_bytes > BATCH_BYTES + 2 * BATCH_FRAMES


@given(st.binary(max_size=200))
def test_no_frame_breaks_the_router(frame: bytes) -> None:
    for name in ("gateio_candles", "binance_trades", "coinbase_trades"):
        [route] = Router(load_protocol(name), [instrument("BTC_USDT")]).route([frame])
        assert route.instrument is None


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_frames_that_are_routed_together_are_routed_as_each_is_alone(chosen: list[int]) -> None:
    trade = {"e": "aggTrade", "s": "BTCUSDT", "p": "1", "q": "1", "m": True}
    times: list[Any] = [1_790_000_000_123, "1790000000124", "nonsense", None, 10**30, [1], 1_790_000_000_125.5]
    frames = [
        json.dumps({"stream": "btcusdt@aggTrade", "data": trade | {"f": 5, "l": 6, "T": times[number]}}).encode()
        for number in chosen
    ]
    frames += [b"\xff", b'{"stream":"btcusdt@aggTrade","stream":"x"}', b'{"result":null,"id":1}']
    router = Router(load_protocol("binance_trades"), [instrument("BTCUSDT")])
    routes = router.route(frames)
    assert routes == [route for frame in frames for route in router.route([frame])]
    expected = {0: 1_790_000_000_123_000, 1: 1_790_000_000_124_000, 6: 1_790_000_000_125_500}
    assert [[each.time for each in route.sightings] for route in routes] == [
        *([expected.get(number)] for number in chosen),
        *([], [], []),
    ]
    assert [route.is_readable for route in routes[-3:]] == [False, False, True]


def test_bars_and_quotes_beside_trades_tell_of_no_trade() -> None:
    """A bar of 12:00 that comes first on a connection is no trade of 12:00."""
    said = {"S": "BTC/USDT", "t": "2026-11-30T12:00:00Z", "o": 1, "h": 1, "l": 1, "c": 1}
    trade = said | {"T": "t", "i": 5, "p": 1, "s": 1, "tks": "B"}
    router = Router(load_protocol("alpaca_crypto_trades"), [instrument("BTC/USDT")])
    [route] = router.route([json.dumps([said | {"T": "b"}, said | {"T": "q"}, trade]).encode()])
    noon = 1_796_040_000_000_000
    assert [(each.instrument, each.time) for each in route.sightings] == [
        ("BTC/USDT", None),
        ("BTC/USDT", None),
        ("BTC/USDT", noon),
    ]


def test_messages_are_those_of_the_venues_documentation() -> None:
    pairs = [instrument("BTC_USDT"), instrument("ETH_USDT")]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    [asked] = subscriptions(load_protocol("gateio_trades"), pairs, now)
    assert json.loads(asked) == {
        "time": 1767225600,
        "channel": "spot.trades",
        "event": "subscribe",
        "payload": ["BTC_USDT", "ETH_USDT"],
    }
    assert [json.loads(text)["payload"] for text in subscriptions(load_protocol("gateio_candles"), pairs, now)] == [
        ["1m", "BTC_USDT"],
        ["1m", "ETH_USDT"],
    ]
    stream = load_protocol("gateio_trades").stream
    assert stream is not None
    assert ping_message(stream, now) == '{"time":1767225600,"channel":"spot.ping"}'
    url = connection_url(load_protocol("binance_candles"), [instrument("BTCUSDT"), instrument("ETHUSDT", "1h")])
    assert url == "wss://data-stream.binance.vision/stream?streams=btcusdt@kline_1m/ethusdt@kline_1h"
