"""Forecasts: one a session, explicit where there is none, never changed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest

from strades_pipelines.database.bulk import Loaded
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.artifacts import load_model
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.formulas import NAMES
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.walk_forward import train_models
from tests.predictor.conftest import copy_of, new_market
from tests.predictor.made import NOW, Market

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 9, 1, tzinfo=UTC)
RIDGE = {"ridge": KINDS["ridge"]}
TABLE = "SELECT * FROM predictions.forecasts ORDER BY prediction_id"


@pytest.fixture(scope="module")
def made(template: str) -> Iterator[Market]:
    """The market with its features and models."""
    with new_market(template) as market:
        write_features(market.url, start=START, end=END, now=NOW)
        train_models(market.url, start=START, end=END, now=NOW, kinds=RIDGE)
        yield market


@pytest.fixture
def trained(made: Market) -> Iterator[Market]:
    """A copy of the market with its features and models."""
    with copy_of(made) as market:
        yield market


def forecast(market: Market, start: datetime = START, end: datetime = END) -> Loaded:
    """Forecast a window."""
    return write_forecasts(market.url, start=start, end=end, now=NOW, kinds=RIDGE)


def test_every_session_has_one_row_with_a_value_or_the_reason_for_none(trained: Market) -> None:
    assert forecast(trained) == Loaded(488, 0, 0)
    columns = "status, reason, min(session_date)::text, max(session_date)::text, count(*)"
    by_status = trained.rows(f"SELECT {columns} FROM predictions.forecasts GROUP BY 1, 2 ORDER BY 1, 3")
    assert by_status[0] == ("no_features", "the session's windows are not complete", "2020-01-01", "2020-02-18", 98)
    assert [row[:1] + row[2:] for row in by_status[1:-1]] == [
        ("no_model", "2020-02-19", "2020-02-29", 22),
        ("no_model", "2020-03-01", "2020-03-31", 62),
        ("no_model", "2020-04-01", "2020-04-30", 60),
        ("no_model", "2020-05-01", "2020-05-31", 62),
    ]
    assert by_status[1][1] == "fewer than 200 labelled sessions were known at 2020-02-01"
    assert by_status[-1] == ("predicted", None, "2020-06-01", "2020-08-31", 184)
    assert trained.rows("SELECT count(DISTINCT (listing_id, decision_time)) FROM predictions.forecasts") == [(488,)]


def test_rerun_writes_nothing_and_day_by_day_gives_the_rows_of_one_go(trained: Market) -> None:
    forecast(trained)
    at_once = trained.rows(TABLE)
    assert forecast(trained) == Loaded(0, 0, 488)
    trained.execute("TRUNCATE predictions.forecasts CASCADE")
    june = datetime(2020, 6, 1, tzinfo=UTC)
    for day in range(8):
        forecast(trained, june + timedelta(days=day), june + timedelta(days=day + 1))
    assert trained.rows(TABLE) == [row for row in at_once if "2020-06-01" <= f"{row[3]:%F}" < "2020-06-09"]


def test_model_is_the_one_of_the_month_and_older_than_the_decision(trained: Market) -> None:
    forecast(trained)
    wrong = """
        SELECT count(*) FROM predictions.forecasts AS f JOIN predictions.models AS m USING (model_id)
        WHERE m.month <> date_trunc('month', f.session_date) OR m.trained_at > f.decision_time
    """
    assert trained.rows(wrong) == [(0,)]


def test_other_inputs_make_another_row_and_leave_the_first(trained: Market) -> None:
    forecast(trained)
    before = set(trained.rows(TABLE))
    one = "listing_id = 1 AND session_date = '2020-08-31'"
    trained.execute(f"UPDATE features.daily SET return_1 = 0.5, inputs_hash = 'x' WHERE {one}")
    assert forecast(trained) == Loaded(1, 0, 487)
    assert before < set(trained.rows(TABLE))


def test_month_whose_model_is_not_stored_says_so_until_it_is(trained: Market) -> None:
    trained.execute("DELETE FROM predictions.models WHERE month = '2020-08-01'")
    forecast(trained)
    august = "SELECT DISTINCT status FROM predictions.forecasts WHERE session_date >= '2020-08-01' ORDER BY 1"
    assert trained.rows(august) == [("no_model",)]
    train_models(trained.url, start=START, end=END, now=NOW, kinds=RIDGE)
    assert forecast(trained).inserted == 62
    assert trained.rows(august) == [("no_model",), ("predicted",)]


def test_value_is_the_stored_pipelines_own_prediction(trained: Market) -> None:
    forecast(trained)
    query = f"""
        SELECT f.model_id, f.value, {", ".join(NAMES)}
        FROM predictions.forecasts AS f JOIN features.daily USING (listing_id, decision_time)
        WHERE f.status = 'predicted' ORDER BY random() LIMIT 5
    """
    with adbc_connect(trained.url) as connection, connection.cursor() as cursor:
        for model_id, value, *features in trained.rows(query):
            row = np.array([features], dtype=np.float64)
            assert value == pytest.approx(load_model(cursor, str(model_id)).predict(row)[0], rel=1e-12)


def test_kind_that_failed_says_why_and_the_others_forecast(trained: Market) -> None:
    def broken(training: object, seed: int) -> object:
        raise FloatingPointError("it blew up")

    kinds = {"hgb": replace(KINDS["hgb"], fit=broken), **RIDGE}
    train_models(trained.url, start=START, end=END, now=NOW, kinds=kinds)
    write_forecasts(trained.url, start=START, end=END, now=NOW, kinds=kinds)
    august = (
        "SELECT DISTINCT name, status, reason FROM predictions.forecasts WHERE session_date >= '2020-08-01' ORDER BY 1"
    )
    failed = "its training failed: FloatingPointError: it blew up"
    assert trained.rows(august) == [("hgb", "no_model", failed), ("ridge", "predicted", None)]


def test_model_that_may_not_be_loaded_leaves_its_reason(trained: Market) -> None:
    trained.execute("UPDATE ops.artifacts SET format = 'pickle'")
    forecast(trained)
    reasons = trained.rows("SELECT DISTINCT reason FROM predictions.forecasts WHERE session_date >= '2020-08-01'")
    assert [str(reason).partition(";")[0].endswith("was 'pickle'") for (reason,) in reasons] == [True]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no zip": lambda body: b"\0" * len(body),
    "empty": lambda body: b"",
    "cut": lambda body: body[: len(body) // 2],
    "deep": lambda body: with_schema(body, b"[" * 100_000),
    "no object": lambda body: with_schema(body, b"17"),
    "other numbers": lambda body: with_other_numbers(body),
}


def with_schema(body: bytes, schema: bytes) -> bytes:
    """The archive with another description of its objects."""
    return archive({**members(body), "schema.json": schema})


def with_other_numbers(body: bytes) -> bytes:
    """The archive with every array's last byte changed: whole, but not what was trained."""
    return archive(
        {name: data if name.endswith("json") else data[:-1] + b"\x01" for name, data in members(body).items()}
    )


