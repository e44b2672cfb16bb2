"""Asset checks on stored rows. Each is one query that counts violations; the check passes at zero.

What a check reads does not grow with history: it takes the marks of what changed since it last passed (`check.<name>`
in `ops.stale` and `ops.changed_rows`), or asks for a law that the table itself keeps.
"""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.keys import key
from strades_pipelines.resources.database import Database


@dataclass(frozen=True)
class SqlCheck:
    """A rule about an asset; `violations` is a query that returns the number of rows that break it."""

    layer: str
    entity: str
    name: str
    description: str
    violations: str
    blocking: bool = False

    def count(self, connection: "psycopg.Connection[Any]") -> int:
        """Count the violations. If there are any, roll back, so that the marks of unchecked rows stay."""
        row = connection.execute(self.violations).fetchone()
        violations = int(row[0]) if row else 0
        if violations:
            connection.rollback()
        return violations


def enforced(table: str, law: str) -> str:
    """A query that is 0 where the table itself holds each row to `law`, so that no row has to be read."""
    return f"""
        SELECT count(*) FROM (SELECT 1) AS once WHERE NOT EXISTS (
            SELECT FROM pg_constraint WHERE conrelid = '{table}'::regclass AND convalidated
            AND pg_get_constraintdef(oid) LIKE '%{law}%')
    """


SQL_CHECKS = (
    SqlCheck(
        "records",
        "candles",
        "every_body_was_accepted",
        "No stored body was refused by its parser since the source's last good answer.",
        # Here and below scalars, not NOT EXISTS, which the planner turns into a join with all fetches.
        """
        SELECT count(*) FROM records.parses AS p INNER JOIN rawsources.fetches AS f USING (fetch_id)
        WHERE p.outcome = 'refused' AND (
            SELECT true FROM rawsources.fetches AS g INNER JOIN records.parses AS q USING (fetch_id)
            WHERE g.source = f.source AND g.request_key = f.request_key AND q.outcome = 'parsed'
            AND g.fetched_at >= f.fetched_at LIMIT 1) IS NULL
        """,
    ),
    SqlCheck(
        "records",
        "candles",
        "every_row_has_its_bytes",
        "Every candle names a fetch whose body is stored.",
        """
        WITH named AS (
            DELETE FROM ops.changed_rows WHERE reader = 'check.every_row_has_its_bytes'
            RETURNING key[1]::bigint AS fetch_id
        )
        SELECT count(DISTINCT fetch_id) FROM named
        WHERE (SELECT true FROM records.candles AS c WHERE c.fetch_id = named.fetch_id LIMIT 1) AND (
            SELECT true FROM rawsources.fetches AS f WHERE f.fetch_id = named.fetch_id AND f.sha256 IS NOT NULL LIMIT 1
        ) IS NULL
        """,
        blocking=True,
    ),
    SqlCheck(
        "cleaned",
        "daily_bars",
        "bars_are_in_current_shares",
        "No clean bar is in the shares of before a split that is in records.",
        """
        WITH taken AS (
            DELETE FROM ops.stale WHERE relation = 'check.bars_are_in_current_shares' RETURNING listing_id, days
        ),
        work AS (SELECT listing_id, unnest(range_agg(days)) AS days FROM taken GROUP BY listing_id)
        SELECT count(*) FROM work
        INNER JOIN cleaned.daily_bars AS d
            ON d.listing_id = work.listing_id AND d.session_date >= coalesce(lower(work.days), '-infinity')
            AND d.session_date < coalesce(upper(work.days), 'infinity')
        INNER JOIN records.listings AS l ON l.venue = d.quoted_venue AND l.symbol = d.symbol
        INNER JOIN records.split_adjustments AS a
            ON a.listing_id = l.listing_id AND a.fetch_id = d.fetch_id AND d.open_time BETWEEN a.from_time AND a.to_time
        INNER JOIN records.candles AS c
            ON c.listing_id = l.listing_id AND c."interval" = '1d' AND c.open_time = d.open_time
            AND c.fetch_id = d.fetch_id
        WHERE d.replaced_cells IS NULL AND abs(d.close * a.ratio / c.close - 1) > 1e-9
        """,
        blocking=True,
    ),
    SqlCheck(
        "features",
        "daily",
        "inputs_were_known_at_the_decision",
        "No feature rests on anything known after its decision time: the table itself refuses one that does.",
        enforced("features.daily", "max_knowledge_time <= decision_time"),
        blocking=True,
    ),
    SqlCheck(
        "predictions",
        "forecasts",
        "models_were_trained_before_their_use",
        "Each forecast's model was trained on labels known before the forecast's decision time.",
        # By each model's first forecast; the table of models refuses one whose labels came after its training.
        """
        WITH named AS (
            DELETE FROM ops.changed_rows WHERE reader = 'check.models_were_trained_before_their_use'
            RETURNING key[1] AS model_id
        )
        SELECT count(*) FROM (SELECT DISTINCT model_id FROM named) AS used
        CROSS JOIN LATERAL (SELECT * FROM predictions.models AS m WHERE m.model_id = used.model_id LIMIT 1) AS m
        WHERE m.max_label_known_at > m.trained_at OR m.trained_at > (
            SELECT f.decision_time FROM predictions.forecasts AS f WHERE f.model_id = m.model_id
            ORDER BY f.decision_time LIMIT 1)
        """,
        blocking=True,
    ),
    SqlCheck(
        "ops",
        "events",
        "the_last_recovery_drill_succeeded",
        "The newest recovery drill brought the deleted row back, and every body was whole; none counts nothing.",
        """
        SELECT count(*) FROM (
            SELECT fault FROM ops.recovery_drills ORDER BY started_at DESC LIMIT 1
        ) AS newest WHERE fault IS NOT NULL
        """,
    ),
)


def build_check(rule: SqlCheck) -> dg.AssetChecksDefinition:
    """The asset check that runs an SqlCheck."""

    @dg.asset_check(
        asset=key(rule.layer, rule.entity),
        name=rule.name,
        description=rule.description,
        blocking=rule.blocking,
    )
    def check(database: Database) -> dg.AssetCheckResult:
        with database.connect() as connection:
            violations = rule.count(connection)
        return dg.AssetCheckResult(passed=violations == 0, metadata={"violations": violations})

    return check


def defs() -> dg.Definitions:
    """The checks that are steps of their own; trading checks in its own step, dbt's tests come with its models."""
    return dg.Definitions(asset_checks=[*map(build_check, SQL_CHECKS)])
