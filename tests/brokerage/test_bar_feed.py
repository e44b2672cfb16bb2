"""Bars as a strategy hears them: the newest version, or the first one and what replaced it."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from strades_pipelines.brokerage.bar_feed import BarTables, BarWindow, last_closes, read_bars
from strades_pipelines.brokerage.record_feed import Known
from tests.brokerage.conftest import BTC, MINUTE, SECOND, START, AddCandles, Connection
from tests.brokerage.test_record_feed import revise
from tests.ingestion.test_data_requests import ask

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


def read(
    adbc: "AdbcConnection",
    opened_at: datetime,
    *,
    with_revisions: bool,
    since: datetime | None = None,
    lookback: int = 2,
) -> BarTables:
    known = Known(since or opened_at, START + 5 * MINUTE)
    window = BarWindow({BTC: 0}, "1m", known, opened_at, lookback=lookback, is_resumed=since is not None)
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


@pytest.mark.parametrize("lookback", [2, 3, 4, 9])
def test_a_listing_with_fewer_bars_than_the_warm_up_asks_for_keeps_them_all(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, lookback: int
) -> None:
    add_candles([100.0, 101.0, 102.0])
    found = read(adbc, START + 130 * SECOND, with_revisions=True, lookback=lookback)
    assert closes(found.bars) == [(100.0, 60.0), (101.0, 120.0), (102.0, 180.0)]


@pytest.mark.usefixtures("revised")
def test_a_resumed_window_has_the_revisions_since(adbc: "AdbcConnection") -> None:
    found = read(adbc, START, with_revisions=True, since=START + 180 * SECOND)
    assert closes(found.bars) == [(102.0, 180.0)]
    assert closes(found.revisions) == [(80.0, 200.0), (91.0, 250.0)]


def split(market: Connection, fetch_id: int, last_minute: int, ratio: float, at: datetime) -> None:
    """Have the bars of a fetch adjusted for a split that is learnt at a time."""
    market.execute(
        "INSERT INTO records.split_adjustments VALUES (%s, %s, %s, %s, %s, 'fetch_time', %s, %s)",
        [BTC, fetch_id, START, START + last_minute * MINUTE, ratio, at, at],
    )
    market.commit()


def test_versions_are_ordered_by_when_they_were_stored_whenever_a_split_is_learnt(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """The bar of 100 is one of 50 new shares; its source says 49 at 150 s, and the split is learnt at 290 s."""
    add_candles([100.0, 102.0])
    revise(market, 0, 49.0, START + 150 * SECOND)
    market.execute("UPDATE records.candles SET fetch_id = 2 WHERE close = 49")
    split(market, 1, 1, 2.0, START + 290 * SECOND)
    found = read(adbc, START, with_revisions=True)
    assert closes(found.bars) == [(50.0, 60.0), (51.0, 120.0)]
    assert closes(found.revisions) == [(49.0, 150.0)]
    opened = read(adbc, START + 200 * SECOND, with_revisions=True)
    assert closes(opened.bars) == [(49.0, 60.0), (51.0, 120.0)]
    assert closes(opened.revisions) == []


@pytest.mark.usefixtures("revised")
def test_a_bar_that_people_left_out_is_not_heard_in_any_version(market: Connection, adbc: "AdbcConnection") -> None:
    market.execute(
        "WITH gone AS (DELETE FROM records.candles WHERE listing_id = %s AND open_time = %s RETURNING *)"
        " INSERT INTO records.candle_revisions SELECT gone.*, %s FROM gone",
        [BTC, START, START + 260 * SECOND],
    )
    leave_out(market, "candles", [str(BTC), "1m", str(START)])
    leave_out(market, "articles", ["wire", "a1"])
    for with_revisions in (False, True):
        found = read(adbc, START, with_revisions=with_revisions)
        assert [known for _, known in closes(found.bars)] == [120.0, 180.0]
    assert closes(found.revisions) == [(91.0, 250.0)]


def leave_out(market: Connection, relation: str, key: list[str]) -> None:
    """Mark a record as left out."""
    given = {"table": relation, "key": json.dumps(key)}
    request = ask(market, b"{}", protocol="exclusion", source=None, given=given, kind="exclusion")
    market.execute(
        "INSERT INTO records.exclusions (relation, key, is_excluded, marked_at, marked_by, reason, request_id)"
        " VALUES (%s, %s, true, %s, 'tester', 'wrong', %s)",
        [relation, key, START, request],
    )
    market.commit()


@pytest.mark.parametrize(("since", "closed"), [(62, None), (64, 60), (122, 60), (126, 120), (9_000, 120)])
def test_the_last_bar_that_was_heard_before_a_window_is_told_by_when_it_was_first_stored(
    since: int, closed: int | None, adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    """Gaps begin behind it: a revision makes it no newer, and one that came hours later was none."""
    for minute, stored in ((0, 63), (1, 125), (2, 8_000)):
        add_candles([100.0], start=START + minute * MINUTE, recorded_at=START + stored * SECOND)
    revise(market, 0, 90.0, START + 124 * SECOND)
    known = Known(START + since * SECOND, START + 10_000 * SECOND)
    window = BarWindow({BTC: 0}, "1m", known, START, lookback=0, is_resumed=True, by_arrival=True)
    with adbc.cursor() as cursor:
        found = last_closes(cursor, window)
    adbc.rollback()
    assert found == ({} if closed is None else {BTC: START + closed * SECOND})
