"""Bars as a strategy hears them: the newest version, or the first one and what replaced it."""

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from strades_pipelines.brokerage.bar_feed import BarTables, BarWindow, read_bars
from strades_pipelines.brokerage.record_feed import Known
from tests.brokerage.conftest import BTC, MINUTE, SECOND, START, AddCandles, Connection
from tests.brokerage.test_record_feed import revise

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


def read(
    adbc: "AdbcConnection", opened_at: datetime, *, with_revisions: bool, since: datetime | None = None
) -> BarTables:
    known = Known(since or opened_at, START + 5 * MINUTE)
    window = BarWindow({BTC: 0}, "1m", known, opened_at, lookback=2, is_resumed=since is not None)
    with adbc.cursor() as cursor:
        tables = read_bars(cursor, window, with_revisions=with_revisions)
    adbc.rollback()
    return tables


def closes(table: pa.Table | None) -> list[tuple[float, float]]:
    """Of each bar the close, and when it is known, seconds after START."""
    assert table is not None
    rows = table.to_pylist()
    return [(row["close"], (row["knowledge_time"] - START).total_seconds()) for row in rows]


@pytest.fixture
def revised(market: Connection, add_candles: AddCandles) -> None:
    """Three bars; the first is revised at 150 and 200 s, the second at 250 s."""
    add_candles([100.0, 101.0, 102.0])
    for minute, close, at in ((0, 90.0, 150), (0, 80.0, 200), (1, 91.0, 250)):
        revise(market, minute, close, START + at * SECOND)


@pytest.mark.usefixtures("revised")
def test_a_strategy_without_the_hook_has_the_newest_versions(adbc: "AdbcConnection") -> None:
    found = read(adbc, START, with_revisions=False)
    assert closes(found.bars) == [(80.0, 60.0), (91.0, 120.0), (102.0, 180.0)]
    assert found.revisions is None


@pytest.mark.usefixtures("revised")
def test_one_with_it_has_the_first_versions_and_what_replaced_them(adbc: "AdbcConnection") -> None:
    found = read(adbc, START, with_revisions=True)
    assert closes(found.bars) == [(100.0, 60.0), (101.0, 120.0), (102.0, 180.0)]
    assert closes(found.revisions) == [(90.0, 150.0), (80.0, 200.0), (91.0, 250.0)]


@pytest.mark.usefixtures("revised")
def test_what_was_revised_by_the_opening_is_the_bar_of_the_warm_up(adbc: "AdbcConnection") -> None:
    found = read(adbc, START + 200 * SECOND, with_revisions=True)
    assert closes(found.bars) == [(101.0, 120.0), (102.0, 180.0)]
    assert closes(found.revisions) == [(91.0, 250.0)]
    found = read(adbc, START + 130 * SECOND, with_revisions=True)
    assert closes(found.bars) == [(100.0, 60.0), (101.0, 120.0), (102.0, 180.0)]


@pytest.mark.usefixtures("revised")
def test_a_resumed_window_has_the_revisions_since(adbc: "AdbcConnection") -> None:
    found = read(adbc, START, with_revisions=True, since=START + 180 * SECOND)
    assert closes(found.bars) == [(102.0, 180.0)]
    assert closes(found.revisions) == [(80.0, 200.0), (91.0, 250.0)]
