"""Features and predictions in Dagster: what is bad fails where it is, with its reason, and its neighbours go on."""

from dataclasses import replace
from datetime import datetime

import dagster as dg
import pytest

from strades_pipelines.defs.features.assets import daily, every_feature_has_values
from strades_pipelines.defs.predictions.assets import FAILURES, failures, forecasts, models
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.resources.database import Database
from tests.predictor.made import Market

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
RANGE = {"dagster/asset_partition_range_start": "2020-01-01", "dagster/asset_partition_range_end": "2020-07-01"}


def test_a_feature_of_only_nan_and_a_model_that_fails_stop_nobody_else(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(training: object, seed: int) -> object:
        raise FloatingPointError("it blew up")

    monkeypatch.setitem(KINDS, "hgb", replace(KINDS["hgb"], fit=broken))
    monkeypatch.delitem(KINDS, "keras")
    market.execute("DELETE FROM records.observations")
    result = dg.materialize(
        [daily, every_feature_has_values, models, forecasts, failures],
        resources={"database": Database(url=market.url)},
        tags=RANGE,
        raise_on_error=False,
        instance=dg.DagsterInstance.ephemeral(),
    )
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "eurusd_return_5" in str(check.description)
    assert "return_1" not in str(check.description).replace("eurusd_return_1", "")
    failed = result.failure_data_for_node(FAILURES.key.to_python_identifier())
    assert failed is not None
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description == (
        "2 models were not trained: hgb of 2020-06: FloatingPointError: it blew up;"
        " hgb of 2020-07: FloatingPointError: it blew up"
    )
    made = {
        str(event.asset_key and event.asset_key.to_user_string()) for event in result.get_asset_materialization_events()
    }
    assert made == {"features/daily", "predictions/models", "predictions/forecasts"}
    july = market.rows(
        "SELECT DISTINCT name, status FROM predictions.forecasts WHERE session_date >= %s ORDER BY 1",
        datetime(2020, 7, 1).date(),
    )
    assert july == [("hgb", "no_model"), ("ridge", "predicted")]
