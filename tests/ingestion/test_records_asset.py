"""The step that loads records, in Dagster: a body it cannot place is told, and its neighbours are loaded."""

import dagster as dg
import pytest

from strades_pipelines.defs.records.assets import LISTED, build_records
from strades_pipelines.resources.database import Database
from tests.ingestion.conftest import GATE, Store, gate_body, gate_row

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


@pytest.mark.parametrize("symbols", [["BTC_USDT"], ["NEW_USDT", "BTC_USDT"]])
def test_body_of_a_symbol_without_listing_is_a_warning_that_names_it(
    store: Store, database_url: str, symbols: list[str]
) -> None:
    for symbol in symbols:
        store(gate_body(gate_row(0)), request_key=symbol, given={**GATE, "symbol": symbol})
    result = dg.materialize(
        [build_records([])],
        resources={"database": Database(url=database_url)},
        partition_key="2026-11-01",
        instance=dg.DagsterInstance.ephemeral(),
    )
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.severity) == (LISTED.name, dg.AssetCheckSeverity.WARN)
    assert check.passed == (symbols == ["BTC_USDT"])
    assert ("NEW_USDT" in str(check.metadata["first"].value)) != check.passed
    [candles] = [one for one in result.asset_materializations_for_node("records") if one.asset_key == LISTED.asset_key]
    assert candles.metadata["dagster/row_count"].value == 1
