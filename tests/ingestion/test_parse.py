"""Recorded bodies become the records that others, or the bodies' own numbers, say they are."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.market.records import SCHEMAS
from tests.ingestion.conftest import gate_body, gate_row
from tests.ingestion.protocols import wire_articles

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = {"symbol": "BTC_USDT", "interval": "1h"}


def records(protocol: Protocol, body: bytes, given: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """All records of a body without rejects."""
    parsed = parse(protocol, body, given=given or {}, fetched_at=NOW)
    assert parsed.rejects == ()
    return [row for table in parsed.tables.values() for row in table.to_pylist()]


def milliseconds(time: datetime) -> int:
    """Milliseconds since the epoch, truncated as ccxt does."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("published", "modified", "known", "basis"),
    [
        (1709647200, 1709756100, datetime(2024, 3, 6, 20, 15, tzinfo=UTC), "stated"),
        (1709647200, 1709640000, datetime(2024, 3, 5, 14, tzinfo=UTC), "stated"),
        (1709647200, None, datetime(2024, 3, 5, 14, tzinfo=UTC), "stated"),
        (1709647200, "soon", NOW, "observed"),
        (None, 1709647200, datetime(2024, 3, 5, 14, tzinfo=UTC), "stated"),
        (None, None, NOW, "observed"),
        ("soon", 1709756100, NOW, "observed"),
    ],
)
def test_an_article_of_any_protocol_is_known_from_its_last_edit(
    published: object, modified: object, known: datetime, basis: str
) -> None:
    article = {"article_id": "1", "title": "a", "authors": [], "categories": []}
    body = json.dumps([article | {"published_at": published, "modified_at": modified}]).encode()
    [row] = records(wire_articles(), body)
    assert (row["knowledge_time"], row["knowledge_basis"]) == (known, basis)
    assert row["published_at"] == (datetime(2024, 3, 5, 14, tzinfo=UTC) if basis == "stated" else None)


def test_gate_times_keep_their_microseconds() -> None:
    trade = {"id": "1", "create_time_ms": "1710327648162.035000", "side": "sell", "amount": "1", "price": "2"}
    row = records(load_protocol("gateio_trades"), json.dumps([trade]).encode(), {"symbol": "X"})[0]
    assert row["event_time"] == datetime(2024, 3, 13, 11, 0, 48, 162035, tzinfo=UTC)


def test_forming_bar_is_not_final_and_known_at_its_close() -> None:
    final, forming = records(
        load_protocol("gateio_candles"), gate_body(gate_row(0), gate_row(1, closed="false")), HOUR | {"interval": "1m"}
    )
    assert (final["is_final"], forming["is_final"]) == (True, False)
    assert forming["close_time"] == forming["knowledge_time"] == datetime(2026, 11, 1, 0, 2, tzinfo=UTC)


def test_bar_flagged_closed_before_our_clock_says_so_is_not_final() -> None:
    time = datetime(2026, 11, 1, 0, 0, 59, tzinfo=UTC)
    parsed = parse(
        load_protocol("gateio_candles"), gate_body(gate_row(0)), given=HOUR | {"interval": "1m"}, fetched_at=time
    )
    assert parsed.tables["candle"]["is_final"].to_pylist() == [False]


@pytest.mark.parametrize("row", [gate_row(0), gate_row(0)[:6]])  # closed by its flag, and by the clock
def test_bar_that_closes_between_the_request_and_its_answer_is_not_final(row: list[str]) -> None:
    """The bar of 00:00 to 00:01: asked for 0.1 s before its close, the answer was made at an instant nobody knows."""
    close = datetime(2026, 11, 1, 0, 1, tzinfo=UTC)
    for sent_before_close, final in ((timedelta(milliseconds=100), False), (timedelta(0), True)):
        times = {"fetched_at": close - sent_before_close, "answered_at": close + timedelta(seconds=20)}
        parsed = parse(load_protocol("gateio_candles"), gate_body(row), given=HOUR | {"interval": "1m"}, **times)
        assert parsed.tables["candle"]["is_final"].to_pylist() == [final]


def test_older_gate_rows_without_volume_and_flag_are_read_by_the_clock() -> None:
    row = records(load_protocol("gateio_candles"), gate_body(gate_row(0)[:6]), HOUR | {"interval": "1m"})[0]
    assert (row["volume"], row["is_final"], row["knowledge_basis"]) == (None, True, "assumed")


def chart_files(folder: Path) -> list[Path]:
    """The recorded chart bodies."""
    return sorted(path for path in (folder / "payloads/yahoo/chart").glob("*.json") if "meta" not in path.name)


