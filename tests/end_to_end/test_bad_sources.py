"""A source that misbehaves fails alone, in one line, and the next run completes it."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.installation import LONG, WINDOW, YEARS_LATER, Installation, installation, sandbox_at

pytestmark = pytest.mark.slow
YAHOO = "query1.finance.yahoo.com"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A sandbox server whose misbehaviour the tests command; its URL."""
    with sandbox_at(YEARS_LATER) as url:
        yield url


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
    url = {"STRADES_SANDBOX_URL": sandbox}
    with installation(without=(*LONG, "pages"), environment=url, clock=YEARS_LATER) as made:
        command(sandbox, "POST", "/-/misbehave", {"host": YAHOO, "path_prefix": "/", "kind": "html200", "times": None})
        done = made.strades("run", *WINDOW, "--json", now=YEARS_LATER)
        command(sandbox, "DELETE", "/-/misbehave")
        document = json.loads(done.stdout)
        assert done.returncode == 1
        assert [line for line in document["failures"] if line.startswith("rawsources/yahoo: ")] == document["failures"]
        assert counted(made, "(SELECT listing_id FROM cleaned.daily_bars) AS bars", "yahoo") == 0
        assert counted(made, "records.candles", "gateio") > 0
        assert counted(made, "records.candles", "yahoo") == 0
        made.run(now=YEARS_LATER)
        assert counted(made, "records.candles", "yahoo") > 0


def counted(made: Installation, table: str, venue: str) -> int:
    """Rows of a venue."""
    query = f"SELECT count(*) FROM {table} JOIN records.listings USING (listing_id) WHERE venue = %s"
    with made.connect() as connection:
        row = connection.execute(query, [venue]).fetchone()
    return int(row[0]) if row else 0
