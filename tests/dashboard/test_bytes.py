"""From a decision to the bytes: the rows of `strades trace`, the hash of what is stored, and a file to save."""

from datetime import timedelta
from typing import Any

import psycopg

from strades_pipelines.lineage import trace_one
from tests.dashboard.conftest import BODY, CLOCK, ClientOf, decision_id

Connection = psycopg.Connection[Any]


def test_a_decision_leads_to_its_bytes_in_two_clicks(traded: Connection, site: str, client_of: ClientOf) -> None:
    traded.execute(
        "UPDATE signals.decisions SET inputs = inputs || jsonb_build_object('bars', jsonb_build_object("
        "'listing_id', 11, 'interval', '1m', 'first_open_time', '2024-01-02T00:00:00Z', "
        "'last_open_time', '2024-01-02T00:01:00Z'))"
    )
    traded.commit()
    client = client_of("viewer")
    page = client.get(f"/decisions/{decision_id(traded)}/").content.decode()
    expected = trace_one(decision_id(traded), site)
    assert [fetch["fetch_id"] for fetch in expected["fetches"]] == [1]
    assert "/bodies/1/" in page
    body = client.get("/bodies/1/").content.decode()
    assert expected["fetches"][0]["sha256"] in body
    assert "the stored bytes still have this hash" in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


def test_a_fill_and_an_order_have_the_same_page(traded: Connection, client_of: ClientOf) -> None:
    [(fill, intent)] = traded.execute("SELECT fill_id, intent_id FROM trading.fills").fetchall()
    traded.commit()
    client = client_of("viewer")
    for identity in (fill, intent):
        page = client.get(f"/trace/{identity}/").content.decode()
        assert "Why this trade" in page
        assert str(intent) in page


def test_bytes_are_saved_as_a_file_and_never_shown_as_a_page(traded: Connection, client_of: ClientOf) -> None:
    response = client_of("viewer").get("/bodies/1/download/")
    assert response.content == BODY
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="fetch-1.bin"'
    assert response["X-Content-Type-Options"] == "nosniff"


def test_bytes_that_changed_are_said_to(traded: Connection, client_of: ClientOf) -> None:
    with traded.cursor() as cursor:
        from strades_pipelines.database.body_store import keep_body

        other = keep_body(cursor, b"other bytes of the same name")
        cursor.execute("UPDATE rawsources.bodies AS b SET body = o.body FROM rawsources.bodies AS o "
                       "WHERE o.sha256 = %s AND b.sha256 <> o.sha256", [other])  # fmt: skip
    traded.commit()
    page = client_of("viewer").get("/bodies/1/").content.decode()
    assert "still have this hash" not in page
    assert '<b class="bad">■ ' in page


def test_what_is_not_there_is_not_found(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    for path in ("/bodies/2/", f"/bodies/{2**63}/", f"/bodies/{2**63}/download/", "/decisions/NOPE/", "/trace/%00/",
                 "/markets/99/", f"/markets/{2**31}/"):  # fmt: skip
        assert client.get(path).status_code == 404, path


def test_the_clock_hides_what_was_not_known_yet(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    [(first,)] = traded.execute("SELECT min(knowledge_time) FROM records.candles WHERE listing_id = 11").fetchall()
    traded.commit()
    as_of = first.strftime("%Y-%m-%dT%H:%M")
    page = client.get(f"/markets/11/?interval=1m&as_of={as_of}").content.decode()
    # One bar was known when the first one closed; the chart has it and the table too.
    assert page.count('<g class="') == 1
    assert client.get("/markets/11/").content.decode().count('<g class="') > 1


def test_a_time_that_cannot_be_is_said_and_not_guessed(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    later = (CLOCK + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    for text, said in (("2012-02-30T10:00", "expected a time"), ("x", "expected a time"), (later, "still to come")):
        response = client.get("/markets/11/", {"as_of": text})
        assert response.status_code == 400
        assert said in response.content.decode()
