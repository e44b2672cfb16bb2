"""Django on a fresh database for each test, with a client for each role.

Django is set up once a process, on the server of the tests; each test points its connections at a database of its own.
"""

import base64
import hmac
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from filelock import FileLock

from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import settings
from tests.brokerage.conftest import START, add_candles, market, wallet
from tests.brokerage.test_trading_context import filled

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["add_candles", "filled", "market", "wallet"]
NAMES = "STRADES_DASHBOARD_DATABASE", "STRADES_HOME"
PASSWORD = "correct horse 42"
BODY = b'[["1704153600","1","<script>alert(1)</script>"]]'
CLOCK = START + timedelta(minutes=30)
ClientOf = Callable[..., "Client"]
NEWS_TABLE = """
    CREATE TABLE cleaned.news (
        source text, article_id text, listing_id integer, title text, url text, published_at timestamptz,
        knowledge_time timestamptz, fetch_id bigint, recorded_at timestamptz, session_date date
    )
"""


def pytest_configure() -> None:
    """Set Django up, without a trace in the environment of other tests."""
    before = {name: os.environ.get(name) for name in NAMES}
    os.environ["STRADES_DASHBOARD_DATABASE"] = os.environ["STRADES_TEST_SERVER"]
    os.environ["STRADES_HOME"] = str(home())
    os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    settings.cache_clear()
    import django

    django.setup()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    settings.cache_clear()


def home() -> Path:
    """A home of this process."""
    return Path(os.environ["STRADES_TEST_FOLDER"]) / f"dashboard-{os.getpid()}"


def point_at(url: str) -> None:
    """Have Django's connections use the database of a URL."""
    from django.db import connections

    for alias in ("default", "layers"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = urlsplit(url).path[1:]
    os.environ["STRADES_DASHBOARD_DATABASE"] = url
    settings.cache_clear()


@contextmanager
def restored() -> Iterator[None]:
    """The environment as it was, afterwards: other folders' tests ask where the dashboard's database is, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRADES_DASHBOARD_DATABASE", "")
        yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def template(template: str) -> str:
    """The name of a migrated database with the dashboard's tables, which tests clone; made once a run."""
    from dashboard.prepare import prepare_files, prepare_tables

    server, name = os.environ["STRADES_TEST_SERVER"], "template_dashboard"
    with FileLock(Path(os.environ["STRADES_TEST_FOLDER"]) / "dashboard.lock"):
        with psycopg.connect(server, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f"CREATE DATABASE making_dashboard TEMPLATE {template}")
                with restored():
                    point_at(urlunsplit(urlsplit(server)._replace(path="/making_dashboard")))
                    prepare_tables()
                connection.execute(f"ALTER DATABASE making_dashboard RENAME TO {name}")
        prepare_files()
    return name


@pytest.fixture(scope="session", autouse=True)
def catalogues() -> None:
    """The texts in French, before a test reads one: Django keeps what it found at the first look."""
    from django.conf import settings as django_settings

    import dashboard
    from dashboard.prepare import compile_translations

    compile_translations(Path(dashboard.__file__).parent / "locale", django_settings.LOCALE_PATHS[0])


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The dashboard on a fresh database, at a moment that is held; gives the database's URL."""
    from django.core.cache import cache
    from django.db import connections
    from django.utils import translation

    monkeypatch.setenv("STRADES_SANDBOX_NOW", CLOCK.isoformat())
    monkeypatch.setenv("STRADES_HOME", str(home()))
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", "1")  # where nothing listens: no test asks an installation's Dagster
    with restored():
        point_at(database_url)
        cache.clear()
        # Tests send hundreds of forms a minute as one person; test_rate_limits.py has the limits as they are served.
        monkeypatch.setattr("dashboard.rate_limits.OF_PERSON", "100000/m/user")
        monkeypatch.setattr("dashboard.rate_limits.OF_ADDRESS", "100000/m/ip")
        monkeypatch.setattr("dashboard.rate_limits.EXPORTS", "100000/h/user")
        yield database_url
        translation.activate("en")
        connections.close_all()


@cache
def hashed_password() -> str:
    """The hash of PASSWORD, made once: half a second of processor time, as a good one needs."""
    from django.contrib.auth.hashers import make_password

    return str(make_password(PASSWORD))


@pytest.fixture
def client_of(site: str) -> ClientOf:
    """Makes an account and gives a browser that is signed in with it, by default with a second factor."""
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.test import Client

    from dashboard.accounts.models import User
    from dashboard.accounts.roles import Role

    def make(role: str | None, name: str = "", *, second_factor: bool = True, **options: Any) -> Client:
        client = Client(SERVER_NAME="127.0.0.1", **options)
        if role is not None:
            user = User.objects.create(pseudo=name or role, password=hashed_password(), role=Role(role))
            if second_factor:
                TOTP.activate(user, generate_totp_secret())
            client.force_login(user)
        return client

    return make


@pytest.fixture
def traded(filled: psycopg.Connection[Any], site: str) -> psycopg.Connection[Any]:
    """A wallet that bought 2 at 102 and decided to hold 3; its bars come from a stored body, fetch 1."""
    store(filled, 1, BODY, at=CLOCK - timedelta(minutes=2))
    return filled


def store(connection: psycopg.Connection[Any], fetch_id: int, body: bytes, *, at: datetime, url: str = "") -> None:
    """Keep a body as the answer of Gate.io to a fetch."""
    with connection.cursor() as cursor:
        sha256 = keep_body(cursor, body)
        cursor.execute(
            "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, status, "
            "fetched_at, outcome, sha256, run_id) "
            "VALUES (%s, 'gateio', 'gateio_candles', %s, %s, '{}', '2024-01-01', 200, %s, 'stored', %s, 'run')",
            [fetch_id, str(fetch_id), url or "https://api.gateio.ws/candles?x=1", at, sha256],
        )
    connection.commit()


def decision_id(connection: psycopg.Connection[Any]) -> str:
    """The id of the decision that was filled."""
    row = connection.execute(
        "SELECT decision_id FROM trading.intents ORDER BY intended_at, intent_id LIMIT 1"
    ).fetchone()
    connection.commit()
    assert row is not None
    return str(row[0])


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as the application's role sees them."""
    with connect(url) as connection:
        return connection.execute(query).fetchall()


def totp(secret: str) -> str:
    """The code of RFC 6238 (SHA-1, 30 s, six digits) for now."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


NOW = datetime(2024, 1, 2, tzinfo=UTC)
