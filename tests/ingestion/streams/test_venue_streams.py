"""Kraken's and Alpaca's streams, cut, doubled and reordered, end at the tape's trades and the venue's bars."""

from datetime import datetime

import pytest

from sandbox.stream_formats import ALPACA_HOST, KRAKEN_HOST
from strades_pipelines.lineage.stream_replay import replay_connection
from strades_pipelines.settings import settings
from tests.ingestion.streams.conftest import Streaming
from tests.ingestion.streams.test_streams import BARS, LISTED, candles, tape

SECRET = "canary-secret-of-alpaca"
TRADES = f"SELECT event_time, price, size, side FROM records.trades {LISTED} ORDER BY event_time, length(trade_id), 1"
NAMES = {"BTC/USDT": "BTC_USDT", "ETH/USDT": "ETH_USDT"}
KEPT = "SELECT open_time, open, high, low, close, volume, trade_count FROM records.candles {} ORDER BY open_time"


def cut(time: datetime, milliseconds: bool) -> datetime:
    """A time as the protocol keeps it."""
    return time.replace(microsecond=time.microsecond // 1_000 * 1_000) if milliseconds else time


def check(streaming: Streaming, symbol: str, *, milliseconds: bool, least_minutes: int = 5) -> None:
    """The trades since the first are those of the tape, each once, and each whole minute is the venue's bar."""
    kept, end = streaming.rows(TRADES, symbol), streaming.clock.end
    theirs = [(cut(time, milliseconds), *row) for _, time, *row in tape(NAMES[symbol], kept[0][0], end)]
    assert kept == theirs[-len(kept) :]
    assert len(theirs) - len(kept) <= 1  # the first, where its milliseconds were cut
    bars = [(*row[:5], float(row[5]), row[6]) for row in streaming.rows(BARS, symbol)]
    assert len(bars) >= least_minutes
    assert bars == candles(NAMES[symbol], bars[0][0], end)


def go_on(streaming: Streaming, host: str) -> None:
    """Another start, without faults: it builds what stood behind the last message when the market stood still."""
    streaming.sandbox.app.stream_faults[host].rules.clear()
    streaming.record("x", minutes=4)


def check_replay(streaming: Streaming) -> None:
    """The frames of each connection are the bytes that were parsed, and say the rows that are stored."""
    connections = streaming.rows("SELECT DISTINCT connection FROM rawsources.frames WHERE fetch_id IS NOT NULL")
    for (connection,) in connections:
        made = replay_connection(connection, streaming.url)
        assert made.differences == []
        assert made.rows > 0


def test_a_disturbed_stream_of_kraken_ends_the_same(streaming: Streaming) -> None:
    streaming.use("kraken_trades", *NAMES)
    for kind, rule in (
        ("lost_event", {"chance": 0.1}),
        ("duplicate_event", {"chance": 0.2, "seconds": 30}),
        ("late_event", {"chance": 0.2, "seconds": 90}),
        ("corrupt_event", {"times": 3}),
        ("disconnect", {"chance": 0.02, "times": 1}),
    ):
        streaming.fault(KRAKEN_HOST, kind, **rule)
    made = streaming.record("x", minutes=8)
    assert made.counts.repairs > 0
    go_on(streaming, KRAKEN_HOST)
    for symbol in NAMES:
        check(streaming, symbol, milliseconds=True)
    check_replay(streaming)


def test_a_disturbed_stream_of_alpaca_ends_the_same_with_its_quotes_and_bars(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "canary-key-of-alpaca")
    monkeypatch.setenv("ALPACA_SECRET_KEY", SECRET)
    settings.cache_clear()
    streaming.use("alpaca_crypto_trades", *NAMES)
    for kind, rule in (
        ("duplicate_event", {"chance": 0.2, "seconds": 30}),
        ("late_event", {"chance": 0.2, "seconds": 60}),
        ("disconnect", {"chance": 0.02, "times": 2}),  # what is lost without an end of the connection nobody can tell
    ):
        streaming.fault(ALPACA_HOST, kind, **rule)
    made = streaming.record("x", minutes=8)
    assert made.counts.repairs > 0
    go_on(streaming, ALPACA_HOST)
    for symbol in NAMES:
        check(streaming, symbol, milliseconds=False)
        own = streaming.rows(KEPT.format(LISTED), symbol)
        venue = {row[0]: row for row in candles(NAMES[symbol], own[0][0], streaming.clock.end)}
        assert len(own) >= 2
        assert own == [venue[row[0]] for row in own]
    assert streaming.rows("SELECT count(DISTINCT listing_id) FROM records.last_quotes") == [(2,)]
    assert streaming.rows("SELECT reason FROM records.rejects WHERE reason NOT IN ('duplicate')") == []
    with_secret = "SELECT count(*) FROM rawsources.frames WHERE position(%s IN frame) > 0"
    assert streaming.rows(with_secret, SECRET.encode()) == [(0,)]
    check_replay(streaming)
