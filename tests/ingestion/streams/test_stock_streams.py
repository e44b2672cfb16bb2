"""Alpaca's stream of shares, doubled, late and cut in the middle of a session, ends at the tape's trades and bars."""

from datetime import UTC, datetime

import pytest

from sandbox.market import MINUTE, SHARES
from sandbox.shares import share_bars, share_trades
from sandbox.stream_formats import ALPACA_HOST
from sandbox.world import microseconds
from strades_pipelines.settings import settings
from tests.ingestion.streams.conftest import Streaming
from tests.ingestion.streams.test_streams import LISTED, at
from tests.sandbox.serving import SEED

IN_A_SESSION = datetime(2026, 11, 25, 15, 10, 30, tzinfo=UTC)  # Wednesday, 10:10:30 in New York
TRADES = f"SELECT event_time, price, size, side FROM records.trades {LISTED} ORDER BY event_time, trade_id"
BARS = f"SELECT open_time, open, high, low, close, volume, trade_count FROM records.candles {LISTED} ORDER BY open_time"


def test_a_disturbed_stream_of_shares_ends_at_the_trades_and_bars_of_the_tape(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "canary-of-shares")
    settings.cache_clear()
    streaming.clock.start = streaming.clock.end = IN_A_SESSION
    streaming.use("alpaca_stock_trades", "AAPL", "MSFT")
    streaming.fault(ALPACA_HOST, "duplicate_event", chance=0.2, seconds=30)
    streaming.fault(ALPACA_HOST, "disconnect", chance=0.03, times=1)
    streaming.record("x", minutes=5)
    streaming.sandbox.app.stream_faults[ALPACA_HOST].rules.clear()
    streaming.record("x", minutes=3)
    end = microseconds(streaming.clock.end)
    for symbol in ("AAPL", "MSFT"):
        kept = streaming.rows(TRADES, symbol)
        since = microseconds(kept[0][0])
        tape = share_trades(SEED, SHARES[symbol], since=since, until=end, count=10_000)
        assert kept == [(at(trade.time), trade.price / 100, float(trade.size), None) for trade in tape]
        assert len(kept) > 30
        bars = streaming.rows(BARS, symbol)
        own = share_bars(SEED, SHARES[symbol], minutes=1, since=microseconds(bars[0][0]), until=end, count=100)
        venue = {
            at(bar.start): (*(price / 100 for price in (bar.open, bar.high, bar.low, bar.close)), float(bar.size), 8)
            for bar in own
        }
        assert len(bars) >= 2
        assert [row[1:] for row in bars] == [venue[row[0]] for row in bars]
        assert {(row[0] - IN_A_SESSION).total_seconds() % 60 for row in bars} == {MINUTE / 2e6}
    assert streaming.rows("SELECT count(DISTINCT listing_id) FROM records.last_quotes") == [(2,)]
