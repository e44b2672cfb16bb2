from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.database.migrate import MIGRATIONS, WorldMismatch, migrate
from strades_pipelines.database.roles import DBT_ROLE


def test_migrating_again_does_nothing(database_url: str) -> None:
    assert migrate(database_url, world="sandbox") == 0


def test_a_migration_that_was_killed_holds_nobody_up(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4242)")
    assert migrate(database_url, world="sandbox") == 0


def test_migrations_at_once_are_applied_once(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE twice")
    empty = urlunsplit(urlsplit(database_url)._replace(path="/twice"))
    try:
        with ThreadPoolExecutor() as pool:
            applied = list(pool.map(lambda _: migrate(empty, world="sandbox"), range(3)))
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE twice WITH (FORCE)")
    assert sorted(applied)[:2] == [0, 0]
    assert max(applied) == len(list(MIGRATIONS.glob("*.sql")))


def test_the_database_of_another_world_is_refused(database_url: str) -> None:
    with pytest.raises(WorldMismatch, match="expected the world 'live', was 'sandbox'; set STRADES_WORLD"):
        migrate(database_url, world="live")


def test_dbt_may_read_records_and_not_write_them(database_url: str) -> None:
    with connect(database_url, role=DBT_ROLE) as connection:
        assert connection.execute("SELECT count(*) FROM records.listings").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM records.listings")


def test_the_application_may_read_what_dbt_makes_and_not_write_it(database_url: str) -> None:
    with connect(database_url, role=DBT_ROLE) as connection:
        connection.execute("CREATE TABLE cleaned.made AS SELECT 1 AS x")
    with connect(database_url) as connection:
        assert connection.execute("SELECT x FROM cleaned.made").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM cleaned.made")
