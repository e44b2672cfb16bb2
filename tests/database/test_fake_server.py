"""A program that takes the embedded server's port while the server is down gets no password from any client."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import psycopg
import pytest
from dagster_postgres.utils import create_pg_engine
from sqlalchemy.exc import OperationalError
from yoyo import get_backend

from strades_pipelines.database.backup import call_tool
from strades_pipelines.database.connection import adbc_connect, connect, session_url
from strades_pipelines.database.migrate import _yoyo_url
from strades_pipelines.database.psql import environment, psql_program
from strades_pipelines.database.roles import service_url
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.resources import dbt_project
from tests.database.fake_server import Transcript, fake_server

PASSWORD = "a-password-of-twenty-four-letters"


@pytest.fixture
def transcript() -> Iterator[Transcript]:
    """What the fake server was sent."""
    with fake_server() as found:
        yield found


@pytest.fixture
def server(transcript: Transcript, tmp_path: Path) -> EmbeddedServer:
    """An embedded server that ended without a word (power, kill -9), and whose port another program took since."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    (tmp_path / "port").write_text(str(transcript.port))
    (tmp_path / "password").write_text(PASSWORD)
    return EmbeddedServer(tmp_path)


def with_psql(url: str) -> None:
    """Run the `psql` of `strades db psql`."""
    subprocess.run([psql_program(), "-c", "SELECT 1"], env=environment(url), check=False, capture_output=True)


CLIENTS: dict[str, Callable[[str], object]] = {
    "psycopg": connect,
    "ADBC": adbc_connect,
    "SQLAlchemy of Dagster": lambda url: create_pg_engine(session_url(url)).connect(),
    "yoyo": lambda url: get_backend(_yoyo_url(url)),
    "psql": with_psql,
    "pg_dump": lambda url: call_tool("pg_dump", ["--schema-only"], url),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_sends_a_password_in_clear_text(server: EmbeddedServer, transcript: Transcript, client: str) -> None:
    for url in (server.url(), service_url(server.url(), "strades")):
        with suppress(psycopg.OperationalError, OperationalError, _adbc_error()):
            CLIENTS[client](url)
    assert transcript.startups, "the client did not connect"
    assert transcript.passwords() == []


def test_dbt_sends_no_password_in_clear_text(
    server: EmbeddedServer, transcript: Transcript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_project, "_dbt_lock", lambda url: nullcontext())  # psycopg would connect before dbt
    dbt_project.invoke(["run", "--select", "daily_bars"], url=service_url(server.url(), "strades"), target=tmp_path)
    assert transcript.startups
    assert transcript.passwords() == []


def test_a_port_is_not_asked_whose_process_is_no_server(server: EmbeddedServer, transcript: Transcript) -> None:
    assert not server.running()
    assert transcript.startups == []


def _adbc_error() -> type[Exception]:
    from adbc_driver_manager import OperationalError as Error

    error: type[Exception] = Error
    return error
