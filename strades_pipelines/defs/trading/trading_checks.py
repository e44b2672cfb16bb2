"""Checks of what was traded, made in the step that trades: a step of its own would cost more than the query."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.brokerage.ledger_marks import verify_new_lines, wallets_to_verify
from strades_pipelines.defs.checks import Statement
from strades_pipelines.keys import key
from strades_pipelines.settings import settings

Connection = psycopg.Connection[Any]
STATEMENTS = (
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
        "Each position is the signed sum of its wallet's fills, less the fees that were taken from them, and in units, "
        "cost and profit that of its owners'.",
        """
        SELECT count(*) FROM trading.positions AS p
        WHERE EXISTS (
            SELECT FROM trading.owner_positions AS o WHERE o.wallet = p.wallet AND o.listing_id = p.listing_id
            HAVING (sum(o.quantity), sum(o.cost), sum(o.realised)) <> (p.quantity, p.cost, p.realised)
        )
        OR p.quantity <> (
            SELECT coalesce(sum(
                CASE f.side WHEN 'buy' THEN f.quantity ELSE -f.quantity END
                - CASE WHEN f.fee_in_units THEN f.fee ELSE 0 END
            ), 0)
            FROM trading.fills AS f WHERE f.wallet = p.wallet AND f.listing_id = p.listing_id)
            -- `strades ledger verify` works those with a split out.
            AND NOT EXISTS (
                SELECT FROM trading.movements AS m
                WHERE m.wallet = p.wallet AND m.kind = 'split' AND m.listing_id = p.listing_id)
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
            FROM trading.ledger AS l WHERE l.wallet = c.wallet AND l.currency = c.currency AND l.kind <> 'unit_fee')
        """,
    ),
    Statement(
        "trading",
        "findings",
        "no_finding_stands",
        "What the venues say of our accounts is what our books say, or a person has settled the difference.",
        "SELECT count(*) FROM trading.findings WHERE state = 'open'",
    ),
    Statement(
        "results",
        "equity",
        "equity_is_cash_and_holdings",
        "Equity is cash plus holdings within a millionth.",
        "SELECT count(*) FROM results.equity WHERE abs(equity - cash - holdings) > 1e-6 * greatest(1, abs(equity))",
    ),
    Statement(
        "results",
        "listing_performance",
        "listings_add_up_to_their_wallet",
        "The P&L of a wallet's listings adds up to what its equity grew by but for other cash, within a millionth.",
        """
        SELECT count(*) FROM (
            SELECT
                sum(p.pnl) AS pnl,
                max(last.equity) - max(w.opening_cash)::float8 - max(last.moved)::float8 AS grown,
                max(last.equity) AS equity
            FROM results.listing_performance AS p
            INNER JOIN trading.wallets AS w USING (wallet)
            CROSS JOIN LATERAL (
                SELECT e.equity, (
                    SELECT coalesce(sum(m.amount), 0) FROM trading.movements AS m
                    WHERE m.wallet = p.wallet AND m.currency = w.currency AND m.recorded_at <= e.time
                        AND m.kind <> 'split'
                ) AS moved
                FROM results.equity AS e WHERE e.wallet = p.wallet ORDER BY e.time DESC LIMIT 1
            ) AS last
            GROUP BY p.wallet
        ) AS wallets
        WHERE abs(pnl - grown) > 1e-6 * greatest(1, abs(equity))
        """,
    ),
    Statement(
        "results",
        "session_attribution",
        "owners_add_up_to_their_session",
        "What the owners of a session's fills made is the profit of their wallet, to the last digit.",
        """
        SELECT count(*) FROM (
            SELECT s.realised + s.unrealised - coalesce(lag(s.unrealised) OVER wallet, 0) - coalesce((
                SELECT sum(a.pnl) FROM results.session_attribution AS a
                WHERE a.wallet = s.wallet AND a.session_date = s.session_date
            ), 0) AS difference
            FROM results.wallet_sessions AS s WINDOW wallet AS (PARTITION BY s.wallet ORDER BY s.session_date)
        ) AS sessions
        WHERE difference <> 0
        """,
    ),
    Statement(
        "results",
        "parity_differences",
        "every_difference_has_a_cause",
        "Nothing that a wallet decided or was filled in its newest week differs from a replay for no known cause.",
        """
        SELECT count(*) FROM results.parity_differences AS d
        WHERE d.cause = 'bug'
            AND d.day > (SELECT max(p.day) - 7 FROM results.daily_parity AS p WHERE p.wallet = d.wallet)
        """,
    ),
    Statement(
        "results",
        "parity",
        "backtest_gives_the_same_fills",
        "`strades backtest` in another process, over exported bars, filled what the replay filled.",
        "SELECT coalesce(sum(differing), 0) FROM results.parity",
    ),
)
LEDGER = dg.AssetCheckSpec(
    "hash_chain_is_unbroken",
    asset=key("trading", "ledger"),
    description="No line of a wallet's ledger was edited, deleted or inserted since the last check. Older lines are "
    "verified every night, and by `strades ledger verify`.",
    blocking=True,
)
SPECS = [
    *(
        dg.AssetCheckSpec(
            one.name, asset=key(one.layer, one.entity), description=one.description, blocking=one.blocking
        )
        for one in STATEMENTS
    ),
    LEDGER,
]


def evaluate(connection: Connection, wanted: Callable[[dg.AssetCheckKey], bool]) -> list[dg.AssetCheckResult]:
    """The results of the checks that are wanted. Commits the marks of verified ledgers."""
    results = []
    for one in STATEMENTS:
        asset = key(one.layer, one.entity)
        if wanted(dg.AssetCheckKey(asset, one.name)):
            results.append(_result(asset, one.name, {"offenders": one.count(connection)}))
    if wanted(LEDGER.key):
        wallets = wallets_to_verify(connection)
        now = settings().now()
        connection.commit()
        faults = [fault for wallet in wallets for fault in verify_new_lines(connection, wallet, now=now)]
        found = {"offenders": len(faults), "wallets": len(wallets), "faults": faults}
        results.append(_result(LEDGER.asset_key, LEDGER.name, found))
    return results


def _result(asset: dg.AssetKey, name: str, found: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=found["offenders"] == 0, asset_key=asset, check_name=name, metadata=found)
