"""A prediction of any model is explained without a trade: model, feature values, and what is behind them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.replay import replay
from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.lineage import NotFound, follow_features, lines, trace_one
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.formulas import FAMILIES, SESSIONS
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.walk_forward import train_models
from tests.brokerage.conftest import REPLAY
from tests.ingestion.conftest import add_listing, gate_body, gate_row, store_body
from tests.predictor.made import NOW, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


def test_prediction_is_traced_to_its_model_its_feature_values_and_their_bars(
    database_url: str, adbc: "Connection"
) -> None:
    market = make_market(database_url, adbc, sessions=200)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC)
    kinds = {"hgb": KINDS["hgb"]}
    write_features(database_url, start=start, end=end, now=NOW, families=("alpha158",))
    train_models(database_url, start=start, end=end, now=NOW, kinds=kinds)
    write_forecasts(database_url, start=start, end=end, now=NOW, kinds=kinds)
    [(identity,)] = market.rows(
        "SELECT prediction_id FROM predictions.forecasts WHERE status = 'predicted' ORDER BY 1 LIMIT 1"
    )
    found = trace_one(str(identity), database_url)
    assert found["model"]["name"] == found["prediction"]["name"] == "hgb"
    assert found["features"]["inputs_hash"] == found["prediction"]["inputs_hash"]
    assert len(found["cleaned"]) == SESSIONS
    # The made market has no stored bodies, and the trace says so.
    assert [fault for fault in found["faults"] if "is gone from rawsources.fetches" in fault]
    text = "\n".join(lines(found))
    assert f"return_1 {found['features']['return_1']:.6g}" in text
    assert all(f"{family}: " in text for family in (*FAMILIES, "alpha158"))
    assert f" · klen {found['features']['klen']:.6g}" in text
    with pytest.raises(NotFound, match="or a prediction, was 'NOPE'"):
        trace_one("NOPE", database_url)
    row = found["features"]
    with connect(database_url) as connection:
        behind = follow_features(connection, row["listing_id"], row["decision_time"])
        assert follow_features(connection, row["listing_id"], start) == set()
    own = (
        "SELECT DISTINCT fetch_id FROM cleaned.daily_bars WHERE listing_id = {} AND session_date BETWEEN '{}' AND '{}'"
    )
    bars = market.rows(own.format(row["listing_id"], row["window_start"], row["session_date"]))
    assert behind >= {fetch_id for (fetch_id,) in bars} > set()


def test_cell_taken_from_another_venue_is_traced_to_that_venues_bytes(database_url: str, adbc: "Connection") -> None:
    market = make_market(database_url, adbc, sessions=200)
    start, end = datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC)
    write_features(database_url, start=start, end=end, now=NOW)
    market.execute(
        "INSERT INTO predictions.forecasts SELECT 'P' || listing_id, 'ridge', listing_id, session_date, decision_time,"
        " NULL, NULL, 'no_model', inputs_hash, now() FROM features.daily WHERE session_date = '2020-06-10'"
    )
    replay(adbc, replace(REPLAY, instruments=("v:1",), interval="1d", currency="USD"), start=start, end=end, now=NOW)
    fill = str(market.rows("SELECT fill_id FROM trading.fills ORDER BY filled_at DESC LIMIT 1")[0][0])
    with connect(database_url) as connection:
        add_listing(connection, "gateio", "BTC_USDT")
    fetch = store_body(database_url, gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    market.execute(
        "UPDATE cleaned.daily_bars SET replaced_cells = '{close}', replacement_fetch_ids = %s"
        " WHERE listing_id = 1 AND session_date >= '2020-06-09'",
        [fetch],
    )
    # The market whose cells they are, a peer its features are ranked among, and a trade on its bars.
    for identity in ("P1", "P2", fill):
        [found] = [one for one in trace_one(identity, database_url)["fetches"] if one["fetch_id"] == fetch]
        assert (found["rows"], found["faults"]) == (1, [])
    market.execute("UPDATE records.candles SET close = close + 0.5 WHERE fetch_id = %s", fetch)
    [fault] = [fault for fault in trace_one("P1", database_url)["faults"] if str(fetch) in fault]
    assert "expected the stored candle BTC_USDT" in fault
