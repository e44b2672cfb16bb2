"""A throw-away PostgreSQL for the whole run, and a fresh migrated database for each test that asks for one."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import hypothesis
import psutil
import psycopg
import pytest
from filelock import FileLock
from psycopg import sql

from strades_pipelines.database.connection import WORLD_DATABASES, adbc_connect, connect
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

PROJECT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("STRADES_SHARED", PROJECT.parent / "shared"))
SERVER = pytest.StashKey[EmbeddedServer]()
# How long an example takes says how busy the machine is, not whether the code is right.
# In CI the examples are the same each time: what fails there is the change's fault; new ones are looked for at home.
hypothesis.settings.register_profile("strades", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("strades")
# Tests count the rows that are read. Autovacuum comes once a minute, in slow runs only, and changes plans and counts.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
# Cloning a database makes hundreds of files: on a disk that is half of what a test with one costs.
MEMORY = Path("/dev/shm")
ROOM = 8 * 2**30


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The first process starts the server; xdist's workers find it, and the folder of all, by the environment."""
    gc.disable()  # until all is collected: a quarter of what that costs
    if "STRADES_TEST_SERVER" not in os.environ:
        within = MEMORY if "TMPDIR" not in os.environ and memory_has_room() else None
        folder = Path(tempfile.mkdtemp(prefix="strades-test-", dir=within))
        folder.chmod(0o1777)  # whoever a test becomes may write there, as in /tmp
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        server = EmbeddedServer(folder / "postgres", FAST)
        os.environ["STRADES_TEST_SERVER"] = server.start()
        os.environ["STRADES_TEST_FOLDER"] = str(folder)
        config.stash[SERVER] = server


def memory_has_room() -> bool:
    """Whether temporary files can lie in memory; in a container there is often little, or nothing there may be run."""
    if not (sys.platform == "linux" and os.access(MEMORY, os.W_OK) and MEMORY.is_mount()):
        return False
    found = os.statvfs(MEMORY)
    can_run = not found.f_flag & os.ST_NOEXEC
    return can_run and found.f_bavail * found.f_frsize > ROOM and psutil.virtual_memory().available > ROOM


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this run started."""
    server = config.stash.get(SERVER, None)
    if server is not None:
        server.stop()
        shutil.rmtree(os.environ.pop("STRADES_TEST_FOLDER"), ignore_errors=True)
        del os.environ["STRADES_TEST_SERVER"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Where the shared data is promised, a skip is a failure: nothing hides in a green run."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and "STRADES_SHARED" in os.environ:
        report.outcome = "failed"


def pytest_runtest_setup() -> None:
    """Processes that a test starts heed signals, whatever this run, or a test before, was made to ignore."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("end_to_end" not in item.nodeid, item.path not in slow))


def pytest_collection_finish() -> None:
    """What is imported by now stays; to look through it for garbage again and again is a tenth of a compilation."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path="/" + database))


@pytest.fixture(scope="session")
def template() -> str:
    """The name of a migrated database that tests clone; made once a run."""
    url = os.environ["STRADES_TEST_SERVER"]
    with (
        FileLock(Path(os.environ["STRADES_TEST_FOLDER"]) / "template.lock"),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'template_strades'").fetchone():
            create_roles(connection)
            connection.execute("CREATE DATABASE making_template")
            migrate(_named(url, "making_template"), world="sandbox")
            connection.execute("ALTER DATABASE making_template RENAME TO template_strades")
    return "template_strades"


@contextmanager
def cloned(template: str, name: str = "") -> Iterator[str]:
    """Make a database, copied from one that nobody is connected to, for a while; gives its URL."""
    server = os.environ["STRADES_TEST_SERVER"]
    name = name or f"test_{uuid4().hex[:12]}"
    copy = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(copy).format(sql.Identifier(name), sql.Identifier(template)))
        yield _named(server, name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    """The URL of a fresh migrated database of the sandbox world."""
    with cloned(template) as url:
        yield url


@pytest.fixture
def own_world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The fresh database as that of this world, where commands and parts find it by the settings; gives its URL."""
    monkeypatch.setenv("DATABASE_URL", os.environ["STRADES_TEST_SERVER"])
    monkeypatch.setitem(WORLD_DATABASES, "sandbox", urlsplit(database_url).path.removeprefix("/"))
    settings.cache_clear()
    yield database_url
    settings.cache_clear()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection to a fresh database."""
    with connect(database_url) as opened:
        yield opened


@pytest.fixture
def adbc(database_url: str) -> "Iterator[AdbcConnection]":
    """An ADBC connection to a fresh database."""
    with adbc_connect(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data and recorded payloads kept beside the project; a skip where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        if "STRADES_SHARED" in os.environ:
            pytest.fail(f"STRADES_SHARED={SHARED} has no data folder")
        pytest.skip(f"no shared data at {data}; set STRADES_SHARED")
    return data


@pytest.fixture
def give_settings() -> Iterator[Callable[..., None]]:
    """Sets variables of the environment as a user does (`sandbox_now="..."`), and lets them be read."""
    with pytest.MonkeyPatch.context() as patch:

        def give(**values: str) -> None:
            for name, value in values.items():
                patch.setenv(f"STRADES_{name.upper()}", value)
            settings.cache_clear()

        yield give
    settings.cache_clear()
