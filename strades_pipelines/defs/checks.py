"""Checks of meaning on what is stored. Each is one query that counts the offenders; none is good."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg

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

    def count(self, connection: "psycopg.Connection[Any]") -> int:
        """How many offenders there are now."""
        row = connection.execute(self.offenders).fetchone()
        return int(row[0]) if row else 0


def enforced(table: str, law: str) -> str:
    """A query that is 0 where the table itself holds each row to `law`, so that no row has to be read."""
    return f"""
        SELECT count(*) FROM (SELECT 1) AS once WHERE NOT EXISTS (
            SELECT FROM pg_constraint WHERE conrelid = '{table}'::regclass AND convalidated
            AND pg_get_constraintdef(oid) LIKE '%{law}%')
    """


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
        # From one fetch to the next by the index: as many steps as there are fetches, however many candles they gave.
        """
        WITH RECURSIVE named AS (
            (SELECT fetch_id FROM records.candles ORDER BY fetch_id LIMIT 1)
            UNION ALL
            SELECT (
                SELECT c.fetch_id FROM records.candles AS c WHERE c.fetch_id > n.fetch_id ORDER BY c.fetch_id LIMIT 1
            ) FROM named AS n WHERE n.fetch_id IS NOT NULL
        )
        SELECT count(*) FROM named AS n WHERE n.fetch_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM rawsources.fetches AS f WHERE f.fetch_id = n.fetch_id AND f.sha256 IS NOT NULL)
        """,
        blocking=True,
    ),
    Statement(
        "cleaned",
        "daily_bars",
        "bars_are_in_current_shares",
        "No clean bar is in the shares of before a split that is in records.",
        """
        SELECT count(*) FROM records.split_adjustments AS a
        INNER JOIN records.candles AS c
            ON c.fetch_id = a.fetch_id AND c.listing_id = a.listing_id AND c.open_time BETWEEN a.from_time AND a.to_time
        INNER JOIN records.listings AS l ON l.listing_id = a.listing_id
        INNER JOIN cleaned.daily_bars AS d
            ON d.fetch_id = c.fetch_id AND d.quoted_venue = l.venue AND d.open_time = c.open_time
        WHERE c."interval" = '1d' AND d.symbol = l.symbol AND d.replaced_cells IS NULL
            AND abs(d.close * a.ratio / c.close - 1) > 1e-9
        """,
        blocking=True,
    ),
    Statement(
        "features",
        "daily",
        "inputs_were_known_at_the_decision",
        "No feature rests on anything known after its decision time: the table itself refuses one that does.",
        enforced("features.daily", "max_knowledge_time <= decision_time"),
        blocking=True,
    ),
    Statement(
        "predictions",
        "forecasts",
        "models_were_trained_before_their_use",
        "Each forecast's model was trained on labels known before the forecast's decision time.",
        # By each model's first forecast; the table of models refuses one whose labels came after its training.
        """
        SELECT count(*) FROM predictions.models AS m WHERE m.max_label_known_at > m.trained_at OR m.trained_at > (
            SELECT f.decision_time FROM predictions.forecasts AS f WHERE f.model_id = m.model_id
            ORDER BY f.decision_time LIMIT 1)
        """,
        blocking=True,
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
            offenders = statement.count(connection)
        return dg.AssetCheckResult(passed=offenders == 0, metadata={"offenders": offenders})

    return check


def defs() -> dg.Definitions:
    """The checks that are steps of their own; trading checks in its own step, dbt's tests come with its models."""
    return dg.Definitions(asset_checks=[*map(build_check, STATEMENTS)])
