"""Search finds what has a name or an id, asks twice at most, and takes one name at a time."""

from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.search.views import LONGEST_TEXT, problem_of
from tests.dashboard.conftest import ClientOf, decision_id


def test_names_and_ids_lead_to_their_pages(traded: psycopg.Connection[Any], client_of: ClientOf) -> None:
    traded.execute("INSERT INTO ops.runs VALUES ('5e1f-run', 'main', 'SUCCESS', NULL, now(), now())")
    [(fill,)] = traded.execute("SELECT fill_id FROM trading.fills").fetchall()
    traded.commit()
    client = client_of("viewer")
    for text, link in (
        ("btc", 'href="/markets/11/"'),
        ("gateio:ETH", 'href="/markets/12/"'),
        ("pap", 'href="/wallets/paper/"'),
        ("SMA_cross", 'href="/wallets/paper/"'),
        ("yahoo", "yahoo</a>"),
        ("5e1f-run", '<span class="id">5e1f-run</span>'),
        ("1", 'href="/bodies/1/"'),
        (decision_id(traded), f'href="/trace/{decision_id(traded)}/"'),
        (fill, f'href="/trace/{fill}/"'),
    ):
        with CaptureQueriesContext(connections["layers"]) as layers:
            page = client.get("/search/", {"q": text}).content.decode()
        assert link in page, text
        asked = [query["sql"] for query in layers.captured_queries if query["sql"] not in ("BEGIN", "COMMIT")]
        assert len(asked) <= 3, text  # with the one of the frame
    # A sign of LIKE is a letter here, and what is hostile is text.
    for text in ("%", "_x_", "<script>alert(1)</script>", "'; DROP TABLE trading.fills; --", "99999999999999999999"):
        page = client.get("/search/", {"q": text}).content.decode()
        assert "Nothing has this name or id" in page, text
        assert "<script" not in page
    for text in ("x" * (LONGEST_TEXT + 1), ",".join(["BTC_USDT"] * 10_000), "a\0b"):
        assert client.get("/search/", {"q": text}).status_code == 400, text[:20]


@pytest.mark.parametrize(("text", "is_taken"), [("", True), ("x" * 100, True), ("x" * 101, False), ("\0", False)])
def test_one_name_is_taken_and_no_list_of_them(text: str, is_taken: bool) -> None:
    assert (problem_of(text) is None) == is_taken
