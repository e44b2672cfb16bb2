"""A stream that was cut, doubled, reordered, delayed or killed ends at the same rows and bars as an undisturbed one.

What is expected is the sandbox's own tape and the candles it serves: neither has gone through a stream.
"""

import signal
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sandbox.candles import bars_until
from sandbox.market import MINUTE, PAIRS, SIZE_DECIMALS
from sandbox.tape import trades_newest_first
from sandbox.venue.faults import Fault
from sandbox.world import microseconds
from strades_pipelines.database.connection import connect
from tests.children import run_child
from tests.ingestion.streams.conftest import Rows, Streaming
from tests.sandbox.serving import SEED

GATE = "api.gateio.ws"
LISTED = "INNER JOIN records.listings AS l USING (listing_id) WHERE l.symbol = %s"
TRADES = f"SELECT trade_id, event_time, price, size, side FROM records.trades {LISTED} ORDER BY event_time, 1"
BARS = f"""
    SELECT open_time, open, high, low, close, round(volume::numeric, 5), trade_count
    FROM records.trade_bars {LISTED} ORDER BY open_time
"""


def tape(symbol: str, since: datetime, until: datetime) -> Rows:
    """The trades that happened in [since, until]."""
    pair, span = PAIRS[symbol], (microseconds(since), microseconds(until))
    found = trades_newest_first(SEED, pair, since=span[0], until=span[1], skip=0, count=100_000)
    tick = 10**pair.price_decimals
    return [
        (str(t.number), at(t.time), t.price / tick, t.size / 10**SIZE_DECIMALS, "buy" if t.buy else "sell")
        for t in reversed(found)
    ]


def candles(symbol: str, since: datetime, until: datetime) -> Rows:
    """The venue's own bars of whole minutes in [since, until)."""
    pair, first, last = PAIRS[symbol], microseconds(since) // MINUTE, microseconds(until) // MINUTE - 1
    bars = bars_until(SEED, symbol, interval=MINUTE, first=first, last=last, now=microseconds(until))
    tick = 10**pair.price_decimals
    return [
        (at(b.start), b.open / tick, b.high / tick, b.low / tick, b.close / tick, b.size / 10**SIZE_DECIMALS, 8)
        for b, _ in bars
    ]


def at(time: int) -> datetime:
    """A time of microseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)


def check_complete(streaming: Streaming, least_minutes: int) -> None:
    """Every trade since the first that was kept is there, once and as it was, and every whole minute is a bar."""
    for symbol in ("BTC_USDT", "ETH_USDT"):
        kept = streaming.rows(TRADES, symbol)
        assert kept == tape(symbol, kept[0][1], streaming.clock.end)
        bars = [(*row[:5], float(row[5]), row[6]) for row in streaming.rows(BARS, symbol)]
        assert len(bars) >= least_minutes
        assert bars == candles(symbol, bars[0][0], streaming.clock.end)


def test_an_undisturbed_stream_keeps_every_trade_and_builds_the_venues_own_bars(streaming: Streaming) -> None:
    made = streaming.record("gateio_trades")
    check_complete(streaming, 5)
    assert made.counts.repairs == 0
    assert streaming.rows("SELECT count(*) FROM records.trade_bar_revisions") == [(0,)]
    [(frames, acknowledgements)] = streaming.rows(
        "SELECT count(*), count(*) FILTER (WHERE fetch_id IS NULL) FROM rawsources.frames"
    )
    assert (frames, acknowledgements) == (made.counts.frames, 1)
    with connect(streaming.url) as connection:
        for change in ("DELETE FROM rawsources.frames", "UPDATE rawsources.frames SET frame = ''"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(change)
            connection.rollback()


def test_a_stream_that_was_cut_doubled_reordered_delayed_and_corrupted_ends_the_same(streaming: Streaming) -> None:
    streaming.fault(GATE, "lost_event", chance=0.1)
    streaming.fault(GATE, "duplicate_event", chance=0.2, seconds=30)
    streaming.fault(GATE, "late_event", chance=0.2, seconds=90)
    streaming.fault(GATE, "corrupt_event", times=3)
    streaming.fault(GATE, "disconnect", chance=0.02, times=2)
    made = streaming.record("gateio_trades")
    check_complete(streaming, 5)
    assert made.counts.repairs > 0
    counts = streaming.sandbox.app.stream_faults[GATE].counts
    assert min(counts[Fault(kind)] for kind in ("lost_event", "duplicate_event", "late_event", "corrupt_event")) > 0
    assert streaming.rows("SELECT count(DISTINCT connection) FROM rawsources.frames") == [
        (counts[Fault("disconnect")] + 1,)
    ]
    # a corrupt frame is kept as it came, and told of
    kept = streaming.rows(
        "SELECT count(*) FROM rawsources.frames WHERE right(encode(frame, 'escape'), 2) <> '}}' AND fetch_id > 0"
    )
    rejected = streaming.rows("SELECT count(*) FROM records.rejects WHERE reason = 'frame_not_json'")
    assert kept == rejected
    assert kept[0][0] > 0


POINTS = ("streams.frames_written", "streams.frames_committed", "streams.bars_written")


def test_a_stream_that_was_killed_is_completed_by_the_next_start(streaming: Streaming) -> None:
    streaming.record("gateio_trades")
    for point in POINTS:
        clock = streaming.clock
        clock.restart()
        words = (streaming.url, clock.start.isoformat(), clock.end.isoformat(), str(clock.began))
        assert run_child("tests.ingestion.streams.stream_child", *words, STRADES_CRASH_AT=point) == -signal.SIGKILL
    streaming.record("gateio_trades")
    check_complete(streaming, 45)
    assert streaming.rows("SELECT count(*) FROM rawsources.fetches WHERE NOT is_parsed") == [(0,)]


def test_closed_candles_are_the_venues_and_a_lost_one_is_asked_for(streaming: Streaming) -> None:
    streaming.fault(GATE, "lost_event", chance=0.3)
    made = streaming.record("gateio")
    assert made.counts.repairs > 0
    query = f"""
        SELECT open_time, open, high, low, close, volume, 8 FROM records.candles {LISTED}
        AND "interval" = '1m' ORDER BY open_time
    """
    for symbol in ("BTC_USDT", "ETH_USDT"):
        bars = streaming.rows(query, symbol)
        assert len(bars) >= 5
        assert bars == candles(symbol, bars[0][0], streaming.clock.end)
