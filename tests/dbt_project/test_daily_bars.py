"""The table all else stands on: placed in sessions, adjusted without look-ahead, written only where it changed."""

import random
from datetime import date, timedelta
from math import prod
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt_project.building import BUILD, months, rows, run_dbt
from tests.dbt_project.seeding import candles, days, dividend, listing, real_stocks

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

BARS = (*BUILD, "--select", "+daily_bars", "--exclude", "test_type:data")
TABLES = ("session_bars", "price_conflicts", "growth_factors", "daily_bars")
AGAIN = (*BUILD, "--select", *TABLES, "--exclude", "test_type:data")  # the views that they read are there
ROWS = "SELECT * FROM cleaned.daily_bars ORDER BY listing_id, session_date"
PLACES = "SELECT listing_id, session_date, ctid::text, xmin::text FROM cleaned.daily_bars ORDER BY 1, 2"


def test_unit_tests_of_the_project_pass(database_url: str) -> None:
    run_dbt(database_url, ("run", "--select", "staging", "cleaned"))
    outcome = run_dbt(database_url, ("test", "--select", "test_type:unit"))
    assert outcome.failures == []


def test_12_months_in_any_order_and_twice_give_the_table_of_one_go(database_url: str, adbc: "Connection") -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, {day: 100.0 + number for number, day in enumerate(days(date(2024, 1, 1), 150))})
    for ex_date in (date(2024, 1, 20), date(2024, 3, 1), date(2024, 4, 30)):
        dividend(adbc, 1, ex_date=ex_date, amount=3.0)
    run_dbt(database_url, BARS)
    at_once = rows(database_url, ROWS)
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE cleaned.daily_bars CASCADE")
    shuffled = months(date(2024, 1, 1), 5) + months(date(2024, 2, 1), 2)
    random.Random(7).shuffle(shuffled)
    for window in shuffled:
        run_dbt(database_url, AGAIN, **window)
    assert len(at_once) == 150
    assert rows(database_url, ROWS) == at_once


def test_unchanged_rerun_writes_no_row_and_a_changed_bar_only_its_own(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 60), 10.0))
    run_dbt(database_url, BARS)
    before = rows(database_url, PLACES)
    run_dbt(database_url, AGAIN)
    run_dbt(database_url, AGAIN, min_date="2024-01-10", max_date="2024-02-10")
    assert rows(database_url, PLACES) == before
    candles(adbc, 1, {date(2024, 1, 15): 11.0})
    connection.execute("DELETE FROM records.candles WHERE open_time = '2024-01-20'")
    connection.commit()
    run_dbt(database_url, AGAIN)
    after = rows(database_url, PLACES)
    assert {row[1] for row in set(after) - set(before)} == {date(2024, 1, 15)}
    assert {row[1] for row in before} - {row[1] for row in after} == {date(2024, 1, 20)}


def test_window_leaves_rows_outside_it_alone(database_url: str, adbc: "Connection") -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 60), 10.0))
    run_dbt(database_url, BARS)
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 60), 20.0))
    run_dbt(database_url, AGAIN, min_date="2024-02-01", max_date="2024-02-10")
    changed = [
        row[0] for row in rows(database_url, "SELECT session_date FROM cleaned.daily_bars WHERE close = 20 ORDER BY 1")
    ]
    assert changed == days(date(2024, 2, 1), 9)


@pytest.mark.slow
def test_factor_of_real_stocks_is_the_product_over_their_dividends(database_url: str, adbc: "Connection") -> None:
    bars = real_stocks(adbc)
    run_dbt(database_url, BARS)
    table = rows(database_url, "SELECT listing_id, session_date, close, total_return_factor FROM cleaned.daily_bars")
    actions = rows(database_url, "SELECT listing_id, ex_date, amount FROM records.corporate_actions ORDER BY 1, 2")
    assert len(table) == bars
    closes = {(number, day): close for number, day, close, _ in table}
    growth: dict[int, list[tuple[date, float]]] = {}
    for number, ex_date, amount in actions:
        last = max(day for other, day in closes if other == number and day < ex_date)
        growth.setdefault(number, []).append((ex_date, 1 + amount / closes[number, last]))
    for number, day, _, factor in table:
        expected = prod(step for ex_date, step in growth[number] if ex_date <= day)
        assert factor == pytest.approx(expected, rel=1e-12)


def test_history_added_before_a_month_moves_the_factor_of_the_months_after_it(
    database_url: str, adbc: "Connection"
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 2, 1), 60), 10.0))
    run_dbt(database_url, BARS)
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 31), 10.0))
    dividend(adbc, 1, ex_date=date(2024, 1, 15), amount=2.5)
    run_dbt(database_url, AGAIN, min_date="2024-01-01", max_date="2024-02-01")
    factors: dict[date, float] = dict(
        rows(database_url, "SELECT session_date, total_return_factor FROM cleaned.daily_bars")
    )
    expected = {day: 1.25 if day >= date(2024, 1, 15) else 1.0 for day in days(date(2024, 1, 1), 91)}
    assert factors == expected


def test_what_comes_later_changes_no_earlier_row(database_url: str, adbc: "Connection") -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 30), 10.0))
    dividend(adbc, 1, ex_date=date(2024, 1, 10), amount=1.0)
    run_dbt(database_url, BARS)
    before = rows(database_url, ROWS)
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 31), 5), 1e12))
    dividend(adbc, 1, ex_date=date(2024, 2, 1), amount=5.0)
    run_dbt(database_url, AGAIN)
    assert rows(database_url, ROWS)[:30] == before


def test_of_two_bars_of_a_session_the_first_known_counts(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, {date(2024, 1, 1): 10.0})
    connection.execute(
        """
        INSERT INTO records.candles SELECT listing_id, interval, open_time + interval '1 hour',
            close_time + interval '1 hour', 10, 12, 10, 11, volume, NULL, NULL,
            knowledge_time + interval '1 hour', knowledge_basis, fetch_id, recorded_at FROM records.candles
        """
    )
    connection.commit()
    run_dbt(database_url, BARS)
    assert rows(database_url, "SELECT session_date, close FROM cleaned.daily_bars") == [(date(2024, 1, 1), 10.0)]


def test_coverage_counts_the_missing_days_of_a_listings_life(database_url: str, adbc: "Connection") -> None:
    listing(adbc, 1, symbol="BTC")
    present = [day for day in days(date(2024, 1, 30), 40) if day.month != 2 or day.day > 29]
    candles(adbc, 1, dict.fromkeys([*present, date(2024, 1, 28)], 10.0))
    run_dbt(database_url)
    columns = "month, sessions_expected, bars_present, bars_missing, share_present, first_missing_date"
    last = present[-1]
    assert rows(database_url, f"SELECT {columns} FROM marts.fct_coverage ORDER BY month") == [
        (date(2024, 1, 1), 4, 3, 1, 0.75, date(2024, 1, 29)),
        (date(2024, 2, 1), 29, 0, 29, 0.0, date(2024, 2, 1)),
        (date(2024, 3, 1), last.day, last.day, 0, 1.0, None),
    ]
    assert last == date(2024, 1, 30) + timedelta(days=39)
