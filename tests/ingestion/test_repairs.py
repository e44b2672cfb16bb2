"""What a repair says is the bytes that its protocol reads, with the reason in words."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.outliers import CELLS, Outlier
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.repairs import Listing, propose_repair

AT = datetime(2024, 6, 12, tzinfo=UTC)
NVDA = Listing(7, "yahoo", "NVDA", "USD", "XNYS")
BAR: dict[str, Any] = {
    "open_time": datetime(2024, 6, 10, 13, 30, tzinfo=UTC),
    **{"open": 120.37, "high": 123.1, "low": 117.01, "close": 121.79},
    **{"volume": 314162700.0, "quote_volume": None, "trade_count": None},
}


def outlier(cause: str, factor: float, cells: tuple[str, ...] = CELLS) -> Outlier:
    """About one bar."""
    return Outlier(0, 0, cause, factor, cells, 121.79, 0)


@pytest.mark.parametrize(("cells", "factor"), [(CELLS, 100.0), (CELLS, 0.01), (("high",), 100.0), (("low",), 1e-3)])
def test_corrected_bars_are_what_they_would_have_been(cells: tuple[str, ...], factor: float) -> None:
    wrong = BAR | {name: BAR[name] * factor for name in cells}
    repair = propose_repair(outlier("hundredfold", factor, cells), [wrong], NVDA, "1d", at=AT)
    assert (repair.kind, repair.protocol, repair.source) == ("correction", "manual_candle", "manual")
    parsed = parse(load_protocol(repair.protocol), repair.body, given=repair.given, fetched_at=AT)
    [read] = parsed.tables["candle"].to_pylist()
    assert {name: read[name] for name in (*CELLS, "open_time", "volume")} == {
        name: BAR[name] for name in (*CELLS, "open_time", "volume")
    }
    assert "121.79" in repair.reason


@pytest.mark.parametrize("ratio", ["10", "3/2", "1/8", "2/3"])
def test_a_split_is_stated_in_whole_shares(ratio: str) -> None:
    shares = Fraction(ratio)
    repair = propose_repair(outlier("split_not_applied", float(shares)), [BAR], NVDA, "1d", at=AT)
    parsed = parse(load_protocol(repair.protocol), repair.body, given=repair.given, fetched_at=AT)
    [read] = parsed.tables["corporate_action"].to_pylist()
    assert (read["action"], read["ratio"], f"{read['ex_date']}") == ("split", float(shares), "2024-06-10")
    assert f"{shares.numerator} for {shares.denominator}" in repair.reason


def test_a_lone_bar_is_to_be_left_out_by_its_key() -> None:
    repair = propose_repair(replace(outlier("outlier", 3.0)), [BAR], NVDA, "1d", at=AT)
    assert (repair.kind, repair.given["table"]) == ("exclusion", "candles")
    assert json.loads(repair.given["key"]) == ["7", "1d", "2024-06-10T13:30:00+00:00"]
