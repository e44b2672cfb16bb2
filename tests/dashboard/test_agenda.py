"""The agenda of a day is ops.agenda, page by page; hostile addresses are not found."""

import html
import json
import re
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from dashboard.gateway.agenda import parse_entry_place
from dashboard.scheduler import agenda
from tests.brokerage.conftest import rows
from tests.dashboard.conftest import ClientOf

HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_day_is_shown_in_order_and_paged_without_a_gap(
    traded: psycopg.Connection[Any], client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    traded.execute(
        "INSERT INTO ops.ticks SELECT 'tick' || n, '2024-01-02 00:25Z'::timestamptz + n * interval '1 minute', "
        "CASE WHEN n < 6 THEN 'SUCCESS' ELSE 'planned' END, NULL, false FROM generate_series(0, 9) AS n"
    )
    traded.execute(
        "INSERT INTO ops.runs VALUES ('run1', %s, 'FAILURE', NULL, '2024-01-02 00:25Z', '2024-01-02 00:26Z')", [HOSTILE]
    )
    traded.commit()
    client = client_of("viewer")
    day = "starts_at >= '2024-01-02 00:00Z' AND starts_at < '2024-01-03 00:00Z'"
    expected = rows(traded, f"SELECT what FROM ops.agenda WHERE {day} ORDER BY starts_at, kind, what, reference")
    monkeypatch.setattr(agenda, "SHOWN_ENTRIES", 4)
    found, address, pages = [], "?day=2024-01-02", 0
    while address and pages < 20:
        page = client.get(f"/agenda/{address}").content.decode()
        assert "<img" not in page
        cells = re.findall(r'<td class="because">(?:<a[^>]*>)?([^<]*)', page)
        assert len(cells) <= 4
        found += [html.unescape(cell) for cell in cells]
        links = re.findall(r'rel="next" href="(\?day=2024-01-02[^"]*after[^"]*)"', page)
        address, pages = html.unescape(links[0]) if links else "", pages + 1
    assert found == [what for (what,) in expected]
    assert len(found) >= 12
    only_runs = client.get("/agenda/?day=2024-01-02&kind=run").content.decode()
    assert ("■ failure" in only_runs, "tick1" in only_runs) == (True, False)
    today = client.get("/agenda/").content.decode()
    assert "Agenda 2024-01-02" in today
    for wrong in ("day=2024-02-30", "day=0001-01-01", "day=9999-12-31", "kind=x", "after=x", "after=%5B1%5D"):
        assert client.get(f"/agenda/?{wrong}").status_code == 404, wrong


def test_a_place_in_the_agenda_is_four_texts_and_an_instant_with_a_zone() -> None:
    good = ["2024-01-02T00:25:00+00:00", "run", "a", ""]
    assert parse_entry_place(json.dumps(good)) is not None
    for wrong in ("", "[]", "{}", "null", "[" * 100_000, json.dumps(good[:3]), json.dumps(["2024-01-02", *good[1:]]),
                  json.dumps([*good[:3], "\0"]), json.dumps([*good[:3], 1]), quote(json.dumps(good))):  # fmt: skip
        assert parse_entry_place(wrong) is None, wrong
