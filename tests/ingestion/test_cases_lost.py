"""Real faults in which what a provider said was lost, or refused though right; each names the public report of it."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import SourcesError, load_sources
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.parse import parse

FETCHED = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(shared_data: Path, protocol: str, file: str, **given: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """The records of a case's body, and the reasons of its rejects."""
    body = (shared_data / "cases/ingestion" / file).read_bytes()
    found = document(load_protocol(protocol), body, given=given, fetched_at=FETCHED)
    return found["records"], [reject["reason"] for reject in found["rejects"]]


def test_what_a_fund_pays_out_of_its_gains_is_an_action(shared_data: Path) -> None:
    """ranaroussi/yfinance#926, #812, #2666; business-science/tidyquant#204"""
    records, rejects = read(shared_data, "yahoo_chart", "capital_gains.json", symbol="EXFND")
    paid = {(row["action"], row["ex_date"]): row["amount"] for row in records if "action" in row}
    assert paid == {("dividend", "2022-12-28"): 0.05, ("capital_gain", "2022-12-28"): 0.45}
    assert rejects == []


def test_a_futures_day_labelled_with_its_dates_midnight_is_its_session(shared_data: Path) -> None:
    """dpguthrie/yahooquery#127, #163: Globex opens at 17:00 in Chicago on the evening before, 23:00Z"""
    records, rejects = read(shared_data, "yahoo_chart", "futures_midnight.json", symbol="GC=F", calendar="CMES")
    assert [row["open_time"] for row in records] == [f"2020-01-{day:02}T23:00:00Z" for day in (1, 2, 5)]
    assert rejects == []


def test_the_negative_price_of_a_future_is_a_price(shared_data: Path) -> None:
    """HKUDS/Vibe-Trading#571, #816: crude oil for May settled at -37.63 on 2020-04-20"""
    records, rejects = read(shared_data, "yahoo_chart", "negative_price.json", symbol="EXCL=F", calendar="CMES")
    assert len(records) == 3
    assert -37.63 in [row["close"] for row in records]
    assert rejects == []


def test_a_bar_whose_volume_cannot_be_read_is_a_bar_without_volume(shared_data: Path) -> None:
    """c9s/bbgo#1418: a coin quoted at 1e-10 trades more than 2**53 a day"""
    records, rejects = read(shared_data, "gateio_candles", "gate_huge_volume.json", symbol="EXDOGE_USDT", interval="1d")
    assert len(records) == 2
    assert [row["volume"] is None for row in records] == [True, False]
    assert rejects == ["volume_unreadable"]


@pytest.mark.parametrize(
    ("place", "value", "lost"),
    [
        (1, "99999999999999999999", "quote_volume"),
        (1, "", "quote_volume"),
        (6, "1e30", "volume"),
        (7, "maybe", "closed"),
    ],
)
def test_a_field_of_gates_bar_that_cannot_be_read_costs_the_field(place: int, value: str, lost: str) -> None:
    """Either sum of a coin that is quoted at 1e-10, and a flag of neither word: the bar is over by the clock."""
    row = ["1700000040", "10.5", "2", "3", "0.5", "1", "5", "true"]
    row[place] = value
    given = {"symbol": "EX_USDT", "interval": "1m"}
    found = parse(load_protocol("gateio_candles"), json.dumps([row]).encode(), given=given, fetched_at=FETCHED)
    [bar] = found.tables["candle"].to_pylist()
    assert (bar["close"], bar["is_final"]) == (2.0, True)
    assert bar["knowledge_basis"] == ("assumed" if lost == "closed" else "stated")
    assert (bar["volume"], bar["quote_volume"]) == (None if lost == "volume" else 5, None if place == 1 else 10.5)
    assert [one.reason for one in found.rejects] == [f"{lost}_unreadable"]


def test_the_plain_text_of_a_title_keeps_what_looks_like_markup(shared_data: Path) -> None:
    """madelynnblue/goread#226; lwindolf/liferea#492; RFC 4287, 3.1.1: the type text holds no markup"""
    records, _ = read(shared_data, "feed", "atom_less_than.xml")
    assert {row["title"] for row in records} == {
        "Yield spread <zero for the first time since May", "AT&T raises dividend",
    }  # fmt: skip


def test_tokyos_calendar_begins_when_it_is_known(shared_data: Path) -> None:
    """gerrymanoim/exchange_calendars#405, #531: 09:00 to 15:00 in Tokyo"""
    records, rejects = read(shared_data, "yahoo_chart", "tokyo.json", symbol="9999.T", calendar="XTKS")
    assert {row["open_time"][10:] for row in records} == {"T00:00:00Z"}
    assert {row["close_time"][10:] for row in records} == {"T06:00:00Z"}
    assert len({date.fromisoformat(row["open_time"][:10]) for row in records}) == 3
    assert rejects == []


def test_of_a_live_row_beside_the_days_own_one_bar_is_left(shared_data: Path) -> None:
    """ranaroussi/yfinance#1070; dpguthrie/yahooquery#123, #127"""
    records, rejects = read(shared_data, "yahoo_chart", "live_row.json", symbol="EXCO")
    assert [row["open_time"][:10] for row in records].count("2022-11-18") == 1
    assert rejects == ["not_on_the_grid"]


def test_gates_older_rows_of_six_say_the_quote_volume_and_no_other(shared_data: Path) -> None:
    """ccxt/ccxt#13887, #14757, #11019: until 2022 the rows had six values, the volume in the quote currency"""
    records, rejects = read(shared_data, "gateio_candles", "gate_six_columns.json", symbol="BTC_USDT", interval="30m")
    assert [row["volume"] for row in records] == [None, None]
    assert 1745827.84 in [row["quote_volume"] for row in records]
    assert rejects == []


def test_a_schedule_that_never_comes_is_refused(shared_data: Path) -> None:
    """dagster-io/dagster#26238; pallets-eco/croniter#141: there is no 31 February"""
    with pytest.raises(SourcesError, match=r"websites\[0\]\.schedule: expected a day that one of its months has"):
        load_sources(shared_data / "cases/ingestion/Sources_never.json")
