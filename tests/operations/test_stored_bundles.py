"""Bundles over bars of the database: read as of a time, with their sources' licences; a correction changes nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.settings import settings
from tests.brokerage.conftest import BTC, START, AddCandles, add_candles, market
from tests.dashboard.conftest import store
from tests.research.bars import runner
from tests.shut_in import shut_in

__all__ = ["add_candles", "market", "shut_in"]
Connection = psycopg.Connection[Any]
NOW = START + timedelta(hours=2)
MAKE = "bundle make sma_cross --instrument BTC_USDT --interval 1m --param fast=2 --param slow=4 --name cross " \
    "--version 1.0.0 --title Means --licence MIT --json --output"  # fmt: skip


@pytest.mark.usefixtures("shut_in")
def test_what_was_corrected_since_is_verified_as_it_stood(
    add_candles: AddCandles,
    market: Connection,
    own_world: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STRADES_SANDBOX_NOW", NOW.isoformat())
    settings.cache_clear()
    store(market, 1, b"[]", at=START)
    add_candles([100.0, 101.0, 102.0, 101.0, 99.0, 98.0, 100.0, 103.0, 104.0, 102.0])
    run, file = runner(monkeypatch, capsys), tmp_path / "cross.zip"

    made = run(*MAKE.split(), file)
    assert made.code == 0, made.err
    [data] = made.document["manifest"]["data"]
    assert (data["instrument"], data["origin"], data["rows"]) == ("gateio:BTC_USDT", "stored", 10)
    assert (data["as_of"], data["source"]) == ("2024-01-02T02:00:00Z", "gateio (gateio_candles)")
    assert data["licence"] == load_protocol("gateio_candles").licence[:200]
    # A version that came an hour after the bundle was made takes the place of a close.
    market.execute(
        "INSERT INTO records.candle_revisions SELECT *, %(at)s FROM records.candles WHERE listing_id = %(id)s "
        "AND open_time = %(open)s",
        {"at": NOW + timedelta(hours=1), "id": BTC, "open": START + timedelta(minutes=4)},
    )
    market.execute(
        "UPDATE records.candles SET close = 99.5, high = 101, recorded_at = %s "
        "WHERE listing_id = %s AND open_time = %s",
        [NOW + timedelta(hours=1), BTC, START + timedelta(minutes=4)],
    )
    market.commit()
    monkeypatch.setenv("STRADES_SANDBOX_NOW", (NOW + timedelta(hours=2)).isoformat())
    settings.cache_clear()
    verified = run("bundle", "verify", file)
    assert verified.out.startswith("verified: "), verified.out
    market.execute("DELETE FROM records.candles WHERE open_time >= %s", [START + timedelta(minutes=9)])
    market.commit()
    gone = run("bundle", "verify", file, "--json")
    assert (gone.code, gone.document["state"]) == (1, "data not here")
    assert "other values" in gone.document["detail"]
