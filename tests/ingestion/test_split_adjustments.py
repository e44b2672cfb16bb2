"""A split that is learnt brings what was fetched before it into the new shares, everywhere, and can be traced."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import connect
from strades_pipelines.database.stale import waiting_months
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.defs.checks import SQL_CHECKS
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.lineage.data import splits_behind
from strades_pipelines.market.ids import int31
from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.ingestion.conftest import store_body
from tests.ingestion.test_data_requests import ask, sources

__all__ = ["sources"]

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

pytestmark = pytest.mark.slow
Connection = psycopg.Connection[Any]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIVEN = {"symbol": "AAPL", "interval": "1d", "venue": "yahoo", "calendar": "XNYS", "currency": "USD"}
CLEANED = (*BUILD, "--select", "+daily_bars")
WEALTH = "SELECT session_date, close * total_return_factor FROM cleaned.daily_bars ORDER BY session_date"
[IN_CURRENT_SHARES] = [one for one in SQL_CHECKS if one.name == "bars_are_in_current_shares"]
# Closes of Apple around its split of 7:1 on 2014-06-09, in the shares after it, and its dividend of 3.29 old dollars.
TRUE = {
    date(2013, 12, 30): 79.217, date(2013, 12, 31): 80.146, date(2014, 1, 2): 79.019, date(2014, 1, 3): 77.283,
    date(2014, 6, 6): 92.224, date(2014, 6, 9): 93.7,
}  # fmt: skip
OLD = {day: close * 7 for day, close in TRUE.items() if day < date(2014, 6, 9)}
SPLIT = {date(2014, 6, 9): (7, 1)}


@pytest.fixture(autouse=True)
def market(connection: Connection) -> None:
    """Apple at Yahoo and, the same prices, at the pages, with New York's sessions."""
    for venue in ("yahoo", "pages"):
        connection.execute(
            "INSERT INTO records.listings VALUES (%s, %s, 'AAPL', 'USD', 0.01, 1, 'split', 'XNYS')",
            [int31(venue, "AAPL"), venue],
        )
    for day in TRUE:
        times = [opening(day), opening(day).replace(hour=21 if day.month in (1, 12) else 20, minute=0)]
        connection.execute("INSERT INTO records.sessions VALUES ('XNYS', %s, %s, %s, false)", [day, *times])
    connection.commit()


def opening(day: date) -> datetime:
    """09:30 in New York: 14:30 UTC in winter, 13:30 in summer."""
    return datetime(day.year, day.month, day.day, 14 if day.month in (1, 12) else 13, 30, tzinfo=UTC)


def fetch(
    url: str,
    fetched: str,
    closes: Mapping[date, float],
    year: int,
    *,
    splits: Mapping[date, tuple[int, int]] | None = None,
    dividends: Mapping[date, float] | None = None,
    venue: str = "yahoo",
) -> int:
    """Store Yahoo's answer about a year, as it was at a time."""
    chosen = {day: close for day, close in closes.items() if day.year == year}
    quote: dict[str, list[float]] = {name: list(chosen.values()) for name in ("open", "high", "low", "close")}
    meta = {"currency": "USD", "symbol": "AAPL", "exchangeName": "NMS", "dataGranularity": "1d"}
    stamps = [int(opening(day).timestamp()) for day in chosen]
    result: dict[str, Any] = {"meta": meta, "timestamp": stamps}
    result["indicators"] = {"quote": [quote | {"volume": [1000] * len(chosen)}]}
    events: dict[str, dict[str, Any]] = {"splits": {}, "dividends": {}}
    for day, (numerator, denominator) in (splits or {}).items():
        stamp = int(opening(day).timestamp())
        events["splits"][str(stamp)] = {"date": stamp, "numerator": numerator, "denominator": denominator}
    for day, amount in (dividends or {}).items():
        stamp = int(opening(day).timestamp())
        events["dividends"][str(stamp)] = {"date": stamp, "amount": amount}
    body = json.dumps({"chart": {"result": [result | {"events": events}], "error": None}}).encode()
    at = datetime.fromisoformat(fetched)
    words = GIVEN | {"venue": venue}
    return store_body(
        url, body, protocol="yahoo_chart", source=venue, request_key=f"{venue} {year}", given=words, fetched_at=at
    )


