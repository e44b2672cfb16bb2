"""In a new home that holds a loaded file and nothing else, each layer can be the first that is asked for."""

from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.defs.features.assets import daily
from strades_pipelines.defs.predictions.assets import models, scores
from strades_pipelines.defs.trading.assets import trading
from strades_pipelines.resources.database import Database
from tests.dbt_project.seeding import candles, days, listing

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow
MONTH = "2012-02-01"


@pytest.mark.parametrize("layer", [daily, models, scores, trading], ids=["features", "models", "scores", "trading"])
def test_a_layer_that_is_asked_for_first_makes_the_clean_bars_that_it_reads(
    layer: dg.AssetsDefinition, database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2012, 1, 1), 60), 10.0))
    result = dg.materialize(
        [layer],
        partition_key=MONTH if layer.partitions_def else None,
        resources={"database": Database(url=database_url)},
        raise_on_error=layer is not trading,  # the wallets of Wallets.json have instruments that are not listed here
    )
    assert result.success or layer is trading
    assert connection.execute("SELECT count(*) FROM cleaned.daily_bars").fetchone() == (60,)
    if layer is daily:
        assert connection.execute("SELECT count(*) FROM features.daily").fetchone() == (29,)
