"""The dashboard's role reads every layer, writes its own schema, and adds commands to trading.commands: no more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from strades_pipelines.database.connection import (
    MissingRights,
    connect,
    create_databases,
    dashboard_database_url,
    database_url,
    server_url,
    working_dashboard_url,
)
from strades_pipelines.database.migrate import DBT_SCHEMAS, migrate
from strades_pipelines.database.roles import DASHBOARD_ROLE, SERVICE_ROLE
from strades_pipelines.installation import container
from strades_pipelines.installation.database_checks import check_dashboard
from strades_pipelines.settings import settings
from tests.database.test_roles import names

__all__ = ["names"]
NOW = datetime(2024, 1, 2, tzinfo=UTC)
COMMAND = """
    INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key)
    VALUES (%s, 'wallet', 'paper', 'ada', %s, NULL, '{}', '00000000-0000-4000-8000-000000000000')
"""

REQUEST = """
    INSERT INTO ops.data_requests (
        request_key, kind, requested_by, requested_at, reason, protocol, given, file_name, body
    ) VALUES (gen_random_uuid(), 'file', 'ada', %(at)s, %(reason)s, 'feed', %(given)s, 'x', '')
"""
CHOICE = """
    INSERT INTO trading.asset_choices VALUES (
        'paper', '2024-01-02', %(version)s, %(instruments)s, 'ada', %(at)s, 'x', gen_random_uuid()
    )
"""


@pytest.fixture
def dashboard(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the dashboard to a fresh database."""
    with connect(database_url, role=DASHBOARD_ROLE) as opened:
        opened.autocommit = True
        yield opened


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO trading.halts VALUES ('all', '', 'halted', NULL, now(), 1)",
        "UPDATE trading.wallets SET state = 'active'",
        "DELETE FROM trading.ledger",
        "UPDATE trading.commands SET outcome = 'done', finished_at = now()",
        "INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, arguments, outcome, finished_at) "
        "VALUES ('halt', 'all', '', 'ada', now(), '{}', 'halted', now())",
        "UPDATE ops.data_requests SET outcome = 'done', finished_at = now()",
        "UPDATE ops.data_verdicts SET is_accepted = true",
        "INSERT INTO records.candles SELECT * FROM records.candles",
        "INSERT INTO signals.decisions SELECT * FROM signals.decisions",
        "DELETE FROM rawsources.bodies",
        "UPDATE trading.asset_choices SET instruments = '{}'",
        "DELETE FROM trading.asset_choices",
        "TRUNCATE ops.events",
        "INSERT INTO ops.events VALUES ('order_filled:x', 'paper', 'strades', 'order_filled', '{}', now())",
        "UPDATE ops.bundle_requests SET outcome = 'verified', finished_at = now()",
        "INSERT INTO ops.bundle_requests (request_key, kind, bundle_sha256, body, requested_by, requested_at, outcome, "
        "finished_at) VALUES (gen_random_uuid(), 'verify', repeat('0', 64), '', 'ada', now(), 'verified', now())",
        "CREATE TABLE trading.own (id integer)",
        "CREATE TABLE public.own (id integer)",
        "CREATE SCHEMA own",
        "SET ROLE strades_app",
    ],
)
def test_it_changes_nothing_outside_its_schema(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        # As a login of that role: a superuser that acts as another role may become any other again.
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)


def test_it_asks_for_a_halt_by_a_row_and_reads_it_back(dashboard: psycopg.Connection[Any]) -> None:
    for kind in ("order", "adopt", "transfer"):
        with pytest.raises(psycopg.errors.CheckViolation):
            dashboard.execute(COMMAND, [kind, NOW])
    for kind in ("cancel", "flatten"):  # of one wallet alone
        with pytest.raises(psycopg.errors.CheckViolation):
            dashboard.execute(COMMAND.replace("'wallet', 'paper'", "'all', ''"), [kind, NOW])
    for never in ("infinity", "-infinity", "10000-01-01"):  # Python reads none of them
        with pytest.raises(psycopg.errors.CheckViolation):
            dashboard.execute(COMMAND, ["halt", never])
    dashboard.execute(COMMAND, ["halt", NOW])
    row = dashboard.execute("SELECT kind, name, requested_by, outcome FROM trading.commands").fetchone()
    assert row == ("halt", "paper", "ada", None)


