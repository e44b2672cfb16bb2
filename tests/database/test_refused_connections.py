"""A database that cannot be reached or entered is one line, without the password."""

from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.database.errors import cause
from strades_pipelines.system.ports import free_port

CANARY = "C4nary7731xq"


def test_what_is_refused_is_said_without_the_password(database_url: str) -> None:
    parts = urlsplit(database_url)
    netlocs = {
        "password authentication failed": f"strades:{CANARY}@{parts.hostname}:{parts.port}",
        "refused": f"strades:{CANARY}@127.0.0.1:{free_port()}",
        "nowhere.invalid": f"strades:{CANARY}@nowhere.invalid:5432",
    }
    for said, netloc in netlocs.items():
        with pytest.raises(psycopg.OperationalError) as refused:
            connect(urlunsplit(parts._replace(netloc=netloc)))
        line = cause(str(refused.value))
        assert said in line
        assert len(line.splitlines()) == 1
        assert CANARY not in str(refused.value)


def test_a_role_without_rights_is_told_so(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"DROP ROLE IF EXISTS idle; CREATE ROLE idle LOGIN PASSWORD '{CANARY}'")
        parts = urlsplit(database_url)
        url = urlunsplit(parts._replace(netloc=f"idle:{CANARY}@{parts.hostname}:{parts.port}"))
        try:
            with pytest.raises(psycopg.Error, match="permission denied") as refused, connect(url) as connection:
                connection.execute("SELECT 1 FROM rawsources.fetches")
        finally:
            owner.execute("DROP ROLE idle")
    assert CANARY not in str(refused.value)