def load(url: str, *fetch_ids: int) -> None:
    """Load these fetches, or all that wait."""
    load_stored(url=url, now=NOW, fetch_ids=fetch_ids or None)


def faults(url: str) -> int:
    """Clean bars that are in the shares of before the split."""
    with connect(url) as connection:
        return IN_CURRENT_SHARES.count(connection)


def assert_right(url: str, expected: Mapping[date, float] = TRUE) -> None:
    """The clean series has the total return of the true one, to 1e-9."""
    wealth = dict(rows(url, WEALTH))
    assert list(wealth) == sorted(expected)
    first = min(expected)
    for day, value in wealth.items():
        assert value / wealth[first] == pytest.approx(expected[day] / expected[first], rel=1e-9)


def test_a_split_learnt_today_restates_what_was_clean_before_whatever_the_window(
    database_url: str, connection: Connection
) -> None:
    old_year = fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    fetch(database_url, "2014-06-06T22:00Z", OLD, 2014)
    load(database_url)
    run_dbt(database_url, CLEANED)
    assert [close for _, close in rows(database_url, WEALTH)] == list(OLD.values())  # before it is known: old shares
    split = fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url)
    assert faults(database_url) == 2  # the two bars of 2013, until they are worked through
    months = waiting_months(connection, date(2013, 1, 1), date(2014, 7, 1))
    assert set(months) >= {date(2013, 12, 1), date(2014, 1, 1), date(2014, 6, 1)}
    connection.rollback()
    run_dbt(database_url, CLEANED, min_date="2014-01-01", max_date="2014-07-01")
    assert faults(database_url) == 0
    assert_right(database_url)
    before = rows(database_url, "SELECT xmin::text, * FROM cleaned.daily_bars ORDER BY session_date")
    run_dbt(database_url, CLEANED)
    assert rows(database_url, "SELECT xmin::text, * FROM cleaned.daily_bars ORDER BY session_date") == before
    assert splits_behind(connection, [old_year]) == {split: {old_year}}
    assert splits_behind(connection, [split]) == {}
    traced = "SELECT ratio, basis, knowledge_time FROM records.split_adjustments"
    # Of the bars of 2013, and of those of 2014 that the split's body has replaced.
    assert rows(database_url, traced) == 2 * [(7.0, "fetch_time", opening(date(2014, 6, 9)))]


def test_a_refetch_in_new_shares_wins_and_says_the_same(database_url: str) -> None:
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url)
    run_dbt(database_url, CLEANED)
    adjusted = dict(rows(database_url, WEALTH))
    fetch(database_url, "2014-06-11T22:00Z", TRUE, 2013)
    load(database_url)
    run_dbt(database_url, CLEANED)
    assert dict(rows(database_url, WEALTH)) == pytest.approx(adjusted, rel=1e-12)
    of_old_version = [(opening(date(2013, 12, 30)), opening(date(2013, 12, 31)), 7.0)]  # which is heard, too
    assert rows(database_url, "SELECT from_time, to_time, ratio FROM records.split_adjustments") == of_old_version


@pytest.mark.parametrize("together", [True, False])
def test_the_order_of_the_loads_does_not_matter(database_url: str, together: bool) -> None:
    fetches = [
        fetch(database_url, "2014-01-02T12:00Z", OLD, 2013, dividends={date(2013, 12, 31): 3.29}),
        fetch(database_url, "2014-06-06T22:00Z", OLD, 2014),
        fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT),
    ]
    for batch in [fetches] if together else [[one] for one in reversed(fetches)]:
        load(database_url, *batch)
    stored = "SELECT fetch_id, from_time, to_time, ratio, basis FROM records.split_adjustments ORDER BY 2"
    span = opening(date(2013, 12, 30)), opening(date(2013, 12, 31))
    superseded = opening(date(2014, 1, 2)), opening(date(2014, 6, 6))
    assert rows(database_url, stored) == [
        (fetches[0], *span, 7.0, "fetch_time"),
        (fetches[1], *superseded, 7.0, "fetch_time"),
    ]


