"""Table previews in materialization metadata: the newest rows of each wallet, to be read in the Dagster UI."""

from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.keys import key

EACH = 10  # rows a wallet; all of them are a query away, and every event is kept
QUERIES = {
    key("signals", "decisions"): f"""
        SELECT d.decision_id, c.name AS wallet, d.strategy, d.decided_at, symbol, d.previous_target, d.target, d.reason
        FROM results.current_wallets AS c
        CROSS JOIN LATERAL (
            SELECT * FROM signals.decisions WHERE wallet = c.wallet
            ORDER BY decided_at DESC, ordinal DESC, decision_id LIMIT {EACH}
        ) AS d
        INNER JOIN records.listings USING (listing_id)
        ORDER BY c.name, d.decided_at DESC, d.ordinal DESC, d.decision_id
    """,
    key("trading", "fills"): f"""
        SELECT f.fill_id, c.name AS wallet, f.filled_at, f.side, f.quantity, symbol, f.price, f.currency,
            f.fee, coalesce(f.fee_currency, f.currency) AS fee_currency
        FROM results.current_wallets AS c
        CROSS JOIN LATERAL (
            SELECT * FROM trading.fills WHERE wallet = c.wallet ORDER BY filled_at DESC, fill_id LIMIT {EACH}
        ) AS f
        INNER JOIN records.listings USING (listing_id)
        ORDER BY c.name, f.filled_at DESC, f.fill_id
    """,
    key("trading", "contexts"): f"""
        SELECT content_hash, as_of, run_id FROM trading.contexts ORDER BY context_id DESC LIMIT {EACH}
    """,
    key("results", "daily_parity"): f"""
        SELECT
            p.wallet, w.strategy, p.day, p.decisions, p.decisions_agreeing, p.fills, p.fills_agreeing,
            (SELECT string_agg(DISTINCT d.cause, ', ') FROM results.parity_differences AS d
                WHERE d.wallet = p.wallet AND d.day = p.day) AS causes
        FROM trading.wallets AS w
        CROSS JOIN LATERAL (
            SELECT * FROM results.daily_parity AS days WHERE days.wallet = w.wallet ORDER BY days.day DESC LIMIT {EACH}
        ) AS p
        ORDER BY p.wallet, p.day DESC
    """,
    key("trading", "findings"): """
        SELECT finding_id, account, wallets, code, detail, found_at FROM trading.findings
        WHERE state = 'open' ORDER BY found_at DESC, finding_id LIMIT 100
    """,
    key("results", "performance"): """
        SELECT
            c.name AS wallet, c.mode, c.strategy,
            (p.statistics ->> 'total_return')::double precision AS total_return,
            (p.benchmark ->> 'total_return')::double precision AS buy_and_hold,
            (p.statistics ->> 'sharpe')::double precision AS sharpe,
            (p.statistics ->> 'max_drawdown')::double precision AS max_drawdown,
            (p.statistics ->> 'turnover')::double precision AS turnover,
            (p.statistics ->> 'fees')::double precision AS fees,
            (SELECT count(*) FROM trading.fills AS f WHERE f.wallet = c.wallet) AS fills
        FROM results.current_wallets AS c INNER JOIN results.performance AS p USING (wallet)
        ORDER BY c.mode DESC, c.name
    """,
}


def preview(connection: "psycopg.Connection[Any]", asset: dg.AssetKey) -> dict[str, dg.TableMetadataValue]:
    """The metadata entry of an asset that shows rows; empty for the others, and while there are none.

    Times are UTC, ISO 8601; floats have six digits, since a person reads them.
    """
    if asset not in QUERIES:
        return {}
    cursor = connection.execute(QUERIES[asset])
    names = [column.name for column in cursor.description or ()]
    records = [dg.TableRecord(dict(zip(names, map(_plain, row), strict=True))) for row in cursor]
    title = "wallets" if asset == key("results", "performance") else "newest"
    return {title: dg.MetadataValue.table(records)} if records else {}


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value if value is None or isinstance(value, (str, int)) else str(value)
