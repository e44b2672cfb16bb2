"""Versions of rows that come together, and listings."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.ingestion.record_tables import UnlistedError, rows_of, versions
from strades_pipelines.market.records import CANDLE


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1.0, 2.0, None])), max_size=20))
def test_versions_are_what_loading_one_by_one_would_have_left(rows: list[tuple[int, float | None]]) -> None:
    history: dict[int, list[float | None]] = {}
    for key, value in rows:
        said = history.setdefault(key, [])
        if not said or said[-1] != value:
            said.append(value)
    columns = [pa.array([row[n] for row in rows], kind) for n, kind in enumerate((pa.int64(), pa.float64()))]
    parts = versions(pa.table([*columns, pa.array(range(len(rows)))], names=["key", "value", "fetch_id"]), ("key",))
    found: dict[int, list[float | None]] = {}
    for part in parts:
        assert len(set(part["key"].to_pylist())) == part.num_rows
        for key, value in zip(part["key"].to_pylist(), part["value"].to_pylist(), strict=True):
            found.setdefault(key, []).append(value)
    assert found == history
    assert set(parts[-1]["key"].to_pylist()) == set(history)


def test_equal_rows_keep_the_first_fetch() -> None:
    table = pa.table({"key": [1, 1, 1], "value": [5.0, 5.0, 6.0], "fetch_id": [10, 11, 12]})
    first, last = versions(table, ("key",))
    assert (first["fetch_id"].to_pylist(), last["fetch_id"].to_pylist()) == ([10], [12])


def candle(*, final: bool) -> dict[str, object]:
    """A bar of X."""
    time = datetime(2026, 1, 1, tzinfo=UTC)
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    times = {
        "open_time": time,
        "close_time": time + timedelta(minutes=1),
        "knowledge_time": time + timedelta(minutes=1),
    }
    return {"symbol": "X", "interval": "1m", "is_final": final, "knowledge_basis": "stated", **prices, **times}


def test_forming_bars_are_left_out_and_symbols_become_listings() -> None:
    table = pa.Table.from_pylist([candle(final=True), candle(final=False)], schema=CANDLE)
    rows = rows_of("candle", table, fetch_id=7, source="s", venue="v", listings={("v", "X"): 3})
    assert (rows["listing_id"].to_pylist(), rows["fetch_id"].to_pylist()) == ([3], [7])
    assert not {"symbol", "is_final"} & set(rows.column_names)


def test_symbol_without_listing_is_named() -> None:
    table = pa.Table.from_pylist([candle(final=True)], schema=CANDLE)
    with pytest.raises(UnlistedError, match="a listing of X at v"):
        rows_of("candle", table, fetch_id=7, source="s", venue="v", listings={("w", "X"): 3})
