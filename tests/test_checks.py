"""The checks of meaning find what they are about, without reading every row."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.defs.checks import SQL_CHECKS
from tests.dbt_project.seeding import candles, listing
from tests.dbt_project.test_gaps import fetched

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

CHECKS = {check.name: check for check in SQL_CHECKS}
MODEL = """
    INSERT INTO predictions.models (model_id, name, month, trained_at, train_from, train_to, train_rows,
        max_label_known_at, parameters, data_hash, fitted_hash, metrics, recorded_at)
    VALUES ('m', 'ridge', '2024-01-01', '2024-01-01', '2023-01-01', '2023-12-01', 1, '2023-12-01', '{}', 'd', 'f', '{}',
        now())
"""


@pytest.mark.parametrize("name", [check.name for check in SQL_CHECKS if check.layer != "cleaned"])
def test_nothing_is_held_against_an_empty_database(name: str, connection: psycopg.Connection[Any]) -> None:
    assert CHECKS[name].count(connection) == 0


def test_a_recovery_drill_that_failed_is_found_until_one_succeeds(connection: psycopg.Connection[Any]) -> None:
    check = CHECKS["the_last_recovery_drill_succeeded"]
    for hour, (fault, violations) in enumerate([("no archive", 1), (None, 0), ("a body rotted", 1)]):
        started = datetime(2026, 1, 1, hour, tzinfo=UTC)
        connection.execute(
            "INSERT INTO ops.recovery_drills (drill, started_at, fault) VALUES (%s, %s, %s)",
            [str(hour), started, fault],
        )
        connection.commit()
        assert check.count(connection) == violations


def test_candles_whose_fetch_is_not_stored_are_found(adbc: "Connection", connection: psycopg.Connection[Any]) -> None:
    listing(adbc, 1, symbol="A")
    candles(adbc, 1, {date(2024, 1, 1): 10.0, date(2024, 1, 2): 11.0})  # both name fetch 1
    counts = [CHECKS["every_row_has_its_bytes"].count(connection) for _ in range(2)]
    assert counts == [1, 1]  # what was found is found again


def test_a_fetch_that_is_deleted_is_found_by_its_candles(
    adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    fetched(connection, (None, None), datetime(2024, 1, 2, tzinfo=UTC))
    connection.commit()
    listing(adbc, 1, symbol="A")
    candles(adbc, 1, {date(2024, 1, 1): 10.0})
    check = CHECKS["every_row_has_its_bytes"]
    assert check.count(connection) == 0
    connection.execute("DELETE FROM rawsources.fetches")
    connection.commit()
    assert check.count(connection) == 1


def test_rows_read_by_the_checks_of_records_do_not_grow_with_history(
    adbc: "Connection", connection: psycopg.Connection[Any], database_url: str
) -> None:
    """Of one more body, after 10 bodies with a candle each and after 3,010."""
    listing(adbc, 1, symbol="A")
    connection.execute("INSERT INTO rawsources.bodies VALUES (sha256('x'), 1, 'x')")

    def bodies(first: int, last: int) -> None:
        numbers = {"first": first, "last": last}
        connection.execute(
            """
            INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, fetched_at,
                outcome, sha256, run_id)
            SELECT number, 's', 'p', 'k', 'u', '{}', '2024-01-01', '2024-01-01', 'stored', sha256('x'), 'r'
            FROM generate_series(%(first)s::int, %(last)s::int) AS number
            """,
            numbers,
        )
        connection.execute(
            """
            INSERT INTO records.parses
            SELECT number, '1', 'parsed', NULL, 1, 0 FROM generate_series(%(first)s::int, %(last)s::int) AS number
            """,
            numbers,
        )
        connection.execute(
            """
            INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close,
                knowledge_time, knowledge_basis, fetch_id, recorded_at)
            SELECT 1, '1d', day, day + interval '1 day', 1, 1, 1, 1, day + interval '1 day', 'stated', number, now()
            FROM generate_series(%(first)s::int, %(last)s::int) AS number
            CROSS JOIN LATERAL (SELECT '2010-01-01'::timestamptz + number * interval '1 day' AS day) AS days
            """,
            numbers,
        )
        connection.commit()

    def rows_read() -> int:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.commit()
        query = """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_user_tables
            WHERE schemaname IN ('records', 'rawsources', 'ops')
        """
        return int((connection.execute(query).fetchone() or (0,))[0])

    read = []
    for first, last in ((1, 10), (11, 3010)):
        bodies(first, last)
        for name in ("every_row_has_its_bytes", "every_body_was_accepted"):
            assert CHECKS[name].count(connection) == 0
        connection.commit()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")
        bodies(last + 10_000, last + 10_000)
        before = rows_read()
        for name in ("every_row_has_its_bytes", "every_body_was_accepted"):
            assert CHECKS[name].count(connection) == 0
        read.append(rows_read() - before)
    assert read[1] <= read[0] + 10, read  # a small table is read whole: that counts for the short history


@pytest.mark.parametrize(("decided_at", "violations"), [("2023-12-31", 1), ("2024-01-01", 0)])
def test_a_forecast_of_before_its_models_training_is_found(
    decided_at: str, violations: int, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A")
    connection.execute(MODEL.encode())
    connection.execute(
        "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, model_id, "
        "value, status, inputs_hash, recorded_at) VALUES ('p', 'ridge', 1, %s, %s, 'm', 0.1, 'predicted', 'h', now())",
        [decided_at, decided_at],
    )
    connection.commit()
    counts = [CHECKS["models_were_trained_before_their_use"].count(connection) for _ in range(2)]
    assert counts == [violations] * 2  # what was found is found again


def test_models_that_nobody_used_since_the_last_check_are_not_looked_up(
    adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A")
    check = CHECKS["models_were_trained_before_their_use"]
    for number in range(50):
        connection.execute(MODEL.replace("'m'", f"'m{number}'").encode())
    connection.commit()
    assert check.count(connection) == 0
    connection.commit()

    def rows_read() -> int:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.commit()
        query = """
            SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'predictions.models'::regclass
        """
        return int((connection.execute(query).fetchone() or (0,))[0])

    before = rows_read()
    assert check.count(connection) == 0
    assert rows_read() == before
    connection.execute(
        "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, model_id, "
        "value, status, inputs_hash, recorded_at) "
        "VALUES ('p', 'ridge', 1, '2023-12-31', '2023-12-31', 'm7', 0.1, 'predicted', 'h', now())"
    )
    connection.commit()
    assert check.count(connection) == 1


def test_a_table_of_features_that_takes_what_was_not_known_is_found(connection: psycopg.Connection[Any]) -> None:
    check = CHECKS["inputs_were_known_at_the_decision"]
    connection.execute("SET ROLE strades_app")
    connection.execute("ALTER TABLE features.daily DROP CONSTRAINT daily_check")
    assert check.count(connection) == 1
