"""The secrets of the environment are used, and stand in nothing that a failing run leaves or says."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from strades_pipelines.database.server import EmbeddedServer, binaries
from tests.end_to_end.installation import LONG, WINDOW, YEARS_LATER, installation, sandbox_at
from tests.end_to_end.test_bad_sources import YAHOO, command

pytestmark = pytest.mark.slow
# Letters and digits alone: their percent-encoded form is the same. Base64 of parts would need another search.
CANARIES = {name: f"C4nary{name}7731xq" for name in ("Database", "Hook", "Mail", "Provider")}


@contextmanager
def foreign_server() -> Iterator[tuple[EmbeddedServer, str]]:
    """A server that is not the installation's, and the URL of an owner whose password is a canary."""
    folder = Path(tempfile.mkdtemp(prefix="strades-foreign-"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "postgres")
    with psycopg.connect(server.start(), autocommit=True) as connection:
        password = sql.Literal(CANARIES["Database"])
        connection.execute(sql.SQL("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD {}").format(password))
    parts = urlsplit(server.url())
    try:
        yield (
            server,
            urlunsplit(parts._replace(netloc=f"keeper:{CANARIES['Database']}@{parts.hostname}:{parts.port}")),
        )
    finally:
        server.stop()


def data_of(server: EmbeddedServer) -> bytes:
    """The rows of every database of a server, as pg_dump writes them."""
    with psycopg.connect(server.url()) as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")]
    assert {"strades_sandbox", "dagster"} <= set(names)
    dumps = [[str(binaries() / "pg_dump"), "--data-only", server.url(name)] for name in names]
    return b"".join(subprocess.run(dump, stdout=subprocess.PIPE, check=True).stdout for dump in dumps)


def test_no_secret_is_left_by_a_run_that_fails() -> None:
    with sandbox_at(YEARS_LATER) as sandbox, foreign_server() as (server, url):
        secrets = {
            "DATABASE_URL": url,
            "STRADES_ALERT_WEBHOOK": f"http://127.0.0.1:1/{CANARIES['Hook']}",
            "STRADES_ALERT_SMTP": f"smtp://me:{CANARIES['Mail']}@127.0.0.1:1",
            "STRADES_ALERT_TO": "me@example.org",
            "PROVIDER_API_KEY": CANARIES["Provider"],
            "STRADES_SANDBOX_URL": sandbox,
        }
        with installation(without=(*LONG, "pages"), environment=secrets, clock=YEARS_LATER) as made:
            command(
                sandbox, "POST", "/-/misbehave", {"host": YAHOO, "path_prefix": "/", "kind": "html200", "times": None}
            )
            run = made.strades("run", *WINDOW, "--json", now=YEARS_LATER)
            assert run.returncode == 1
            assert json.loads(run.stdout)["failures"]
            doctor = made.strades("doctor", "--json")
            made.environment["DATABASE_URL"] = url.replace("7731", "7731wrong")
            refused = made.strades("run", *WINDOW, now=YEARS_LATER)
            assert refused.returncode != 0
            said = "".join(done.stdout + done.stderr for done in (run, doctor, refused)).encode()
            files = {str(path): path.read_bytes() for path in made.home.rglob("*") if path.is_file()}
            rows = data_of(server)
    assert b"yahoo" in rows
    assert [name for name in files if "partial_parse" in name]
    found = {
        (canary, place)
        for place, content in {**files, "the databases": rows, "what was said": said}.items()
        for canary, value in CANARIES.items()
        if value.encode().lower() in content.lower()
    }
    assert found == set()
