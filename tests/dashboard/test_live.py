"""Parts of a page that the browser reads again: they cost no more than the page, and nothing without a change."""

import gzip
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

import dashboard
from dashboard.accounts.connections import end
from dashboard.accounts.models import Connection as SignIn
from tests.dashboard.conftest import ClientOf

Connection = psycopg.Connection[Any]
STATIC = Path(dashboard.__file__).parent / "static" / "dashboard"
PATHS = ["/", "/wallets/paper/", "/automation/", "/agenda/"]
ASK = {"X-Strades-Part": "live"}


def part_of(page: str) -> str:
    """The live element of a page with its content, then band and chip of its frame; without white space."""
    found = page.partition('<div id="live"')[2].partition('<script src="/static/dashboard/live')[0].rstrip()
    frame = re.findall(r'<div id="live-band".*?</div>|<span id="live-halts">.*?</span>', page, re.DOTALL)
    assert len(frame) == 2
    return "".join(f'<div id="live"{found} {" ".join(frame)}'.split())


@pytest.mark.parametrize("path", PATHS)
def test_the_part_alone_is_that_of_the_page_and_304_while_nothing_changes(
    path: str, traded: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    page = client.get(path)
    part = client.get(path, headers=ASK)
    assert "".join(part.content.decode().split()) == part_of(page.content.decode())
    assert "<html" not in part.content.decode()
    version = part["ETag"]
    assert f'data-version="{version.replace(chr(34), "&quot;")}"' in part.content.decode()
    same = client.get(path, headers={**ASK, "If-None-Match": version})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", version)
    assert unquote(same["X-Strades-As-Of"]) in unquote(part["X-Strades-As-Of"])


def test_a_change_is_sent_and_announced(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    before = client.get("/", headers=ASK)
    assert "decisions since midnight: 2;" in before.content.decode()
    traded.execute("ALTER TABLE signals.decisions DISABLE TRIGGER USER")
    traded.execute("UPDATE signals.decisions SET decided_at = decided_at - interval '3 days'")
    traded.commit()
    after = client.get("/", headers={**ASK, "If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert "decisions since midnight: 0;" in after.content.decode()


def test_a_halt_and_the_mode_of_the_band_come_with_the_part_where_nothing_else_changed(
    traded: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    before = client.get("/agenda/", headers=ASK)
    assert "wallet halted" not in before.content.decode()
    traded.execute("UPDATE trading.wallets SET mode = 'live', state = 'halted'")
    traded.commit()
    after = client.get("/agenda/", headers={**ASK, "If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert "1 wallet halted" in after.content.decode()
    assert "LIVE · real money is traded" in after.content.decode()


def test_a_message_waits_for_a_page_that_is_seen(client_of: ClientOf) -> None:
    client = client_of("viewer")
    page = client.get("/settings/").content.decode()
    client.post("/settings/", {"seen": page.partition('name="seen" value="')[2].partition('"')[0], "name": "Ada"})
    for path in ("/", "/agenda/"):
        assert "Saved." not in client.get(path, headers=ASK).content.decode()
    assert "Saved." in client.get("/settings/").content.decode()
    assert "Saved." not in client.get("/settings/").content.decode()


def test_the_button_to_pause_is_hidden_until_the_script_shows_it(client_of: ClientOf) -> None:
    page = client_of("viewer").get("/").content.decode()
    assert re.search(r'<button[^>]* id="live-pause"[^>]* hidden>', page)
    # An author's `display` of a button would be stronger than the browser's own rule for the attribute.
    assert re.search(r"\[hidden\] *\{ *display: none !important;? *\}", (STATIC / "strades.css").read_text())


@pytest.mark.parametrize("path", PATHS)
def test_a_part_asks_the_database_at_most_a_dozen_times(path: str, traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    client.get(path, headers=ASK)
    with (
        CaptureQueriesContext(connections["default"]) as own,
        CaptureQueriesContext(connections["layers"]) as layers,
    ):
        assert client.get(path, headers=ASK).status_code == 200
    queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    assert len([query for query in queries if query not in ("BEGIN", "COMMIT")]) <= 12


def test_a_part_is_refused_to_who_may_not_see_the_page(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer", "ada")
    version = client.get("/", headers=ASK)["ETag"]
    end(SignIn.objects.all())
    for asking in (client, Client(SERVER_NAME="127.0.0.1")):
        for path in PATHS:
            answer = asking.get(path, headers={**ASK, "If-None-Match": version})
            assert (answer.status_code, answer.content) == (302, b"")  # which the script takes for a reload


@pytest.mark.parametrize("path", PATHS)
def test_a_page_that_reads_itself_again_weighs_at_most_25_kb_zipped(
    path: str, traded: Connection, client_of: ClientOf
) -> None:
    page = client_of("admin").get(path).content
    files = [STATIC / name for name in ("strades.css", "live.js", "strades.svg")]
    weight = sum(len(gzip.compress(content, 6)) for content in [page, *(file.read_bytes() for file in files)])
    assert weight <= 25_000, weight
    assert [Path(name).stem for name in re.findall(r'src="/static/dashboard/([\w.]+)\.\w+\.js"', page.decode())] == [
        "live"
    ]