def members(body: bytes) -> dict[str, bytes]:
    """The members of an archive."""
    with ZipFile(BytesIO(body)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def archive(content: dict[str, bytes]) -> bytes:
    """An archive of members."""
    body = BytesIO()
    with ZipFile(body, "w") as opened:
        for name, data in content.items():
            opened.writestr(name, data)
    return body.getvalue()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_stops_its_own_month_and_leaves_its_reason(trained: Market, damage: str) -> None:
    [(model_id, stored)] = trained.rows(
        "SELECT model_id, body FROM ops.artifacts JOIN predictions.models USING (model_id) WHERE month = '2020-08-01'"
    )
    assert isinstance(stored, bytes)
    trained.execute("UPDATE ops.artifacts SET body = %s WHERE model_id = %s", DAMAGES[damage](stored), model_id)
    forecast(trained)
    by_month = (
        "SELECT DISTINCT status, reason FROM predictions.forecasts WHERE session_date >= '{}' AND session_date < '{}'"
    )
    assert trained.rows(by_month.format("2020-06-01", "2020-08-01")) == [("predicted", None)]
    [(status, reason)] = trained.rows(by_month.format("2020-08-01", "2020-09-01"))
    assert status == "no_model"
    assert str(reason).startswith(f"model {model_id}: expected ")
    assert str(reason).isprintable()
    trained.execute("DELETE FROM predictions.models WHERE model_id = %s", model_id)
    train_models(trained.url, start=START, end=END, now=NOW, kinds=RIDGE)
    assert forecast(trained).inserted == 62
