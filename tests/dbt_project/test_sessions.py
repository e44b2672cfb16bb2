"""Bars and values at the sessions of calendars whose clocks change on different days, and of one whose never do."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import bars, candles, listing, rates, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

# Opening hour on the exchange's own clock, and in UTC before and after its clocks go forward in 2024 (never in Tokyo).
VENUES = {
    "XNYS": ("America/New_York", time(9, 30), (date(2024, 3, 8), "14:30"), (date(2024, 3, 11), "13:30")),
    "XPAR": ("Europe/Paris", time(9, 0), (date(2024, 3, 28), "08:00"), (date(2024, 4, 2), "07:00")),
    "XLON": ("Europe/London", time(8, 0), (date(2024, 10, 25), "07:00"), (date(2024, 10, 28), "08:00")),
    "XTKS": ("Asia/Tokyo", time(9, 0), (date(2024, 3, 8), "00:00"), (date(2024, 11, 5), "00:00")),
}
MINUTE = timedelta(minutes=1)


def test_bars_are_at_their_own_session_over_every_change_of_the_clocks(database_url: str, adbc: "Connection") -> None:
    expected: set[tuple[Any, ...]] = set()
    for number, calendar in enumerate(VENUES, start=1):
        listing(adbc, number, symbol=calendar, calendar=calendar)
        open_days = sessions(adbc, calendar, 2024)
        bars(adbc, number, "1d", list(open_days.values()))
        spring, autumn = (list(open_days.items())[i : i + 30] for i in (40, 195))
        edges = [(day, span) for day, span in spring + autumn]
        before_close = [(close - MINUTE, close) for _, (_, close) in edges]
        at_close = [(close, close + MINUTE) for _, (_, close) in edges]  # not of the session: [open, close)
        bars(adbc, number, "1m", before_close + at_close)
        expected |= {(number, day, close - MINUTE) for day, (_, close) in edges}
        assert len(open_days) > 240
    listing(adbc, 5, symbol="BTC")
    # 23 and 25 hours long in New York and Paris, these are days of UTC like any other.
    candles(adbc, 5, dict.fromkeys([date(2024, 3, 10), date(2024, 3, 31), date(2024, 10, 27), date(2024, 11, 3)], 10.0))
    run_dbt(database_url, (*BUILD, "--select", "+daily_bars", "+minute_bars"))
    assert set(rows(database_url, "SELECT listing_id, session_date, open_time FROM cleaned.minute_bars")) == expected
    placed = rows(database_url, "SELECT symbol, session_date, open_time FROM cleaned.daily_bars")
    assert len({(symbol, day) for symbol, day, _ in placed}) == len(placed)
    for calendar, (zone, opening, *changes) in VENUES.items():
        local = f"SELECT DISTINCT cast(open_time AT TIME ZONE '{zone}' AS time), "
        local += f"cast(open_time AT TIME ZONE '{zone}' AS date) = session_date FROM cleaned.daily_bars"
        assert rows(database_url, f"{local} WHERE symbol = '{calendar}'") == [(opening, True)]
        found = {day: f"{opened:%H:%M}" for symbol, day, opened in placed if symbol == calendar}
        assert [(day, found[day]) for day, _ in changes] == changes
    days = [(day, opened.hour) for symbol, day, opened in sorted(placed) if symbol == "BTC"]
    assert days == [(date(2024, 3, 10), 0), (date(2024, 3, 31), 0), (date(2024, 10, 27), 0), (date(2024, 11, 3), 0)]


def test_half_days_are_marked(database_url: str, adbc: "Connection") -> None:
    listing(adbc, 1, symbol="A", calendar="XNYS")
    bars(adbc, 1, "1d", list(sessions(adbc, "XNYS", 2024).values()))
    run_dbt(database_url, (*BUILD, "--select", "+daily_bars"))
    half = rows(database_url, "SELECT session_date FROM cleaned.daily_bars WHERE is_half_day ORDER BY 1")
    # New York Stock Exchange, holidays and trading hours 2024: early closings at 1 p.m.
    assert half == [(date(2024, 7, 3),), (date(2024, 11, 29),), (date(2024, 12, 24),)]


def test_a_sessions_value_is_the_newest_known_at_its_close_as_it_was_known_then(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    sessions(adbc, "XNYS", 2024)
    sessions(adbc, "XTKS", 2024)
    rates(adbc, {date(2024, 3, 7): 1.1, date(2024, 3, 8): 1.2, date(2024, 3, 11): 1.3})  # known at 15:00 UTC
    # The 8th was 1.25 first, and was corrected a day later.
    corrected = datetime(2024, 3, 9, 15, tzinfo=UTC)
    connection.execute(
        """
        INSERT INTO records.observation_revisions SELECT series, event_time, 1.25, unit, vintage, knowledge_time,
            knowledge_basis, fetch_id, recorded_at, now() FROM records.observations WHERE value = 1.2
        """
    )
    connection.execute("UPDATE records.observations SET knowledge_time = %s WHERE value = 1.2", [corrected])
    # Of another series all vintages are older versions, but for the newest.
    connection.execute(
        """
        INSERT INTO records.observation_revisions SELECT 'GDP', event_time, 7, unit, date '2024-03-08', knowledge_time,
            'stated', fetch_id, recorded_at, now() FROM records.observations WHERE value = 1.1
        """
    )
    connection.execute(
        """
        INSERT INTO records.observations SELECT 'GDP', event_time, 8, unit, date '2024-03-11', '2024-03-11 15:00Z',
            'stated', fetch_id, recorded_at + interval '1 ms' FROM records.observations WHERE value = 1.1
        """
    )
    connection.commit()
    run_dbt(database_url, (*BUILD, "--select", "+observations_by_session"))
    query = "SELECT session_date, value FROM cleaned.observations_by_session WHERE calendar = '{}'"
    query += " AND session_date BETWEEN '2024-03-07' AND '2024-03-12' AND series {} 'GDP' ORDER BY 1"
    march = {day: date(2024, 3, day) for day in range(7, 13)}
    # New York closes at 21:00 UTC, from the 11th at 20:00; Tokyo at 06:00, before the day's value.
    new_york = [(march[7], 1.1), (march[8], 1.25), (march[11], 1.3), (march[12], 1.3)]
    assert rows(database_url, query.format("XNYS", "<>")) == new_york
    gdp = [(march[7], 7), (march[8], 7), (march[11], 8), (march[12], 8)]
    assert rows(database_url, query.format("XNYS", "=")) == gdp
    assert rows(database_url, query.format("XTKS", "<>")) == [(march[8], 1.1), (march[11], 1.2), (march[12], 1.3)]
    every_day = [(march[7], 1.1), (march[8], 1.25), *((march[n], v) for n, v in ((9, 1.2), (10, 1.2), (11, 1.3)))]
    assert rows(database_url, query.format("24/7", "<>"))[:5] == every_day
