"""A venue that ends its connections again and again: what was missed is asked for, and nothing is there twice."""

import os

import pytest

from strades_pipelines.ingestion.streams import stream_client
from tests.ingestion.streams.conftest import Streaming
from tests.ingestion.streams.test_streams import GATE, check_complete

DROPS = int(os.environ.get("STRADES_DROPS", "40"))


def test_25_a_storm_of_dropped_connections_loses_and_doubles_no_trade(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_client, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(stream_client, "LONGEST_WAIT", 0.02)
    streaming.fault(GATE, "disconnect", chance=0.9, times=DROPS)
    streaming.record("gateio_trades", minutes=4 + DROPS / 8)
    [(connections,)] = streaming.rows("SELECT count(DISTINCT connection) FROM rawsources.frames")
    dropped = sum(streaming.sandbox.app.stream_faults[GATE].counts.values())
    assert connections > dropped / 2 > DROPS / 4
    check_complete(streaming, 3)
    [(rows, trades)] = streaming.rows("SELECT count(*), count(DISTINCT (listing_id, trade_id)) FROM records.trades")
    assert rows == trades