def test_yahoo_bars_are_the_arrays_of_the_body(shared_data: Path) -> None:
    counts = {}
    for path in chart_files(shared_data):
        body = path.read_bytes()
        result = json.loads(body)["chart"]["result"][0]
        quote = result["indicators"]["quote"][0]
        table = parse(load_protocol("yahoo_chart"), body, given={}, fetched_at=NOW).tables["candle"]
        times = [int(time.timestamp()) for time in table["open_time"].to_pylist()]
        assert times == result.get("timestamp", [])
        for name in ("open", "high", "low", "close"):
            assert table[name].to_pylist() == quote.get(name, [])
        assert table["volume"].to_pylist() == [float(volume) for volume in quote.get("volume", [])]
        assert set(table["symbol"].to_pylist()) <= {result["meta"]["symbol"]}
        counts[path.name] = table.num_rows
    assert sorted(counts.values()) == [0, 1, 1, 3, 3, 49, 252]


def test_yahoo_days_are_known_at_the_close_of_their_session(shared_data: Path) -> None:
    body = (
        shared_data / "payloads/yahoo/chart/historical-via-chart-nvda-split-2021-02-01-to-2022-01-31.json"
    ).read_bytes()
    table = parse(load_protocol("yahoo_chart"), body, given={}, fetched_at=NOW).tables["candle"]
    closes = {time.date(): time for time in table["knowledge_time"].to_pylist()}
    assert closes[date(2021, 2, 1)] == datetime(2021, 2, 1, 21, 0, tzinfo=UTC)  # winter
    assert closes[date(2021, 7, 20)] == datetime(2021, 7, 20, 20, 0, tzinfo=UTC)  # summer
    assert closes[date(2021, 11, 26)] == datetime(2021, 11, 26, 18, 0, tzinfo=UTC)  # the half day after Thanksgiving


def test_yahoo_day_is_not_final_while_its_session_is_open(shared_data: Path) -> None:
    body = (shared_data / "payloads/yahoo/chart/chart-aapl.json").read_bytes()  # 22 February 2022 alone
    for fetched_at, final in (
        (datetime(2022, 2, 22, 20, 59, tzinfo=UTC), False),
        (datetime(2022, 2, 22, 21, tzinfo=UTC), True),
    ):
        table = parse(load_protocol("yahoo_chart"), body, given={}, fetched_at=fetched_at).tables["candle"]
        assert table["is_final"].to_pylist() == [final]


def test_yahoo_events_are_corporate_actions(shared_data: Path) -> None:
    body = (shared_data / "payloads/yahoo/chart/chart-aapl-2020-08-31-to-2020-11-07.json").read_bytes()
    dividend, split = (
        parse(load_protocol("yahoo_chart"), body, given={}, fetched_at=NOW).tables["corporate_action"].to_pylist()
    )
    assert (dividend["action"], dividend["ex_date"], dividend["amount"], dividend["currency"], dividend["ratio"]) == (
        "dividend",
        date(2020, 11, 6),
        0.205,
        "USD",
        None,
    )
    assert (split["action"], split["ex_date"], split["ratio"], split["amount"]) == (
        "split",
        date(2020, 8, 31),
        4.0,
        None,
    )
    assert split["knowledge_time"] == datetime(2020, 8, 31, 13, 30, tzinfo=UTC)


def test_answer_about_another_symbol_is_refused(shared_data: Path) -> None:
    body = (shared_data / "payloads/yahoo/chart/chart-aapl.json").read_bytes()
    with pytest.raises(BodyRefused, match="expected symbol MSFT, was AAPL"):
        parse(load_protocol("yahoo_chart"), body, given={"symbol": "MSFT"}, fetched_at=NOW)


def test_ecb_daily_rates_are_their_row_of_the_history(shared_data: Path) -> None:
    daily = records(
        load_protocol("ecb_fx_daily"), (shared_data / "payloads/ecb/eurofxref-daily_2024-06-26.xml").read_bytes()
    )
    history = records(load_protocol("ecb_fx_history"), (shared_data / "payloads/ecb/eurofxref-hist.zip").read_bytes())
    assert len(daily) == 30
    assert daily == [row for row in history if row["event_time"] == datetime(2024, 6, 26, tzinfo=UTC)]
    usd = next(row for row in daily if row["series"] == "ECB:USD")
    assert (usd["value"], usd["unit"]) == (1.0689, "USD per EUR")
    assert usd["knowledge_time"] == datetime(2024, 6, 26, 14, 0, tzinfo=UTC)  # 16:00 in Frankfurt's summer


