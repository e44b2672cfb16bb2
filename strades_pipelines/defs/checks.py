"""Checks of meaning on what is stored. Each is one query that counts the offenders; none is good."""

from dataclasses import dataclass

import dagster as dg

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.keys import key
from strades_pipelines.resources.database import Database


@dataclass(frozen=True)
class Statement:
    """A truth about an asset: `offenders` is a query with one number, which is 0 when it holds."""

    layer: str
    entity: str
    name: str
    description: str
    offenders: str
    blocking: bool = False


STATEMENTS = (
    Statement(
        "records",
        "candles",
        "every_body_was_accepted",
        "No stored body was refused by its parser since the source's last good answer.",
        """
        SELECT count(*) FROM records.parses AS p INNER JOIN rawsources.fetches AS f USING (fetch_id)
        WHERE p.outcome = 'refused' AND NOT EXISTS (
            SELECT 1 FROM rawsources.fetches AS g INNER JOIN records.parses AS q USING (fetch_id)
            WHERE g.request_key = f.request_key AND q.outcome = 'parsed' AND g.fetched_at >= f.fetched_at)
        """,
    ),
    Statement(
        "records",
        "candles",
        "every_row_has_its_bytes",
        "Every candle names a fetch whose body is stored.",
        """
        SELECT count(DISTINCT c.fetch_id) FROM records.candles AS c
        WHERE NOT EXISTS (SELECT 1 FROM rawsources.fetches AS f WHERE f.fetch_id = c.fetch_id AND f.sha256 IS NOT NULL)
        """,
        blocking=True,
    ),
    Statement(
        "features",
        "daily",
        "inputs_were_known_at_the_decision",
        "No feature rests on anything known after its decision time.",
        "SELECT count(*) FROM features.daily WHERE max_knowledge_time > decision_time",
        blocking=True,
    ),
    Statement(
        "predictions",
        "forecasts",
        "models_were_trained_before_their_use",
        "Each forecast's model was trained on labels known before the forecast's decision time.",
        """
        SELECT count(*) FROM predictions.forecasts AS f INNER JOIN predictions.models AS m USING (model_id)
        WHERE m.trained_at > f.decision_time OR m.max_label_known_at > m.trained_at
        """,
        blocking=True,
    ),
    Statement(
        "trading",
        "fills",
        "no_price_is_older_than_its_decision",
        "No fill took a price from before the decision that asked for it.",
        """
        SELECT count(*) FROM trading.fills AS f INNER JOIN trading.intents AS i USING (intent_id)
        WHERE f.filled_at < i.intended_at
        """,
        blocking=True,
    ),
    Statement(
        "trading",
        "positions",
        "positions_are_the_sum_of_fills",
        "Each position is the signed sum of its wallet's fills.",
        """
        SELECT count(*) FROM trading.positions AS p
        WHERE p.quantity <> (
            SELECT coalesce(sum(CASE f.side WHEN 'buy' THEN f.quantity ELSE -f.quantity END), 0)
            FROM trading.fills AS f WHERE f.wallet = p.wallet AND f.listing_id = p.listing_id)
        """,
    ),
    Statement(
        "trading",
        "cash",
        "cash_is_the_sum_of_the_ledger",
        "Each balance is the sum of its wallet's ledger, to the last digit.",
        """
        SELECT count(*) FROM trading.cash AS c
        WHERE c.balance <> (
            SELECT coalesce(sum(l.amount), 0)
            FROM trading.ledger AS l WHERE l.wallet = c.wallet AND l.currency = c.currency)
        """,
    ),
    Statement(
        "results",
        "equity",
        "equity_is_cash_and_holdings",
        "Equity is cash plus holdings within a millionth.",
        "SELECT count(*) FROM results.equity WHERE abs(equity - cash - holdings) > 1e-6 * greatest(1, abs(equity))",
    ),
)


def build_check(statement: Statement) -> dg.AssetChecksDefinition:
    """The asset check of a statement."""

    @dg.asset_check(
        asset=key(statement.layer, statement.entity),
        name=statement.name,
        description=statement.description,
        blocking=statement.blocking,
    )
    def check(database: Database) -> dg.AssetCheckResult:
        with database.connect() as connection:
            row = connection.execute(statement.offenders).fetchone()
        offenders = int(row[0]) if row else 0
        return dg.AssetCheckResult(passed=offenders == 0, metadata={"offenders": offenders})

    return check


@dg.asset_check(
    asset=key("trading", "ledger"),
    name="hash_chain_is_unbroken",
    description="No line of a wallet's ledger was edited, deleted or inserted.",
    blocking=True,
)
def ledger_check(database: Database) -> dg.AssetCheckResult:
    """Follow every wallet's chain from its first line."""
    with database.connect() as connection:
        wallets = [name for (name,) in connection.execute("SELECT wallet FROM trading.wallets ORDER BY wallet")]
        faults = [fault for wallet in wallets for fault in verify_ledger(connection, wallet)]
    return dg.AssetCheckResult(passed=not faults, metadata={"wallets": len(wallets), "faults": faults})


@dg.definitions
def checks() -> dg.Definitions:
    """Every check that is ours; dbt's tests come with its models."""
    return dg.Definitions(asset_checks=[*map(build_check, STATEMENTS), ledger_check])
