"""The tables for people, from hand-made rows whose answers can be worked out in the head."""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt_project.building import rows, run_dbt
from tests.dbt_project.seeding import candles, dividend, listing, midnight, rates
from tests.dbt_project.test_gaps import asks_for, fetched
from tests.dbt_project.test_news import article

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

JANUARY = [date(2024, 1, day) for day in range(1, 32)]


GUARDS = """
    SELECT c.relname, c.relrowsecurity OR 'security_invoker=true' = ANY(c.reloptions) FROM pg_class AS c
    WHERE c.relnamespace = 'marts'::regnamespace AND c.relkind IN ('r', 'v') AND EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'wallet'
    ) ORDER BY 1
"""


def wallet(connection: psycopg.Connection[Any], name: str) -> None:
    """A paper wallet that holds nothing yet."""
    connection.execute(
        """
        INSERT INTO trading.wallets (wallet, mode, strategy, parameters, instruments, "interval", code_hash, currency,
            opening_cash, fee_rate, opened_at, max_decision_age, broker)
        VALUES (%s, 'paper', 's', '{}', '{v:A}', '1d', 'h', 'USD', 1000, 0.001, '2024-01-01', '1 day', 'paper')
        """,
        [name],
    )


def filled(connection: psycopg.Connection[Any], decision: str, quantity: int, price: str) -> None:
    """A decision of wallet `busy`, its order and its fill."""
    connection.execute(
        "INSERT INTO signals.decisions "
        "SELECT %s, 'busy', 's', 1, now(), 'bar', 't', count(*), 0, 1, 'r', '{}', now() FROM signals.decisions",
        [decision],
    )
    connection.execute(
        "INSERT INTO trading.intents VALUES (%s, %s, 'busy', 1, 0, 'buy', %s, 'market', now(), now(), 'paper')",
        [decision, decision, quantity],
    )
    connection.execute(
        """
        INSERT INTO trading.fills VALUES (%s, %s, 'busy', 1, 'buy', %s, %s, 0.5, 'USD', now(), now(), NULL, NULL, now())
        """,
        [decision, decision, quantity, price],
    )


def test_marts_say_what_their_rows_come_to(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="ABC")
    there = {day: 100.0 for day in JANUARY if day.day not in (5, 6)}
    candles(adbc, 1, there | {date(2024, 1, 3): 110.0})
    dividend(adbc, 1, ex_date=date(2024, 1, 4), amount=11.0)
    asks_for(connection, "1d", midnight(JANUARY[0]), None, 86400, None)
    fetched(connection, (midnight(JANUARY[0]), midnight(date(2024, 2, 1))), midnight(date(2024, 2, 2)), symbol="ABC")
    rates(adbc, {date(2024, 1, 30): 1.0, date(2024, 1, 31): 1.2, date(2024, 2, 1): 1.5, date(2024, 2, 2): 1.3})
    for number, title in enumerate(["ABC up", "ABC again", "Markets"]):
        article(connection, number, datetime.fromisoformat("2024-01-03T12:00Z"), title)
    for name in ("busy", "idle"):
        wallet(connection, name)
    filled(connection, "a", 2, "100")
    filled(connection, "b", 1, "110")
    for day, equity, benchmark in (("2024-01-02", 1000, 1000), ("2024-01-03", 1100, 900)):
        connection.execute("INSERT INTO results.equity VALUES ('busy', %s, 0, 0, %s, %s)", [day, equity, benchmark])
    returns = ['{"total_return": 0.1}', '{"total_return": -0.1}']
    connection.execute("INSERT INTO results.performance VALUES ('busy', %s, %s)", returns)
    connection.commit()
    run_dbt(database_url)
    # What of a wallet is made anew by each build is guarded by each build (migration 0082).
    assert rows(database_url, GUARDS) == [(name, True) for name in ("fct_results", "lineage_edges", "lineage_nodes")]
    prices = rows(database_url, "SELECT session_date, total_return, growth FROM marts.fct_prices ORDER BY 1 LIMIT 4")
    assert prices[1:3] == [(JANUARY[1], 0.0, 1.0), (JANUARY[2], pytest.approx(0.1), pytest.approx(1.1))]
    # 11 on a close of 110 is a tenth: from 110 to 100 and a dividend of 11 is worth 100 * 1.1 again.
    assert prices[3] == (JANUARY[3], pytest.approx(0.0), pytest.approx(1.1))
    news = "SELECT session_date, articles, in_titles, sources, round(total_return::numeric, 6) FROM marts.fct_news"
    assert rows(database_url, news) == [(JANUARY[2], 2, 2, 1, Decimal("0.1"))]
    statistics = (
        "SELECT month, observations, lowest, highest, mean, last_value, change FROM marts.fct_statistics ORDER BY 1"
    )
    assert rows(database_url, statistics) == [
        (date(2024, 1, 1), 2, 1.0, 1.2, pytest.approx(1.1), 1.2, None),
        (date(2024, 2, 1), 2, 1.3, 1.5, pytest.approx(1.4), 1.3, pytest.approx(0.1)),
    ]
    results = "SELECT wallet, equity, benchmark, total_return, fills, turnover, fees FROM marts.fct_results ORDER BY 1"
    assert rows(database_url, results) == [
        ("busy", 1100.0, 900.0, 0.1, 2, Decimal(310), Decimal(1)),
        ("idle", None, None, None, 0, 0, 0),
    ]
    coverage = "SELECT bars_present, bars_missing, missing_causes, price_conflicts FROM marts.fct_coverage"
    assert rows(database_url, coverage) == [(29, 2, "no_trades", 0)]
