"""Standings: from scores closed before the month, and marked when worse than naive."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import psycopg
import pytest

from strades_pipelines.database.bulk import Loaded
from strades_pipelines.predictor.track_record import ENOUGH, mean_square, write_standings
from tests.predictor.made import NOW

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 5, 1, tzinfo=UTC)
STANDINGS = """
    SELECT name, month, known_at, scored, mse, mse_naive, mse_linear, worse_than_naive
    FROM predictions.standings ORDER BY month, name
"""


def scored(
    connection: psycopg.Connection, name: str, *, first: date, count: int, error: float, linear: float | None = 0.02
) -> None:
    """Forecasts of consecutive days with one error each, naive's being 0.03, known a day after their decision."""
    connection.execute(
        "INSERT INTO records.listings VALUES (1, 'v', 'A', 'USD', 0.01, 1, 'raw', '24/7') ON CONFLICT DO NOTHING"
    )
    connection.execute(
        """
        INSERT INTO predictions.models VALUES (%s, %s, '2020-01-01', '2020-01-01Z', '2019-01-01Z', '2019-12-01Z', 9,
            '2020-01-01Z', '{}', 'd', 'f', '{}', '2020-01-01Z') ON CONFLICT DO NOTHING
        """,
        (name, name),
    )
    for number in range(count):
        day = first + timedelta(days=number)
        decided = datetime(day.year, day.month, day.day, 21, tzinfo=UTC)
        identity = f"{name}{day}"
        connection.execute(
            "INSERT INTO predictions.forecasts VALUES (%s, %s, 1, %s, %s, %s, 0.01, 'predicted', 'h', %s)",
            (identity, name, day, decided, name, decided),
        )
        connection.execute(
            "INSERT INTO predictions.scores VALUES (%s, 0.03, %s, %s, 0.03, %s, %s)",
            (identity, decided + timedelta(days=1), error, decided, linear),
        )
    connection.commit()


def test_standing_is_of_the_scores_closed_before_its_month(connection: psycopg.Connection, database_url: str) -> None:
    # The day of 31 January closes on 1 February: it is not known when that month begins.
    scored(connection, "hgb", first=date(2020, 1, 1), count=31, error=0.04)
    scored(connection, "keras", first=date(2020, 1, 1), count=31, error=0.01)
    assert write_standings(database_url, start=START, end=END, now=NOW) == Loaded(6, 0, 0)
    rows = connection.execute(STANDINGS).fetchall()
    february = datetime(2020, 2, 1, tzinfo=UTC)
    assert [row[:4] for row in rows[:4]] == [
        ("hgb", february.date(), february, 30),
        ("keras", february.date(), february, 30),
        ("hgb", date(2020, 3, 1), datetime(2020, 3, 1, tzinfo=UTC), 31),
        ("keras", date(2020, 3, 1), datetime(2020, 3, 1, tzinfo=UTC), 31),
    ]
    assert rows[0][4:] == (pytest.approx(0.0016), pytest.approx(0.0009), pytest.approx(0.0004), True)
    assert rows[1][4:] == (pytest.approx(0.0001), pytest.approx(0.0009), pytest.approx(0.0004), False)
    assert write_standings(database_url, start=START, end=END, now=NOW) == Loaded(0, 0, 6)


def test_too_few_scores_do_not_say_and_a_month_to_come_has_none(
    connection: psycopg.Connection, database_url: str
) -> None:
    scored(connection, "hgb", first=date(2020, 1, 1), count=ENOUGH - 1, error=0.04, linear=None)
    now = datetime(2020, 2, 15, tzinfo=UTC)
    assert write_standings(database_url, start=START, end=END, now=now) == Loaded(1, 0, 0)
    assert connection.execute(STANDINGS).fetchall()[0][3:] == (
        ENOUGH - 1, pytest.approx(0.0016), pytest.approx(0.0009), None, None,
    )  # fmt: skip


def test_mean_square_does_not_depend_on_the_order() -> None:
    errors = np.random.default_rng(1).normal(size=500)
    shuffled = np.random.default_rng(2).permutation(errors)
    assert mean_square(pd.Series(errors)) == mean_square(pd.Series(shuffled)) == pytest.approx(np.mean(errors**2))
    assert mean_square(pd.Series([np.nan])) is None


def test_a_score_that_goes_is_missed_in_the_year_after_it_and_nowhere_else(
    connection: psycopg.Connection, database_url: str
) -> None:
    window = {"start": START, "end": datetime(2021, 4, 1, tzinfo=UTC), "now": NOW}
    scored(connection, "hgb", first=date(2020, 1, 1), count=31, error=0.04)
    # The last day closes in February: it is in March's standing, and in that of February a year later.
    assert write_standings(database_url, **window) == Loaded(13, 0, 0)
    connection.execute("DELETE FROM predictions.scores WHERE prediction_id = 'hgb2020-01-15'")
    connection.commit()
    assert write_standings(database_url, **window) == Loaded(0, 12, 1)
    counts = [scored for _, _, _, scored, *_ in connection.execute(STANDINGS).fetchall()]
    assert counts == [29] + 11 * [30] + [1]
    connection.execute("DELETE FROM predictions.standings WHERE month = '2020-05-01'")
    connection.commit()
    assert write_standings(database_url, **window) == Loaded(1, 0, 12)


def test_of_several_forecasts_of_a_session_the_one_recorded_last_counts(
    connection: psycopg.Connection, database_url: str
) -> None:
    scored(connection, "hgb", first=date(2020, 1, 1), count=25, error=0.04)
    again = """
        INSERT INTO predictions.forecasts
        SELECT 'a' || prediction_id, name, listing_id, session_date, decision_time, model_id, value, status, 'other',
            recorded_at + %s
        FROM predictions.forecasts WHERE session_date = %s
    """
    connection.execute(again, (timedelta(hours=1), date(2020, 1, 10)))
    connection.execute(again, (timedelta(hours=-1), date(2020, 1, 11)))
    for day, error in (("10", 0.01), ("11", 0.02)):
        connection.execute(
            "INSERT INTO predictions.scores SELECT 'a' || prediction_id, label, label_known_at, %s, 0.03, recorded_at"
            " FROM predictions.scores WHERE prediction_id = %s",
            (error, f"hgb2020-01-{day}"),
        )
    connection.commit()
    write_standings(database_url, start=START, end=END, now=NOW)
    _, _, _, count, mse, *_ = connection.execute(STANDINGS).fetchall()[0]
    assert (count, mse) == (25, pytest.approx((24 * 0.04**2 + 0.01**2) / 25))
