"""Quotes of each venue's stream, as the sandbox's tape has them, whatever happens to the frames."""

from collections.abc import Mapping
from typing import Any

import pytest

from sandbox import gateio
from sandbox.market import PAIRS, SIZE_DECIMALS
from sandbox.stream_formats import BINANCE_HOST, COINBASE_HOST, KRAKEN_HOST
from sandbox.tape import quote_after, trades_newest_first
from sandbox.world import microseconds
from tests.ingestion.streams.conftest import Rows, Streaming
from tests.ingestion.streams.test_streams import at
from tests.sandbox.serving import SEED

HOSTS = {
    "gateio_quotes": gateio.HOST,
    "binance_quotes": BINANCE_HOST,
    "coinbase_quotes": COINBASE_HOST,
    "kraken_quotes": KRAKEN_HOST,
}
SYMBOLS = dict(zip(HOSTS, ("BTC_USDT", "BTCUSDT", "BTC-USDT", "BTC/USDT"), strict=True))
QUOTES = "SELECT quote_id, event_time, bid, bid_size, ask, ask_size FROM records.quotes ORDER BY event_time, quote_id"
LAST = "SELECT quote_id, bid, bid_size, ask, ask_size FROM records.last_quotes"


def tape(streaming: Streaming) -> Mapping[str, tuple[Any, ...]]:
    """The quotes of the two hours before the end by their number, oldest first."""
    pair, end = PAIRS["BTC_USDT"], microseconds(streaming.clock.end)
    found = trades_newest_first(SEED, pair, since=end - 7_200_000_000, until=end, skip=0, count=100_000)
    tick, lot = 10**pair.price_decimals, 10**SIZE_DECIMALS
    quotes = [quote_after(trade) for trade in reversed(found)]
    return {str(q.number): (at(q.time), q.bid / tick, q.bid_size / lot, q.ask / tick, q.ask_size / lot) for q in quotes}


def check_quotes(streaming: Streaming, rows: Rows) -> None:
    """Each record is a quote of the tape, and the newest quote of the tape is the last one."""
    known = tape(streaming)
    newest = list(known)[-1]
    [(number, *values)] = streaming.rows(LAST)
    assert tuple(values) == known[newest][1:]
    if number:
        assert number == newest
        assert [row[2:] for row in rows] == [known[row[0]][1:] for row in rows]
    else:  # a venue that numbers none
        assert {row[2:] for row in rows} <= {quote[1:] for quote in known.values()}


@pytest.mark.parametrize("protocol", HOSTS)
def test_quotes_are_kept_as_the_venue_states_them(streaming: Streaming, protocol: str) -> None:
    streaming.use(protocol, SYMBOLS[protocol])
    made = streaming.record("x", minutes=3)
    rows = streaming.rows(QUOTES)
    check_quotes(streaming, rows)
    assert made.counts.repairs == made.counts.rejects == 0
    if protocol in ("gateio_quotes", "coinbase_quotes"):  # a quote each 7.5 s, and none in the same quarter of a second
        known = tape(streaming)
        precision = 1_000 if protocol == "gateio_quotes" else 1
        kept = [microseconds(time) for _, time, *_ in rows]
        assert kept == [microseconds(known[number][0]) // precision * precision for number, *_ in rows]
        first = list(known).index(rows[0][0])
        assert [row[0] for row in rows] == list(known)[first:]
    assert streaming.rows("SELECT count(*) FROM rawsources.fetches WHERE NOT is_parsed") == [(0,)]


def test_lost_doubled_late_and_cut_quotes_leave_the_newest_one(streaming: Streaming) -> None:
    streaming.use("gateio_quotes", "BTC_USDT")
    host = HOSTS["gateio_quotes"]
    streaming.fault(host, "lost_event", chance=0.1)
    streaming.fault(host, "duplicate_event", chance=0.2, seconds=30)
    streaming.fault(host, "late_event", chance=0.2, seconds=60)
    streaming.fault(host, "corrupt_event", times=2)
    streaming.fault(host, "disconnect", chance=0.02, times=1)
    streaming.record("x", minutes=6)
    streaming.sandbox.app.stream_faults[host].rules.clear()
    streaming.record("x", minutes=1)
    rows = streaming.rows(QUOTES)
    assert len(rows) > 20
    check_quotes(streaming, rows)
    assert streaming.rows("SELECT count(*) FROM records.quote_revisions") == [(0,)]
    assert streaming.rows("SELECT count(*) FROM records.rejects WHERE reason = 'frame_not_json'")[0][0] > 0
