"""Answers with HTTP 200 that are no data: a page, a text, an error as JSON. None is a record or settles a question."""

import json
from collections.abc import Callable

import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.fetch_log import read_fetch_log
from strades_pipelines.datamanager.protocols import load_protocol, protocol_names
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion import fuzz
from tests.ingestion.conftest import NOW, gate_body, gate_row

PAGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment</title></head><body><h1>503</h1><p>Try later.</p></body></html>"
)
ERRORS = {
    "a page": PAGE,
    "a text": b"Please limit requests to one every 5 seconds.",
    "nothing but a blank": b" \n",
    "an error as JSON": json.dumps({"error": "limit", "message": "limit", "code": -1003, "label": "limit"}).encode(),
    "an error in an array": json.dumps([{"error": "limit"}]).encode(),
    "a text as JSON": b'"limit exceeded"',
    "null": b"null",
}
ASKED = [name for name in protocol_names() if not name.startswith("manual_")]


@pytest.mark.parametrize("name", ASKED)
def test_6_no_page_text_or_error_is_read_as_data(name: str) -> None:
    for body in ERRORS.values():
        with pytest.raises(BodyRefused):
            parse(load_protocol(name), body, given=fuzz.specimen(name).given, fetched_at=fuzz.NOW)


def test_6_a_question_that_was_answered_with_an_error_is_open_until_there_is_data(
    database_url: str, store: Callable[..., int]
) -> None:
    window = (NOW.replace(day=1, hour=0), NOW.replace(day=1, hour=16))
    for number, body in enumerate(ERRORS.values()):
        store(body, request_key=f"question {number}", run_id=f"run {number}", window=window)
    store(gate_body(gate_row(0)), request_key="answered", window=window)
    done = load_stored(url=database_url, now=NOW)
    assert (len(done.refused), done.parsed) == (len(ERRORS), 1)
    keys = ["answered", *(f"question {number}" for number in range(len(ERRORS)))]
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM records.candles").fetchone() == (1,)
        assert list(read_fetch_log(connection, "gateio", keys)) == ["answered"]
