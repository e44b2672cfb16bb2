"""Amounts in pence and pounds are amounts of one currency; those of two currencies are never mixed."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.currencies import convert, is_convertible
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from tests.ingestion.conftest import NOW

UNITS = ["GBP", "GBp", "GBX", "ZAR", "ZAc", "ZAC", "ILS", "ILA", "USD", "USX", "EUR"]
DAY = 1715238000  # 2024-05-09, 08:00 in London


def body(currency: str, dividend: dict[str, Any] | None = None) -> bytes:
    """A daily bar of 690 to 699, closing at 695.5, and a dividend on its day."""
    quote = {"open": [690.0], "high": [699.0], "low": [687.5], "close": [695.5], "volume": [21_000_000]}
    meta = {"currency": currency, "symbol": "EX.L", "exchangeName": "LSE", "exchangeTimezoneName": "Europe/London"}
    result: dict[str, Any] = {"meta": meta | {"dataGranularity": "1d"}, "timestamp": [DAY]}
    result["indicators"] = {"quote": [quote]}
    if dividend:
        result["events"] = {"dividends": {str(DAY): {"date": DAY} | dividend}}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def read(currency: str, listed: str | None, dividend: dict[str, Any] | None = None) -> Parsed:
    """What a body in `currency` says of a listing in `listed`."""
    words = {"symbol": "EX.L"} | ({"currency": listed} if listed else {})
    return parse(load_protocol("yahoo_chart"), body(currency, dividend), given=words, fetched_at=NOW)


# A hundredth of each, as the exchanges of London (GBX), Johannesburg (ZAc) and Tel Aviv (ILA) say of their quotes.
@pytest.mark.parametrize(("unit", "currency"), [("GBp", "GBP"), ("GBX", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
def test_prices_in_hundredths_are_stored_in_the_listings_currency(unit: str, currency: str) -> None:
    bar = read(unit, currency).tables["candle"].to_pylist()[0]
    assert [bar[name] for name in ("open", "high", "low", "close")] == [6.9, 6.99, 6.875, 6.955]  # 695.5 / 100 = 6.955
    assert bar["volume"] == 21_000_000
    assert read(currency, unit).tables["candle"]["close"].to_pylist() == [69550.0]


@pytest.mark.parametrize(("unit", "listed"), [("USD", "GBP"), ("GBp", "USD"), ("GBp", "ZAR"), ("usd", "USD")])
def test_a_body_in_another_currency_is_refused_in_one_line(unit: str, listed: str) -> None:
    with pytest.raises(BodyRefused, match=rf"^expected currency {listed}, was {unit}$"):
        read(unit, listed)


@pytest.mark.parametrize(
    ("dividend", "listed", "amount", "currency"),
    [
        ({"amount": 12.5}, "GBP", 0.125, "GBP"),  # it says no currency of its own: the body's
        ({"amount": 12.5}, None, 12.5, "GBp"),
        ({"amount": 0.25, "currency": "GBP"}, None, 25.0, "GBp"),
        ({"amount": 0.25, "currency": "GBP"}, "GBP", 0.25, "GBP"),
        ({"amount": 25.0, "currency": "GBX"}, "GBP", 0.25, "GBP"),
        ({"amount": 0.1, "currency": "USD"}, "GBP", 0.1, "USD"),
        ({"amount": 0.1, "currency": "USD"}, "GBp", 0.1, "USD"),
    ],
)
def test_a_dividend_is_in_the_listings_currency_or_keeps_its_own(
    dividend: dict[str, Any], listed: str | None, amount: float, currency: str
) -> None:
    action = read("GBp", listed, dividend).tables["corporate_action"].to_pylist()[0]
    assert (action["amount"], action["currency"]) == (amount, currency)


def test_a_dividend_whose_currency_cannot_be_read_is_rejected() -> None:
    found = read("GBp", "GBP", {"amount": 0.1, "currency": {"code": "USD"}})
    assert [reject.reason for reject in found.rejects] == ["currency_unreadable"]


@given(st.floats(1e-6, 1e9), st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_conversion_is_undone_by_the_other_one(amount: float, one: str, other: str) -> None:
    if is_convertible(one, other):
        there = convert(np.array([amount]), one, other)
        assert convert(there, other, one)[0] == pytest.approx(amount, rel=1e-15)
    else:
        with pytest.raises(ValueError, match="units of one currency"):
            convert(np.array([amount]), one, other)


@pytest.mark.parametrize(
    ("closes", "kept"),
    [
        # "100x errors" of London and Johannesburg that last for days: yfinance's wiki on price repair, discussion 2841
        ([*[695.5] * 6, 6.98, 6.99, *[699.0] * 6], [*[695.5] * 6, *[699.0] * 6]),
        ([*[10.81] * 4, 1081.0, 10.9, 10.9, 10.9], [*[10.81] * 4, 10.9, 10.9, 10.9]),
        # So few bars on a side that either unit may be the wrong one, no change back, and no hundredth
        ([695.5, 6.98, 6.99, 7.0, 699.0], [695.5, 6.98, 6.99, 7.0, 699.0]),
        ([695.5, 690.0, 6.98, 6.99], [695.5, 690.0, 6.98, 6.99]),
        ([10.0, 500.0, 510.0, 10.2], [10.0, 500.0, 510.0, 10.2]),
    ],
)
def test_a_few_days_in_another_unit_are_no_prices_where_the_body_shows_the_change_back(
    closes: list[float], kept: list[float]
) -> None:
    document = json.loads(body("GBP"))
    result = document["chart"]["result"][0]
    tuesday = DAY - 2 * 86_400  # 2024-05-07
    sessions = [tuesday + 86_400 * day for day in range(27) if (day + 1) % 7 not in (5, 6)][: len(closes)]
    result["timestamp"] = sessions
    result["indicators"]["quote"] = [dict.fromkeys(("open", "high", "low", "close"), closes)]
    words = {"symbol": "EX.L", "currency": "GBP"}
    found = parse(load_protocol("yahoo_chart"), json.dumps(document).encode(), given=words, fetched_at=NOW)
    assert found.tables["candle"]["close"].to_pylist() == kept
    assert {reject.reason for reject in found.rejects} <= {"price_in_another_unit", "price_spike"}
    assert len(found.rejects) == len(closes) - len(kept)