def test_a_dividend_of_before_the_split_is_in_the_shares_of_its_bars(database_url: str) -> None:
    """3.29 old dollars on a close of 79.217 new ones: 0.47 new dollars, a growth of 1 + 3.29 / 7 / 79.217."""
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013, dividends={date(2013, 12, 31): 3.29})
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT, dividends={date(2014, 1, 3): 0.47})
    load(database_url)
    run_dbt(database_url, CLEANED)
    first, second = 1 + 3.29 / 7 / 79.217, 1 + 0.47 / 79.019
    grown = {day: close * (first if day > date(2013, 12, 30) else 1) for day, close in TRUE.items()}
    assert_right(database_url, {day: value * (second if day > date(2014, 1, 2) else 1) for day, value in grown.items()})


def test_several_splits_in_a_row_and_a_reverse_one(database_url: str) -> None:
    """7:1 on 2014-01-03 and 1:8 on 2014-06-09: a body holds those of before it was fetched."""
    both = {date(2014, 1, 3): (7, 1), date(2014, 6, 9): (1, 8)}
    day = {day: close * 7 / 8 for day, close in TRUE.items()}
    fetch(database_url, "2014-01-02T12:00Z", day, 2013)
    fetch(database_url, "2014-01-02T22:00Z", {date(2014, 1, 2): day[date(2014, 1, 2)]}, 2014)
    between = {key: close / 8 for key, close in TRUE.items() if date(2014, 1, 2) < key < date(2014, 6, 9)}
    fetch(database_url, "2014-06-06T22:00Z", between, 2014)
    load(database_url)
    fetch(database_url, "2014-06-10T22:00Z", {date(2014, 6, 9): TRUE[date(2014, 6, 9)]}, 2014, splits=both)
    load(database_url)
    run_dbt(database_url, CLEANED)
    assert_right(database_url)
    ratios = "SELECT ratio FROM records.split_adjustments ORDER BY from_time"
    assert [ratio for (ratio,) in rows(database_url, ratios)] == [7 / 8, 7 / 8, 1 / 8]


def test_a_venue_that_tells_of_no_split_is_adjusted_by_its_markets(database_url: str) -> None:
    """The pages alone have 2013-12-30 and -31, fetched in old shares."""
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013, venue="pages")
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url)
    run_dbt(database_url, CLEANED)
    assert_right(database_url)


def test_a_corrected_ratio_is_decided_anew_and_the_old_one_kept(database_url: str) -> None:
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits={date(2014, 6, 9): (6, 1)})
    load(database_url)
    fetch(database_url, "2014-06-11T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url)
    assert rows(database_url, "SELECT ratio FROM records.split_adjustments") == [(7.0,)]
    assert rows(database_url, "SELECT ratio FROM records.split_adjustment_revisions") == [(6.0,)]
    run_dbt(database_url, CLEANED)
    assert_right(database_url)


def test_a_split_that_is_left_out_adjusts_nothing_and_does_so_again_after_the_undo(
    database_url: str, connection: Connection, sources: Sources
) -> None:
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url)
    adjusted = "SELECT ratio FROM records.split_adjustments"
    given = {"table": "corporate_actions", "key": json.dumps([str(int31("yahoo", "AAPL")), "2014-06-09", "split"])}
    for kind, found in (("exclusion", []), ("restoration", [(7.0,)])):
        assert rows(database_url, adjusted) == ([] if found else [(7.0,)])
        ask(connection, b"{}", protocol=kind, source=None, given=given, kind=kind)
        [told] = carry_out_requests(database_url, sources, clock=lambda: NOW).values()
        assert told.startswith("done: "), told
        assert rows(database_url, adjusted) == found


