"""A source that misbehaves fails alone, the next run completes it, and neither leaves a secret anywhere."""

import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import binaries
from tests.end_to_end.installation import LONG, WINDOW, YEARS_LATER, Installation, installation, sandbox_at

pytestmark = pytest.mark.slow
YAHOO = "query1.finance.yahoo.com"
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


@dataclass
class Failed:
    """A run of which a source sent pages in place of data; the source is well again."""

    installation: Installation
    server: EmbeddedServer
    database: str
    done: "subprocess.CompletedProcess[str]"

    def count(self, table: str, venue: str) -> int:
        """Rows of a venue."""
        query = f"SELECT count(*) FROM {table} JOIN records.listings USING (listing_id) WHERE venue = %s"
        with psycopg.connect(self.server.url("strades_sandbox")) as connection:
            row = connection.execute(query, [venue]).fetchone()
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def failed() -> Iterator[Failed]:
    """A failed run with secrets in its environment."""
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
            done = made.strades("run", *WINDOW, "--json", now=YEARS_LATER)
            command(sandbox, "DELETE", "/-/misbehave")
            yield Failed(made, server, url, done)


def command(url: str, method: str, path: str, document: dict[str, Any] | None = None) -> None:
    """Tell the sandbox's own interface how to behave."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    urllib.request.urlopen(request, timeout=30).close()


def test_a_page_in_place_of_data_fails_its_source_alone(failed: Failed) -> None:
    document = json.loads(failed.done.stdout)
    assert failed.done.returncode == 1
    assert document["failures"]
    assert [line for line in document["failures"] if line.startswith("rawsources/yahoo: ")] == document["failures"]
    assert failed.count("(SELECT listing_id FROM cleaned.daily_bars) AS bars", "yahoo") == 0
    assert failed.count("records.candles", "gateio") > 0
    assert failed.count("records.candles", "yahoo") == 0


def test_no_secret_is_left_by_a_run_that_fails(failed: Failed) -> None:
    made = failed.installation
    doctor = made.strades("doctor", "--json")
    made.environment["DATABASE_URL"] = failed.database.replace("7731", "7731wrong")
    refused = made.strades("run", *WINDOW, now=YEARS_LATER)
    made.environment["DATABASE_URL"] = failed.database
    assert refused.returncode != 0
    said = "".join(done.stdout + done.stderr for done in (failed.done, doctor, refused)).encode()
    files = {str(path): path.read_bytes() for path in made.home.rglob("*") if path.is_file()}
    rows = data_of(failed.server)
    assert b"yahoo" in rows
    assert [name for name in files if "partial_parse" in name]
    found = {
        (canary, place)
        for place, content in {**files, "the databases": rows, "what was said": said}.items()
        for canary, value in CANARIES.items()
        if value.encode().lower() in content.lower()
    }
    assert found == set()


def test_the_next_run_completes_it(failed: Failed) -> None:
    failed.installation.run(now=YEARS_LATER)
    assert failed.count("records.candles", "yahoo") > 0
