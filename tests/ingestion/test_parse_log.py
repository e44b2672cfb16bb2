"""What became of each body: its rejects, and those of an earlier parser that went."""

from datetime import timedelta
from typing import Any

import psycopg

from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import NOW, Store, gate_body, gate_row

Connection = psycopg.Connection[Any]
LATER = NOW + timedelta(hours=1)
REJECTS = "SELECT fetch_id, location, reason, raw FROM records.rejects ORDER BY location"


def test_bad_rows_are_kept_as_rejects_and_good_ones_loaded(
    store: Store, connection: Connection, database_url: str
) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1, close=500.0), gate_row(2)))
    summary = load_stored(url=database_url, now=LATER)
    assert (summary.rejects, summary.tables["records.candles"].inserted) == (1, 2)
    assert connection.execute("SELECT outcome, records, rejects FROM records.parses").fetchall() == [("parsed", 2, 1)]
    rows = connection.execute(REJECTS).fetchall()
    assert [row[:3] for row in rows] == [(fetch_id, "/1", "close_outside_range")]
    assert '"500.0"' in rows[0][3]


def test_a_body_that_is_parsed_again_loses_what_an_earlier_parser_rejected(
    store: Store, connection: Connection, database_url: str
) -> None:
    fetch_id = store(gate_body(gate_row(0), gate_row(1, close=500.0)))
    load_stored(url=database_url, now=LATER)
    connection.execute(
        "INSERT INTO records.rejects (fetch_id, location, reason, raw) VALUES (%s, '/0', 'old', '')", [fetch_id]
    )
    connection.commit()
    load_stored(url=database_url, now=LATER + timedelta(hours=1), fetch_ids=[fetch_id], reparse=True)
    assert [row[1] for row in connection.execute(REJECTS).fetchall()] == ["/1"]