def test_bars_read_as_of_a_time_are_in_the_shares_known_then(database_url: str, adbc: "AdbcConnection") -> None:
    """A backtest as of the day before the split is learnt reads old shares, one as of the day after new ones."""
    before, after = NOW, NOW + timedelta(days=2)
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    load_stored(url=database_url, now=before)
    fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load_stored(url=database_url, now=after)
    closes = []
    for as_of in (before + timedelta(days=1), after, None):
        with adbc.cursor() as cursor:
            names, order = ["close", "volume"], ["open_time"]
            found = read_as_of(cursor, "records.candles", names, known_at=after, recorded_as_of=as_of, order_by=order)
        closes.append(found.to_pydict()["close"])
        assert found.to_pydict()["volume"][0] == (1000 if len(closes) == 1 else 7000)
    assert closes[0] == [OLD[day] for day in list(TRUE)[:2]]
    assert closes[1] == closes[2] == pytest.approx(list(TRUE.values()), rel=1e-12)


@pytest.mark.parametrize(("adjustment", "adjusted"), [("full", 1), ("raw", 0)])
def test_prices_as_traded_are_left_alone_and_fully_adjusted_ones_are_not(
    database_url: str, connection: Connection, adjustment: str, adjusted: int
) -> None:
    """A raw listing's prices show the split, and its factor holds it: 7 from 2014-06-09 on."""
    connection.execute("UPDATE records.listings SET adjustment = %s", [adjustment])
    connection.commit()
    raw = OLD | {date(2014, 6, 9): TRUE[date(2014, 6, 9)]}
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    fetch(database_url, "2014-06-10T22:00Z", raw if adjustment == "raw" else TRUE, 2014, splits=SPLIT)
    load(database_url)
    assert rows(database_url, "SELECT count(*) FROM records.split_adjustments") == [(adjusted,)]
    run_dbt(database_url, CLEANED)
    assert_right(database_url)


def test_a_split_whose_day_its_provider_corrects_counts_once(database_url: str, connection: Connection) -> None:
    """7:1, not 49:1. Yahoo moves and repairs its splits: yfinance, issue 906."""
    fetch(database_url, "2014-01-02T12:00Z", OLD, 2013)
    moved = fetch(database_url, "2014-06-06T22:00Z", TRUE, 2014, splits={date(2014, 6, 6): (7, 1)})
    true = fetch(database_url, "2014-06-10T22:00Z", TRUE, 2014, splits=SPLIT)
    load(database_url, true)
    load(database_url, moved)  # whichever is loaded first
    load(database_url)
    assert rows(database_url, "SELECT ex_date, ratio FROM records.market_splits") == [
        (date(2014, 6, 9), 7.0),
        (date(2014, 6, 9), 7.0),  # of each venue of the market
    ]
    run_dbt(database_url, CLEANED)
    assert faults(database_url) == 0
    assert_right(database_url)


def test_a_dividend_whose_day_its_provider_corrects_is_paid_once_and_one_of_a_week_later_is_another(
    database_url: str,
) -> None:
    fetch(database_url, "2014-01-02T22:00Z", TRUE, 2014, dividends={date(2014, 1, 2): 0.47})
    fetch(database_url, "2014-01-06T22:00Z", TRUE, 2014, dividends={date(2014, 1, 3): 0.47})
    fetch(database_url, "2014-06-09T22:00Z", TRUE, 2014, dividends={date(2014, 6, 9): 0.47})
    load(database_url)
    run_dbt(database_url, (*BUILD, "--select", "+stg_records__corporate_actions"))
    paid = "SELECT ex_date, dividend_amount FROM staging.stg_records__corporate_actions ORDER BY 1"
    assert rows(database_url, paid) == [(date(2014, 1, 3), 0.47), (date(2014, 6, 9), 0.47)]
