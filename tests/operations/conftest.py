"""A world with rows of its own, on the server of the tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from strades_pipelines.database import connection as places
from strades_pipelines.database import restore
from strades_pipelines.database.connection import create_databases, database_url
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.settings import settings
from tests.conftest import cloned
from tests.ingestion.conftest import NOW, add_listing, gate_body, gate_row, store_body
from tests.research.bars import Run, runner


@pytest.fixture
def world(template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a sandbox world with rows, in a database of its own name on the server of the tests."""
    name = f"world_{uuid4().hex[:12]}"
    monkeypatch.setenv("DATABASE_URL", os.environ["STRADES_TEST_SERVER"])
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", name)
    # Other processes of the tests are at work in Dagster's database of this server, which no restore here is about.
    monkeypatch.setattr(restore, "DAGSTER_DATABASE", name)
    settings.cache_clear()
    with cloned(template, name):
        create_databases()
        with psycopg.connect(database_url()) as connection:
            add_listing(connection, "gateio", "BTC_USDT")
        store_body(database_url(), gate_body(gate_row(0), gate_row(1)))
        load_stored(url=database_url(), now=NOW)
        yield database_url()
    settings.cache_clear()


@pytest.fixture
def strades(world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`strades` with such words, in that world and a home of its own."""
    for name in ("DAGSTER_HOME", "DAGSTER_PG_URL", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")  # what a command sets is taken back after the test
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    return runner(monkeypatch, capsys)
