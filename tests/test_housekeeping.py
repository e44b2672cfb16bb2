"""Every night: old events go, assets keep their months, and what is missing or failed is told."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.brokerage.trading_rows import insert, line_row
from strades_pipelines.datamanager.cron import longest_wait
from strades_pipelines.datamanager.inventory import Stretch, stretches_of, write_inventory
from strades_pipelines.defs.maintenance.housekeeping import (
    create_month_partitions,
    delete_expired_sessions,
    inventory,
    verify_audit,
    verify_ledgers,
)
from strades_pipelines.market.ledger_chain import chain, deposit
from strades_pipelines.partitions import MONTHS, SINGLE_RUN
from strades_pipelines.resources.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = dg.AssetKey(["cleaned", "daily_bars"])
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


@dg.asset(key=KEY, partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def bars(context: dg.AssetExecutionContext) -> None:
    """Fails in February 2012."""
    if context.partition_key == "2012-02-01":
        raise ValueError("a bad month")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    """An instance on which January and April 2012 were made, and February failed."""
    made = dg.DagsterInstance.ephemeral()
    for month in ("2012-01-01", "2012-02-01", "2012-04-01"):
        dg.materialize([bars], partition_key=month, instance=made, raise_on_error=False)
    return made


def test_the_inventory_tells_what_is_there_missing_and_failed(instance: dg.DagsterInstance) -> None:
    found = [(one.first, one.last, one.status) for one in inventory(instance, [KEY], NOW)]
    assert found == [
        (date(1999, 1, 1), date(2011, 12, 1), "missing"),
        (date(2012, 1, 1), date(2012, 1, 1), "materialized"),
        (date(2012, 2, 1), date(2012, 2, 1), "failed"),
        (date(2012, 3, 1), date(2012, 3, 1), "missing"),
        (date(2012, 4, 1), date(2012, 4, 1), "materialized"),
        (date(2012, 5, 1), date(2026, 11, 1), "missing"),
    ]


def test_the_night_makes_the_partitions_of_this_month_and_the_next(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    create_month_partitions(dg.build_op_context(), database=Database(url=database_url))
    parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'rawsources.frames'::regclass"
    assert connection.execute(parts).fetchone() == (3,)


def test_the_inventory_of_a_later_night_takes_the_place_of_the_one_before(
    connection: "psycopg.Connection[Any]",
) -> None:
    def night(states: str, now: datetime) -> list[tuple[Any, ...]]:
        words = {"m": "materialized", "f": "failed", "-": "missing"}
        months = [(date(2012, month, 1), words[state]) for month, state in enumerate(states, 1)]
        write_inventory(connection, stretches_of("a/b", months), now=now)
        query = "SELECT status, months, recorded_at FROM ops.partition_inventory ORDER BY first_month"
        return connection.execute(query).fetchall()

    assert night("mmf-", NOW) == [("materialized", 2, NOW), ("failed", 1, NOW), ("missing", 1, NOW)]
    later = NOW + timedelta(days=1)
    assert night("mmmm", later) == [("materialized", 4, later)]
    assert night("mmmm", later + timedelta(days=1)) == [("materialized", 4, later)]


def test_a_stretch_counts_its_months() -> None:
    months = [(date(2012, 1, 1), "failed"), (date(2012, 2, 1), "failed")]
    assert stretches_of("a/b", months) == [Stretch("a/b", date(2012, 1, 1), date(2012, 2, 1), "failed", 2)]


@pytest.mark.parametrize(
    ("cron", "wait"),
    [
        ("*/15 * * * *", timedelta(minutes=15)),
        ("30 21 * * 1-5", timedelta(days=3)),
        ("30 16 * * 1", timedelta(weeks=1)),
        ("0 0 1 1 *", timedelta(days=45)),
    ],
)
def test_a_source_may_be_as_old_as_its_schedule_lets_it_be(cron: str, wait: timedelta) -> None:
    assert longest_wait(cron) == wait


def test_the_night_deletes_the_sessions_that_are_over_and_no_other(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    def clean() -> None:
        delete_expired_sessions(dg.build_op_context(), database=Database(url=database_url))

    clean()  # a world whose dashboard was never served
    connection.execute("SET ROLE strades_dashboard")
    connection.execute(
        "CREATE TABLE dashboard.django_session AS SELECT key AS session_key, now() + after AS expire_date "
        "FROM (VALUES ('over', interval '-1 second'), ('open', interval '1 minute')) AS v (key, after)"
    )
    connection.execute("RESET ROLE")
    connection.commit()
    clean()
    connection.execute("SET ROLE strades_dashboard")
    assert connection.execute("SELECT session_key FROM dashboard.django_session").fetchall() == [("open",)]


def test_the_nightly_verification_fails_for_an_edited_ledger(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    connection.execute(
        'INSERT INTO trading.wallets (wallet, mode, broker, strategy, parameters, instruments, "interval", code_hash, '
        "currency, opening_cash, fee_rate, opened_at, max_decision_age) "
        "VALUES ('w', 'replay', 'replay', 's', '{}', '{}', '1m', 'c', 'USD', 100, 0, %s, '1 hour')",
        [NOW],
    )
    for line in chain("w", [deposit("w", Decimal(100), "USD", NOW)]):
        insert(connection, "trading.ledger", line_row(line, "w"))
    insert(connection, "trading.cash", {"wallet": "w", "currency": "USD", "balance": 100, "updated_at": NOW})
    connection.commit()

    def verify() -> None:
        verify_ledgers(dg.build_op_context(), database=Database(url=database_url))

    verify()
    connection.execute("ALTER TABLE trading.ledger DISABLE TRIGGER append_only")
    connection.execute("UPDATE trading.ledger SET reference = 'v'")
    connection.commit()
    with pytest.raises(dg.Failure, match="3 faults: wallet w: line 0: its hash does not cover what it says"):
        verify()


def test_the_nightly_verification_says_where_the_audit_was_touched(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    def verify() -> None:
        verify_audit(dg.build_op_context(), database=Database(url=database_url))

    verify()  # a world without accounts
    for change in ("made as viewer", "admin", "saved /wallets/paper/fills.csv"):
        connection.execute(
            "INSERT INTO audit.account_changes (changed_at, changed_by, person_id, change) VALUES (%s, 'ada', 1, %s)",
            [NOW, change],
        )
    connection.commit()
    verify()
    connection.execute("ALTER TABLE audit.account_changes DISABLE TRIGGER append_only")
    connection.execute("UPDATE audit.account_changes SET change = 'viewer' WHERE sequence = 2")
    connection.commit()
    with pytest.raises(dg.Failure, match=r"^row 2 of audit.account_changes was changed: its hash is another; compare"):
        verify()
    connection.execute("DELETE FROM audit.account_changes WHERE sequence = 2")
    connection.commit()
    with pytest.raises(dg.Failure, match=r"^row 3 of audit.account_changes follows row 1: rows between are gone; comp"):
        verify()
