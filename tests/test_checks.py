"""The checks of meaning find what they are about, without reading every row."""

from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.defs.checks import STATEMENTS
from tests.dbt_project.seeding import candles, listing

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

CHECKS = {statement.name: statement for statement in STATEMENTS}
MODEL = """
    INSERT INTO predictions.models (model_id, name, month, trained_at, train_from, train_to, train_rows,
        max_label_known_at, parameters, data_hash, fitted_hash, metrics, recorded_at)
    VALUES ('m', 'ridge', '2024-01-01', '2024-01-01', '2023-01-01', '2023-12-01', 1, '2023-12-01', '{}', 'd', 'f', '{}',
        now())
"""


@pytest.mark.parametrize("name", [statement.name for statement in STATEMENTS if statement.layer != "cleaned"])
def test_nothing_is_held_against_an_empty_database(name: str, connection: psycopg.Connection[Any]) -> None:
    assert CHECKS[name].count(connection) == 0


def test_candles_whose_fetch_is_not_stored_are_found(adbc: "Connection", connection: psycopg.Connection[Any]) -> None:
    listing(adbc, 1, symbol="A")
    candles(adbc, 1, {date(2024, 1, 1): 10.0, date(2024, 1, 2): 11.0})  # both name fetch 1
    assert CHECKS["every_row_has_its_bytes"].count(connection) == 1


@pytest.mark.parametrize(("decided_at", "offenders"), [("2023-12-31", 1), ("2024-01-01", 0)])
def test_a_forecast_of_before_its_models_training_is_found(
    decided_at: str, offenders: int, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="A")
    connection.execute(MODEL.encode())
    connection.execute(
        "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, model_id, "
        "value, status, inputs_hash, recorded_at) VALUES ('p', 'ridge', 1, %s, %s, 'm', 0.1, 'predicted', 'h', now())",
        [decided_at, decided_at],
    )
    assert CHECKS["models_were_trained_before_their_use"].count(connection) == offenders


def test_a_table_of_features_that_takes_what_was_not_known_is_found(connection: psycopg.Connection[Any]) -> None:
    check = CHECKS["inputs_were_known_at_the_decision"]
    connection.execute("SET ROLE strades_app")
    connection.execute("ALTER TABLE features.daily DROP CONSTRAINT daily_check")
    assert check.count(connection) == 1
