"""Sessions name their process, end with it, and outlive no client."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from threading import Thread

import psycopg
import pytest

from strades_pipelines.database.connection import (
    adbc_connect,
    application_name,
    connect,
    session_url,
    terminate_own_backends,
)
from tests.dbt_project.building import run_dbt
from tests.waiting import MOMENT, wait_until

SLEEP = """
import sys
from strades_pipelines.database.connection import adbc_connect, connect
with {opened}(sys.argv[1]) as connection:
    connection.cursor().execute("SELECT pg_sleep(600)")
"""


@pytest.fixture
def sleeper(database_url: str) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Starts a process of ours that waits for a long query."""
    started = []

    def start(opened: str) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([sys.executable, "-c", SLEEP.format(opened=opened), database_url]))
        wait_until(lambda: sleeping(database_url) == 1)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def sleeping(url: str) -> int:
    """How many sessions of the database run the long query."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'active' AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("opened", ["connect", "adbc_connect"])
def test_a_client_killed_with_9_leaves_no_query_running(
    database_url: str, sleeper: Callable[[str], "subprocess.Popen[bytes]"], opened: str
) -> None:
    sleeper(opened).send_signal(signal.SIGKILL)
    wait_until(lambda: sleeping(database_url) == 0, seconds=8)


def test_this_processs_sessions_are_ended_from_another_thread_and_no_others(
    database_url: str, sleeper: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    other = sleeper("connect")
    ended = []

    def query() -> None:
        with pytest.raises(psycopg.errors.AdminShutdown) as raised, connect(database_url) as connection:
            connection.execute("SELECT pg_sleep(600)")
        ended.append(raised.value)

    thread = Thread(target=query)
    thread.start()
    wait_until(lambda: sleeping(database_url) == 2)
    terminate_own_backends(database_url)
    thread.join(MOMENT)
    assert len(ended) == 1
    assert other.poll() is None
    assert sleeping(database_url) == 1


def test_ending_sessions_of_a_server_that_is_not_there_says_nothing(free_tcp_port_url: str) -> None:
    begun = time.monotonic()
    terminate_own_backends(free_tcp_port_url)
    assert time.monotonic() - begun < 5


@pytest.fixture
def free_tcp_port_url() -> str:
    """The URL of a server that nobody runs."""
    return "postgresql://strades:secret@127.0.0.1:1/postgres"


def test_every_kind_of_session_names_the_process(database_url: str) -> None:
    query = "SELECT current_setting('application_name')"
    with connect(database_url) as connection:
        assert connection.execute(query).fetchone() == (application_name(),)
    with adbc_connect(database_url) as adbc, adbc.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchone() == (application_name(),)
    assert str(os.getpid()) in application_name().split(":")


def test_dbts_sessions_name_the_process(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as watcher:
        names = set()
        thread = Thread(target=run_dbt, args=[database_url, ("run", "--select", "stg_records__listings")])
        thread.start()
        while thread.is_alive():
            names |= {
                name
                for (name,) in watcher.execute(
                    "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query LIKE '/* {%\"dbt_version\"%'"
                )
            }
            time.sleep(0.005)
    assert names == {application_name()}


def test_what_a_url_says_stays() -> None:
    url = "postgresql://u:p@h/d?sslmode=verify-full&keepalives_idle=5&sslrootcert=/a+b%20c&application_name=mine"
    query = session_url(url).partition("?")[2].split("&")
    assert query[:3] == ["sslmode=verify-full", "keepalives_idle=5", "sslrootcert=/a+b%20c"]
    assert len([pair for pair in query if pair.startswith(("application_name=", "keepalives_idle="))]) == 2
    assert query[-1] == f"application_name={application_name()}"
    assert session_url(session_url(url)) == session_url(url)
