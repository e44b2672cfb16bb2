from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from strades_pipelines.database import migrate as migrate_module
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


def test_rows_of_the_schema_before_0012_stay_and_the_next_load_is_not_before_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < "0011":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
    older = urlunsplit(urlsplit(database_url)._replace(path="/older"))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(migrate_module, "MIGRATIONS", tmp_path)
            migrate(older, world="sandbox")
        with connect(older) as connection:
            connection.execute(
                "INSERT INTO records.listings VALUES (1, 'gateio', 'BTC_USDT', 'USD', 0.01, 1, 'raw', '24/7')"
            )
            connection.execute(
                "INSERT INTO records.candles VALUES (1, '1m', '2026-11-01', '2026-11-01T00:01Z', 1, 2, 1, 1, 1, 1, 1,"
                " '2026-11-01T00:01Z', 'stated', 7, '2026-11-20')"
            )
            connection.execute("INSERT INTO records.parses VALUES (7, '1', 'parsed', NULL, 1, 0)")
        assert migrate(older, world="sandbox") == len(list(MIGRATIONS.glob("*.sql"))) - 10
        with connect(older) as connection:
            assert connection.execute("SELECT listing_id, fetch_id FROM records.candles").fetchall() == [(1, 7)]
            assert connection.execute("SELECT listing_id, symbol FROM records.listings").fetchall() == [(1, "BTC_USDT")]
            newest = connection.execute("SELECT max(recorded_at) FROM records.parses").fetchone()
        assert newest == (datetime(2026, 11, 20, tzinfo=UTC),)
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE older WITH (FORCE)")