def test_a_row_that_pages_cannot_read_is_refused(database_url: str) -> None:
    request: dict[str, Any] = {"at": "2024-01-02Z", "given": "{}", "reason": "x"}
    choice: dict[str, Any] = {"version": 1, "instruments": "{a}", "at": "2024-01-02Z"}
    refused: list[tuple[str, dict[str, Any]]] = [
        *((REQUEST, request | wrong) for wrong in (
            {"at": "infinity"}, {"at": "1999-01-01Z"}, {"at": "2201-01-01Z"}, {"at": "10000-01-01Z"},
            {"given": '{"a": []}'}, {"given": "[]"}, {"reason": "x" * 3_000},
        )),
        *((CHOICE, choice | wrong) for wrong in (
            {"version": 0}, {"version": 1_000_001}, {"instruments": "{{a}}"}, {"instruments": "{NULL}"},
            {"at": "infinity"}, {"at": "2201-01-01Z"},
        )),
    ]  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE trading.asset_choices DROP CONSTRAINT asset_choices_wallet_fkey")
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        for statement, row in refused:
            with pytest.raises(psycopg.errors.CheckViolation):
                owner.execute(statement, row)
        owner.execute(REQUEST, request)
        owner.execute(CHOICE, choice | {"instruments": "{}"})
        for verdict in ("infinity", "10000-01-01Z"):
            with pytest.raises(psycopg.errors.CheckViolation):
                owner.execute("INSERT INTO ops.data_verdicts SELECT request_id, true, 'ada', %s FROM ops.data_requests",
                              [verdict])  # fmt: skip


def test_its_schema_is_its_own(dashboard: psycopg.Connection[Any]) -> None:
    dashboard.execute("CREATE TABLE dashboard.notes (id integer)")
    dashboard.execute("INSERT INTO dashboard.notes VALUES (1)")
    assert dashboard.execute("SELECT id FROM dashboard.notes").fetchone() == (1,)


def test_it_reads_every_table_of_the_migrations(dashboard: psycopg.Connection[Any]) -> None:
    unread = dashboard.execute(
        """
        SELECT n.nspname || '.' || c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
            AND n.nspname NOT LIKE 'pg\\_%' AND NOT has_table_privilege(c.oid, 'SELECT')
        """
    ).fetchall()
    assert unread == []


@pytest.mark.parametrize("schema", DBT_SCHEMAS)
def test_it_reads_what_dbt_makes_later(dashboard: psycopg.Connection[Any], database_url: str, schema: str) -> None:
    with connect(database_url, role="strades_dbt") as dbt:
        dbt.execute(f"CREATE TABLE {schema}.made_later AS SELECT 1 AS one")
    assert dashboard.execute(f"SELECT one FROM {schema}.made_later").fetchone() == (1,)


def test_a_database_of_before_the_dashboard_is_opened_to_it(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET ROLE strades_dbt")
        owner.execute("CREATE TABLE marts.old AS SELECT 1 AS one")
        owner.execute("REVOKE ALL ON SCHEMA marts FROM strades_dashboard")
        owner.execute("REVOKE ALL ON ALL TABLES IN SCHEMA marts FROM strades_dashboard")
    migrate(database_url, world="sandbox")
    with connect(database_url, role=DASHBOARD_ROLE) as dashboard:
        assert dashboard.execute("SELECT one FROM marts.old").fetchone() == (1,)


@pytest.mark.usefixtures("names")
def test_it_logs_in_by_a_password_of_its_own() -> None:
    create_databases()
    migrate(database_url(), world="sandbox")
    url = dashboard_database_url()
    assert urlsplit(url).password not in (None, urlsplit(database_url()).password)
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT session_user, rolsuper, rolcreatedb, rolcreaterole, pg_has_role('strades_app', 'MEMBER'), "
            "rolconnlimit "
            "FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
        jit = connection.execute("SHOW jit").fetchone()
    assert row == (DASHBOARD_ROLE, False, False, False, False, 40)
    assert jit == ("off",)
    # Changed by hand it is named by `strades doctor`, and set anew by whatever starts the dashboard. In this test,
    # since roles are one for the server: no other test logs in so.
    with psycopg.connect(server_url(), autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {DASHBOARD_ROLE} PASSWORD 'changed by hand'")
    with pytest.raises(RuntimeError, match=r"cannot log in .*`strades up` or `strades dashboard serve` sets"):
        check_dashboard()
    assert working_dashboard_url() == url
    psycopg.connect(url).close()
    # Whoever shut it out on purpose is not overruled: not in haste, and not by a restart.
    with psycopg.connect(server_url(), autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {DASHBOARD_ROLE} NOLOGIN")
        try:
            for _attempt in range(2):
                with pytest.raises(MissingRights, match=f"`ALTER ROLE {DASHBOARD_ROLE} LOGIN`, as the server's owner"):
                    working_dashboard_url()
            assert container.dashboard_login() == url  # `migrate` goes on: trading waits for it
            with pytest.raises(RuntimeError, match=r"cannot log in .*as the server's owner, lets it in again"):
                check_dashboard()
            owner.execute(f"COMMENT ON ROLE {SERVICE_ROLE} IS 'roles of an older version'")
            create_databases()
            assert owner.execute(
                "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [DASHBOARD_ROLE]
            ).fetchone() == (False,)
        finally:
            owner.execute(f"ALTER ROLE {DASHBOARD_ROLE} LOGIN")
    assert working_dashboard_url() == url


def test_a_server_that_does_not_answer_keeps_no_other_part_waiting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    settings.cache_clear()
    assert container.dashboard_login() == dashboard_database_url()
    assert "until then the dashboard alone does not work" in capsys.readouterr().err
    settings.cache_clear()
