"""What a command needs before it works, also where the last one was killed while it made that."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from strades_pipelines.installation.install import dagster_home, make_dagster_tables
from strades_pipelines.orchestration.pools import pools
from strades_pipelines.settings import settings


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty database, which is that of Dagster in a home of its own."""
    server, name = os.environ["STRADES_TEST_SERVER"], f"test_{uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    settings.cache_clear()
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    monkeypatch.setenv("DAGSTER_PG_URL", url)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield url
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    settings.cache_clear()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement in a connection of its own; {} in it is the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.SQL(statement).format(sql.Identifier(connection.info.dbname)))
        return cursor.fetchall() if cursor.description else []


def test_a_half_made_set_of_tables_is_made_anew(empty: str) -> None:
    make_dagster_tables(empty)
    whole = execute(empty, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    assert ("asset_check_executions",) in whole
    execute(empty, "COMMENT ON DATABASE {} IS NULL")
    execute(empty, "DROP TABLE asset_check_executions, alembic_version")
    execute(empty, "CREATE TABLE of_others AS SELECT 1 AS x")
    make_dagster_tables(empty)
    again = execute(empty, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    assert [row for row in again if row != ("of_others",)] == whole
    assert execute(empty, "SELECT x FROM of_others") == [(1,)]


def test_a_whole_set_without_the_mark_stays_as_it_is(empty: str) -> None:
    make_dagster_tables(empty)
    execute(empty, "COMMENT ON DATABASE {} IS NULL")
    before = execute(empty, "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    make_dagster_tables(empty)
    after = execute(empty, "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    assert after == before


def test_runs_that_are_there_stay(empty: str) -> None:
    make_dagster_tables(empty)
    with dg.DagsterInstance.get() as instance:
        instance.run_storage.add_run(dg.DagsterRun(job_name="some"))
    execute(empty, "COMMENT ON DATABASE {} IS NULL")
    for _ in range(2):
        make_dagster_tables(empty)
        assert execute(empty, "SELECT pipeline_name FROM runs") == [("some",)]


FIRST_START = """
import os
from strades_pipelines.installation.install import make_dagster_tables, make_missing_pools
from strades_pipelines.orchestration.pools import pools
make_dagster_tables(os.environ["DAGSTER_PG_URL"])
make_missing_pools(os.environ["DAGSTER_PG_URL"])
"""

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_two_first_starts_at_once_make_each_pool_once(empty: str) -> None:
    make_dagster_tables(empty)
    with psycopg.connect(empty) as blocker:
        # Both read which pools there are before either can write one.
        blocker.execute("LOCK TABLE concurrency_limits IN EXCLUSIVE MODE")
        starts = [subprocess.Popen([sys.executable, "-c", FIRST_START], stderr=PIPE) for _ in range(2)]
        while execute(empty, WAITING) != [(2,)]:
            assert all(start.poll() is None for start in starts)
            time.sleep(0.1)
    for start in starts:
        told = start.communicate()[1]
        assert start.returncode == 0, told
    names = execute(empty, "SELECT concurrency_key FROM concurrency_limits ORDER BY 1")
    assert [name for (name,) in names] == sorted(pools())
