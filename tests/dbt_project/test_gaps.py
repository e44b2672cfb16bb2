"""The gap ledger: every bar that was asked for and is not there, once, with its cause."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import bars, listing, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

GAPS = (*BUILD, "--select", "+gaps")
QUERY = "SELECT cause, gap_start, gap_end, missing FROM cleaned.gaps ORDER BY gap_start"
MINUTE = timedelta(minutes=1)


def at(hour: int, minute: int = 0) -> datetime:
    """A time of the first day of 2024, UTC."""
    return datetime(2024, 1, 1, hour, minute, tzinfo=UTC)


def minutes(first: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The minutes of [first, end)."""
    return [(first + i * MINUTE, first + (i + 1) * MINUTE) for i in range((end - first) // MINUTE)]


def asks_for(connection: psycopg.Connection[Any], *values: object) -> None:
    """Sources.json asks for bars: interval, start, end, step, reach."""
    connection.execute("INSERT INTO records.bar_series VALUES (1, %s, 'venue', %s, %s, %s, %s, 60)", values)
    connection.commit()


def fetched(
    connection: psycopg.Connection[Any],
    window: tuple[datetime, datetime] | tuple[None, None],
    at: datetime,
    *,
    failed: bool = False,
    refused: str | None = None,
    rejects: int = 0,
    symbol: str = "A",
) -> None:
    """An attempt to fetch, and what reading its body came to."""
    made = "SELECT count(*) + 1 FROM rawsources.fetches"
    connection.execute("INSERT INTO rawsources.bodies VALUES (sha256('x'), 1, 'x') ON CONFLICT DO NOTHING")
    connection.execute(
        f"""
        INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, window_start, window_end,
            month, fetched_at, outcome, error, sha256, run_id)
        VALUES (({made}), 'venue', 'p', 'k', 'u', jsonb_build_object('symbol', %s::text), %s, %s, '2024-01-01', %s,
            %s, %s, CASE WHEN %s THEN NULL ELSE sha256('x') END, 'r')
        """,
        [symbol, *window, at, "failed" if failed else "stored", "no answer" if failed else None, failed],
    )
    outcome = "refused" if refused else "parsed"
    if not failed:
        connection.execute(
            "INSERT INTO records.parses SELECT max(fetch_id), '1', %s, %s, 0, %s FROM rawsources.fetches",
            [outcome, refused, rejects],
        )
    connection.commit()


def test_11_each_missing_minute_has_one_cause(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A")
    asks_for(connection, "1m", at(0), None, 60, 8 * 3600)
    noon = at(12, 1)  # what closed by 12:00 can be asked for
    fetched(connection, (at(6), at(7)), noon)
    fetched(connection, (at(7), at(8)), noon, failed=True)
    fetched(connection, (at(9), at(10)), noon, rejects=1)
    fetched(connection, (at(10), at(11)), noon, refused="an error page")
    fetched(connection, (at(11), at(13)), noon)
    there = [*minutes(at(6, 10), at(6, 20)), *minutes(at(6, 25), at(7)), *minutes(at(9), at(9, 30))]
    bars(adbc, 1, "1m", [*there, *minutes(at(11), at(11, 59))])
    run_dbt(database_url, GAPS)
    assert rows(database_url, QUERY) == [
        ("beyond_reach", at(0), at(4, 1), 241),  # eight hours before it was asked
        ("not_fetched", at(4, 1), at(6), 119),
        ("before_listing_start", at(6), at(6, 10), 10),
        ("no_trades", at(6, 20), at(6, 25), 5),
        ("fetch_failed", at(7), at(8), 60),
        ("not_fetched", at(8), at(9), 60),
        ("rows_refused", at(9, 30), at(10), 30),
        ("fetch_failed", at(10), at(11), 60),
        ("no_trades", at(11, 59), at(12), 1),
    ]
    places = rows(database_url, "SELECT ctid::text, xmin::text FROM cleaned.gaps")
    run_dbt(database_url, GAPS, min_date="2024-02-01", max_date="2024-03-01")
    assert rows(database_url, "SELECT ctid::text, xmin::text FROM cleaned.gaps") == places


def test_holidays_and_weekends_are_no_gaps_and_do_not_part_one(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A", calendar="XNYS")
    open_days = sessions(adbc, "XNYS", 2024) | sessions(adbc, "XNYS", 2025)
    year, next_year, after = (datetime(n, 1, 1, tzinfo=UTC) for n in (2024, 2025, 2026))
    end = datetime(2025, 1, 11, tzinfo=UTC)
    asks_for(connection, "1d", datetime(2024, 12, 20, tzinfo=UTC), end, 86400, None)
    fetched(connection, (year, next_year), after)
    fetched(connection, (next_year, datetime(2025, 1, 7, tzinfo=UTC)), after, failed=True)
    there = [date(2024, 12, day) for day in (20, 23, 27, 30, 31)]
    bars(adbc, 1, "1d", [open_days[day] for day in there])
    run_dbt(database_url, GAPS)
    # Christmas Eve is a half day, then a holiday; in 2025 the 1st and the 9th (a day of mourning) are none.
    assert rows(database_url, QUERY) == [
        ("no_trades", open_days[date(2024, 12, 24)][0], open_days[date(2024, 12, 26)][1], 2),
        ("fetch_failed", open_days[date(2025, 1, 2)][0], open_days[date(2025, 1, 6)][1], 3),
        ("not_fetched", open_days[date(2025, 1, 7)][0], open_days[date(2025, 1, 10)][1], 3),
    ]


def test_no_minute_of_a_lunch_break_is_missing(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    """Hong Kong's exchange trades from 9:30 to 12:00 and from 13:00 to 16:00 of a clock eight hours ahead."""
    listing(adbc, 1, symbol="A", calendar="XHKG")
    opens, closes = sessions(adbc, "XHKG", 2024)[date(2024, 1, 2)]
    noon, one = (datetime(2024, 1, 2, hour, tzinfo=UTC) for hour in (4, 5))
    assert (opens, closes) == (noon - 150 * MINUTE, one + 180 * MINUTE)
    asks_for(connection, "1m", opens, closes, 60, None)
    fetched(connection, (opens, closes), closes + 30 * MINUTE)
    bars(adbc, 1, "1m", [*minutes(opens, noon - MINUTE), *minutes(one + 2 * MINUTE, closes)])
    run_dbt(database_url, GAPS)
    assert rows(database_url, QUERY) == [("no_trades", noon - MINUTE, noon, 1), ("no_trades", one, one + 2 * MINUTE, 2)]


def test_what_a_page_without_a_window_does_not_show_is_out_of_reach(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A", calendar="XNYS")
    open_days = sessions(adbc, "XNYS", 2024)
    asks_for(connection, "1d", datetime(2024, 1, 1, tzinfo=UTC), None, 86400, None)
    fetched(connection, (None, None), datetime(2024, 1, 13, tzinfo=UTC))
    bars(adbc, 1, "1d", [open_days[date(2024, 1, day)] for day in (9, 10, 12)])
    run_dbt(database_url, GAPS)
    assert [(cause, missing) for cause, _, _, missing in rows(database_url, QUERY)] == [
        ("beyond_reach", 5),  # the 2nd to the 5th, and the 8th
        ("no_trades", 1),
    ]
