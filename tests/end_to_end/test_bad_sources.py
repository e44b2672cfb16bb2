"""A source that misbehaves fails alone, in one line, and the next run completes it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from strades_pipelines.ports import free_port
from tests.end_to_end.graphql import wait_for
from tests.end_to_end.installation import LONG, NOON, PROJECT, WINDOW, Installation, installation

pytestmark = pytest.mark.slow
YAHOO = "query1.finance.yahoo.com"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A sandbox server whose misbehaviour the tests command; its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {**os.environ, "STRADES_SANDBOX_URL": url, "STRADES_SANDBOX_NOW": NOON}
    process = subprocess.Popen([sys.executable, "-m", "sandbox"], env=environment, cwd=PROJECT)
    try:
        wait_for("the sandbox", lambda: command(url, "GET", "/-/health"), seconds=30, pause=0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def command(url: str, method: str, path: str, document: dict[str, Any] | None = None) -> Any:
    """What the sandbox's own interface answers; None while it is not there."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)
    except OSError:
        return None


def test_a_page_in_place_of_data_fails_its_source_alone_and_the_next_run_completes_it(sandbox: str) -> None:
    with installation(without=(*LONG, "pages"), environment={"STRADES_SANDBOX_URL": sandbox}) as made:
        command(sandbox, "POST", "/-/misbehave", {"host": YAHOO, "path_prefix": "/", "kind": "html200", "times": None})
        done = made.strades("run", *WINDOW, "--json", now=NOON)
        command(sandbox, "DELETE", "/-/misbehave")
        document = json.loads(done.stdout)
        assert done.returncode == 1
        assert [line for line in document["failures"] if line.startswith("rawsources/yahoo: ")] == document["failures"]
        assert document["rows"]["cleaned"] == 0
        assert counted(made, "records.candles", "gateio") > 0
        assert counted(made, "records.candles", "yahoo") == 0
        made.run()
        assert counted(made, "records.candles", "yahoo") > 0


def counted(made: Installation, table: str, venue: str) -> int:
    """Rows of a venue."""
    query = f"SELECT count(*) FROM {table} JOIN records.listings USING (listing_id) WHERE venue = %s"
    with made.connect() as connection:
        row = connection.execute(query, [venue]).fetchone()
    return int(row[0]) if row else 0