def test_ecb_history_has_every_rate_of_its_file_and_no_other(shared_data: Path) -> None:
    body = (shared_data / "payloads/ecb/eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("eurofxref-hist.csv").decode()))
        wanted = {
            (f"ECB:{currency}", row["Date"]): float(rate)
            for row in rows
            for currency, rate in row.items()
            if currency not in ("Date", "") and rate not in ("N/A", "")
        }
    table = parse(load_protocol("ecb_fx_history"), body, given={}, fetched_at=NOW).tables["observation"]
    days = [f"{time:%Y-%m-%d}" for time in table["event_time"].to_pylist()]
    found = dict(zip(zip(table["series"].to_pylist(), days, strict=True), table["value"].to_pylist(), strict=True))
    assert found == wanted
    assert len(found) > 200_000


def test_kraken_minutes_made_from_its_trades_are_its_bars(shared_data: Path) -> None:
    folder = shared_data / "payloads/kraken/rest_nautilus"
    given = {"symbol": "XBTUSDT", "interval": "1m"}
    bars = {
        row["open_time"]: row
        for row in records(load_protocol("kraken_candles"), (folder / "http_ohlc.json").read_bytes(), given)
    }
    trades = records(load_protocol("kraken_trades"), (folder / "http_trades.json").read_bytes(), given)
    minutes: dict[datetime, list[dict[str, Any]]] = {}
    for trade in trades:
        minutes.setdefault(trade["event_time"].replace(second=0, microsecond=0), []).append(trade)
    whole = sorted(minutes)[1:-1]
    shared = [minute for minute in whole if minute in bars and bars[minute]["is_final"]]
    assert len(shared) > 100
    for minute in shared:
        prices, bar = [trade["price"] for trade in minutes[minute]], bars[minute]
        made = (prices[0], max(prices), min(prices), prices[-1])
        assert made == (bar["open"], bar["high"], bar["low"], bar["close"])
        assert sum(trade["size"] for trade in minutes[minute]) == pytest.approx(bar["volume"], rel=1e-9)
        assert len(prices) == bar["trade_count"]


def test_recorded_binance_klines_are_their_own_arrays(shared_data: Path) -> None:
    for path in sorted((shared_data / "payloads/binance/rest_v3_recorded").glob("api_v3_klines_*.json")):
        if "meta" in path.name:
            continue
        interval = path.name.split("_interval_")[1].split("_")[0]
        parsed = parse(
            load_protocol("binance_candles"),
            path.read_bytes(),
            given={"symbol": "BTCUSDT", "interval": interval},
            fetched_at=NOW,
        )
        rows = json.loads(path.read_bytes())
        table = parsed.tables["candle"]
        assert parsed.rejects == ()
        assert [milliseconds(time) for time in table["open_time"].to_pylist()] == [row[0] for row in rows]
        assert [milliseconds(time) for time in table["close_time"].to_pylist()] == [row[6] + 1 for row in rows]
        assert table["close"].to_pylist() == [float(row[4]) for row in rows]
        assert table["trade_count"].to_pylist() == [row[8] for row in rows]


def test_tables_have_the_canonical_schemas() -> None:
    for name in ("gateio_candles", "gateio_trades", "yahoo_chart"):
        empty = b'{"chart": {"result": [{}]}}' if name == "yahoo_chart" else b"[]"
        for kind, table in parse(load_protocol(name), empty, given={}, fetched_at=NOW).tables.items():
            assert isinstance(table, pa.Table)
            assert table.schema == SCHEMAS[kind]


def test_missing_given_is_named() -> None:
    with pytest.raises(GivenError, match="interval"):
        parse(load_protocol("gateio_candles"), gate_body(gate_row(0)), given={"symbol": "X"}, fetched_at=NOW)


@pytest.mark.parametrize("interval", ["1x", "", "1M", "0m", "1m\n"])
def test_bad_interval_is_an_input_error(interval: str) -> None:
    with pytest.raises(GivenError):
        parse(
            load_protocol("gateio_candles"), gate_body(gate_row(0)), given=HOUR | {"interval": interval}, fetched_at=NOW
        )


def test_naive_fetch_time_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="aware"):
        parse(load_protocol("gateio_candles"), b"[]", given=HOUR, fetched_at=datetime(2026, 1, 1))


def test_body_larger_than_the_protocol_allows_is_refused() -> None:
    with pytest.raises(BodyRefused, match="at most 4000000 bytes"):
        parse(load_protocol("gateio_candles"), b" " * 4_000_001, given=HOUR, fetched_at=NOW)
