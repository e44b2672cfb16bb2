"""A prediction of any model is explained without a trade: model, feature values, and what is behind them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.lineage import NotFound, lines, trace_one
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.formulas import FAMILIES, SESSIONS
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.walk_forward import train_models
from tests.predictor.made import NOW, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


def test_prediction_is_traced_to_its_model_its_feature_values_and_their_bars(
    database_url: str, adbc: "Connection"
) -> None:
    market = make_market(database_url, adbc, sessions=200)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC)
    kinds = {"hgb": KINDS["hgb"]}
    write_features(database_url, start=start, end=end, now=NOW)
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
    assert all(f"{family}: " in text for family in FAMILIES)
    with pytest.raises(NotFound, match="or a prediction, was 'NOPE'"):
        trace_one("NOPE", database_url)
