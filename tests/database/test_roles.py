"""Services log in as a role without rights over the server; databases of older versions change owner to it."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from strades_pipelines.database import connection as places
from strades_pipelines.database.connection import MissingRights, create_databases, database_url, server_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.roles import SERVICE_ROLE, in_database
from strades_pipelines.settings import settings

PROGRAM = "COPY (SELECT 1) TO PROGRAM 'cat'"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Names for databases of a world and of Dagster that do not exist yet, on the test server."""
    server, name = os.environ["STRADES_TEST_SERVER"], f"world_{uuid4().hex[:12]}"
    dagster = f"dagster_{name}"
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", name)
    monkeypatch.setattr(places, "DAGSTER_DATABASE", dagster)
    monkeypatch.setenv("DATABASE_URL", server)
    settings.cache_clear()
    yield name, dagster
    with psycopg.connect(server, autocommit=True) as connection:
        for database in (name, dagster):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
    settings.cache_clear()


def session_rights() -> tuple[object, ...]:
    """The user of a service session, and whether it is a superuser, may create databases, may create roles."""
    with psycopg.connect(database_url()) as connection:
        row = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
    assert row is not None
    return row


def test_a_service_session_cannot_become_a_superuser(names: tuple[str, str]) -> None:
    create_databases()
    migrate(database_url(), world="sandbox")
    assert session_rights() == (SERVICE_ROLE, False, False, False)
    for escape in ("RESET ROLE", "SET ROLE NONE", "SET SESSION AUTHORIZATION DEFAULT", "DISCARD ALL"):
        with places.connect() as connection:
            connection.autocommit = True
            connection.execute(escape)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(PROGRAM)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT pg_read_file('/etc/passwd')")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SET SESSION AUTHORIZATION strades")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SET ROLE strades")


def test_databases_of_an_older_version_change_owner_and_keep_their_rows(names: tuple[str, str]) -> None:
    with psycopg.connect(server_url(), autocommit=True) as owner:
        for name in names:
            owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    dagster = in_database(server_url(), names[1])
    with psycopg.connect(dagster) as owner:
        owner.execute("CREATE TABLE runs (id bigserial PRIMARY KEY, body text)")
        owner.execute("INSERT INTO runs (body) VALUES ('kept')")
        owner.execute("CREATE VIEW newest AS SELECT * FROM runs")
    for _ in range(2):
        create_databases()
        migrate(database_url(), world="sandbox")
        with psycopg.connect(database_url(names[1])) as daily:
            assert daily.execute("INSERT INTO runs (body) VALUES ('new') RETURNING id").fetchone() is not None
            assert daily.execute("SELECT body FROM newest ORDER BY id LIMIT 1").fetchone() == ("kept",)
            daily.execute("ALTER TABLE runs ADD COLUMN more text")
            daily.rollback()


def test_sessions_of_every_client_have_the_settings_of_the_role(names: tuple[str, str]) -> None:
    create_databases()
    with psycopg.connect(database_url()) as connection:
        values = [connection.execute(f"SHOW {name}").fetchone() for name in ("jit", "client_connection_check_interval")]
    assert values == [("off",), ("2s",)]


def test_the_service_password_differs_from_the_owners(names: tuple[str, str]) -> None:
    owner = urlsplit(server_url())
    daily = urlsplit(database_url())
    assert owner.password
    assert daily.password not in (None, "", owner.password)
    assert (daily.hostname, daily.port, daily.username) == (owner.hostname, owner.port, SERVICE_ROLE)


def test_a_missing_right_of_the_owner_names_the_user_and_the_grant(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, user = os.environ["STRADES_TEST_SERVER"], f"poor_{names[0][-12:]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'secret_of_it'")
        try:
            monkeypatch.setenv(
                "DATABASE_URL", server.replace(server.partition("@")[0], f"postgresql://{user}:secret_of_it")
            )
            settings.cache_clear()
            with pytest.raises(
                MissingRights, match=f"^user {user} of .*ALTER ROLE {user} CREATEDB CREATEROLE$"
            ) as raised:
                create_databases()
        finally:
            connection.execute(f"DROP ROLE {user}")
    assert "secret" not in str(raised.value)


@pytest.mark.usefixtures("names")
def test_a_url_of_the_service_role_is_enough_without_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    create_databases()
    migrate(database_url(), world="sandbox")
    service = database_url()
    monkeypatch.setenv("DATABASE_URL", service)
    settings.cache_clear()
    create_databases()
    assert database_url() == service
    assert database_url(places.DAGSTER_DATABASE) == in_database(service, places.DAGSTER_DATABASE)
    assert session_rights()[0] == SERVICE_ROLE
