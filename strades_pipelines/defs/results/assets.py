"""What came of it: equity curves and statistics of every wallet, beside buy and hold."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from strades_pipelines.brokerage.live import for_each, measure
from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.keys import key
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

TABLES = {
    "equity": "Equity of each wallet at each close, and of buy and hold. Grain: one row a wallet and time.",
    "performance": "Return, risk and cost of each wallet, and of buy and hold. Grain: one row a wallet.",
}
DEPS = [key("trading", "fills"), key("signals", "decisions")]


@dg.multi_asset(
    name="results",
    specs=[table_spec("results", name, text, kinds={"numpy", "postgres"}, deps=DEPS) for name, text in TABLES.items()],
)
def results(database: Database) -> Iterator[dg.MaterializeResult[Any]]:
    """Measure the open wallets; a replay's results were written with its fills."""
    with database.connect() as connection, database.adbc() as adbc:
        rows = connection.execute(
            "SELECT wallet FROM trading.wallets WHERE mode <> 'replay' ORDER BY wallet"
        ).fetchall()
        _, errors = for_each(
            [wallet for (wallet,) in rows],
            lambda name: measure(connection, adbc, name, now=settings().now()),
            connection,
        )
        for entity in TABLES:
            yield dg.MaterializeResult(
                asset_key=key("results", entity), metadata=counts(connection, key("results", entity))
            )
    if errors:
        raise dg.Failure(
            "; ".join(f"wallet {wallet}: {error}" for wallet, error in errors.items()), allow_retries=False
        )
