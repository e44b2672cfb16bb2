"""What people ask to change is carried out once: bytes, then rows, then the outcome; a kill in between is safe."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from adbc_driver_manager import Error as AdbcError

from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.lineage.trace import trace_all
from tests.datamanager.conftest import document
from tests.ingestion.conftest import GATE, NOW, Store, gate_body, gate_row

Connection = psycopg.Connection[Any]
LATER = NOW + timedelta(hours=1)
BAR = {"open_time": "2026-11-01T00:00:00+00:00", "open": "100", "high": "102", "low": "99", "close": "101.25"}
MANUAL_BAR: dict[str, Any] = {"protocol": "manual_candle", "source": "manual", "given": {**GATE}}
ASK = """
    INSERT INTO ops.data_requests (
        request_key, kind, requested_by, requested_at, reason, protocol, source, given, file_name, body
    ) VALUES (
        %(key)s, %(kind)s, 'dashboard:ada', %(at)s, 'a slip', %(protocol)s, %(source)s, %(given)s, 'x.json', %(body)s
    )
    RETURNING request_id
"""
COUNTS = """
    SELECT (SELECT count(*) FROM rawsources.fetches), (SELECT count(*) FROM records.candles),
        (SELECT count(*) FROM records.candle_revisions)
"""


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """One website of Gate.io candles with one instrument."""
    (tmp_path / "Sources.json").write_text(json.dumps(document()))
    return load_sources(tmp_path / "Sources.json")


def records(*items: dict[str, str]) -> bytes:
    """The bytes of a record by hand."""
    return json.dumps({"reason": "a slip", "records": items}).encode()


def ask(
    connection: Connection,
    body: bytes,
    *,
    protocol: str,
    source: str | None,
    given: dict[str, str],
    verdict: bool | None = True,
    kind: str = "record",
) -> int:
    """A request with the verdict of an admin, None for none."""
    row = {"key": uuid4(), "kind": kind, "at": NOW, "body": body, "protocol": protocol, "source": source}
    [request_id] = connection.execute(ASK, row | {"given": json.dumps(given)}).fetchone() or (0,)
    if verdict is not None:
        connection.execute(
            "INSERT INTO ops.data_verdicts VALUES (%s, %s, 'dashboard:bob', %s)", [request_id, verdict, NOW]
        )
    connection.commit()
    return int(request_id)


def outcome(connection: Connection, request_id: int) -> tuple[Any, ...]:
    """Outcome, and whether bytes wait in the request."""
    found: tuple[Any, ...] | None = connection.execute(
        "SELECT outcome, octet_length(body) > 0 FROM ops.data_requests WHERE request_id = %s", [request_id]
    ).fetchone()
    connection.commit()
    assert found is not None
    return found


def test_a_correction_is_a_version_whose_bytes_and_predecessor_stay(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    store(gate_body(gate_row(0), gate_row(1)))
    load_stored(url=database_url, now=NOW)
    request = ask(connection, records(BAR), **MANUAL_BAR)
    assert carry_out_requests(database_url, sources, clock=lambda: LATER) == {
        request: "done: records.candles: 0 new, 1 revised"
    }
    stands = connection.execute("SELECT close, recorded_at FROM records.candles ORDER BY open_time LIMIT 1").fetchone()
    before = connection.execute("SELECT close, superseded_at FROM records.candle_revisions").fetchall()
    assert (stands, before) == ((101.25, LATER), [(101.0, LATER)])
    assert outcome(connection, request) == ("done: records.candles: 0 new, 1 revised", False)
    assert trace_all(database_url)["faults"] == []  # the stored bytes say what is in the table
    assert carry_out_requests(database_url, sources, clock=lambda: LATER) == {}


def test_a_value_that_is_typed_in_today_was_not_known_before(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    value = {"series": "OWN:CPI", "event_time": "2026-10-31", "value": "3.10", "unit": "percent"}
    ask(connection, records(value), protocol="manual_observation", source="manual", given={"lag_days": "23"})
    [told] = carry_out_requests(database_url, sources, clock=lambda: NOW).values()
    assert told == "done: records.observations: 1 new, 0 revised"
    row = connection.execute("SELECT series, value, unit, knowledge_time FROM records.observations").fetchone()
    assert row == ("OWN:CPI", 3.1, "percent", datetime(2026, 11, 23, tzinfo=UTC))


def test_a_value_that_waited_was_not_known_before_it_was_taken_in(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    value = {"series": "OWN:CPI", "event_time": "1950-01-31", "value": "3.10", "unit": "percent"}
    bodies = records(value), records(value | {"series": "OWN:GDP"})
    waits, refused = (ask(connection, b, protocol="manual_observation", source="manual", given={}) for b in bodies)
    connection.execute("ALTER TABLE records.observations RENAME TO away")  # the bytes are stored, and cannot be loaded
    connection.commit()
    for request in (waits, refused):
        with pytest.raises((psycopg.Error, AdbcError)):
            carry_out_requests(database_url, sources, clock=lambda: NOW, only=request)
        assert outcome(connection, request) == (None, True)
    connection.execute("ALTER TABLE records.away RENAME TO observations")
    connection.execute(
        "INSERT INTO records.parses (fetch_id, parser_version, outcome, error, records, rejects, recorded_at) "
        "SELECT fetch_id, '1', 'refused', 'too deep', 0, 0, %s FROM rawsources.fetches WHERE sha256 = %s",
        [NOW, hashlib.sha256(bodies[1]).digest()],
    )
    connection.commit()
    told = carry_out_requests(database_url, sources, clock=lambda: NOW + timedelta(days=9))
    assert told == {
        waits: "done: records.observations: 1 new, 0 revised",
        refused: "not done: too deep; the bytes are stored",
    }
    # Known from the day after its bytes were stored, whatever was typed in and accepted when.
    rows = connection.execute("SELECT series, knowledge_time FROM records.observations").fetchall()
    assert rows == [("OWN:CPI", datetime(2026, 11, 23, tzinfo=UTC))]
    assert connection.execute(COUNTS).fetchone() == (2, 0, 0)


def test_what_cannot_be_read_says_why_and_stores_nothing(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    before = connection.execute(COUNTS).fetchone()
    wrong = [
        ask(connection, b"<html>", **MANUAL_BAR),
        ask(connection, records(BAR), protocol="no_such", source="manual", given={}),
        ask(connection, records(BAR), protocol="manual_candle", source="manual", given=GATE | {"symbol": "NO_SUCH"}),
        ask(connection, gate_body(gate_row(0)), protocol="gateio_candles", source="nobody", given=GATE),
        ask(connection, gate_body(gate_row(0)), protocol="gateio_candles", source=None, given={}),
        ask(connection, records(BAR | {"close": "103"}), **MANUAL_BAR),
        ask(connection, records(BAR | {"open_time": NOW.isoformat()}), **MANUAL_BAR),
        ask(connection, b"[]", protocol="manual_observation", source="manual", given={}),
    ]
    found = carry_out_requests(database_url, sources, clock=lambda: NOW)
    assert list(found) == wrong
    assert all(told.startswith("not done: ") and "\n" not in told for told in found.values()), found
    assert "close_outside_range" in found[wrong[5]]
    assert "once it has closed" in found[wrong[6]]
    assert connection.execute(COUNTS).fetchone() == before
    assert outcome(connection, wrong[0])[1]  # the bytes stay where they can be looked at


def test_only_what_an_admin_accepted_is_carried_out(
    store: Store, connection: Connection, database_url: str, sources: Sources
) -> None:
    waiting = ask(connection, records(BAR), **MANUAL_BAR, verdict=None)
    declined = ask(connection, records(BAR), **MANUAL_BAR, verdict=False)
    assert carry_out_requests(database_url, sources, clock=lambda: NOW) == {}
    assert [outcome(connection, request) for request in (waiting, declined)] == [(None, True)] * 2


@pytest.mark.parametrize("point", ["records.request_kept", "records.request_finished"])
def test_a_request_that_is_killed_is_carried_out_once(
    store: Store, connection: Connection, database_url: str, sources: Sources, tmp_path: Path, point: str
) -> None:
    ask(connection, gate_body(gate_row(0), gate_row(1)), protocol="gateio_candles", source=None, given=dict(GATE))
    code = (
        "from datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from strades_pipelines.datamanager.sources import load_sources\n"
        "from strades_pipelines.ingestion.data_requests import carry_out_requests\n"
        f"carry_out_requests({database_url!r}, load_sources(Path({str(tmp_path / 'Sources.json')!r})),"
        " clock=lambda: datetime(2026, 11, 22, 13, tzinfo=UTC))"
    )
    environment = os.environ | {"STRADES_CRASH_AT": point, "STRADES_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    died = subprocess.run(command, env=environment, start_new_session=True, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    told = carry_out_requests(database_url, sources, clock=lambda: LATER)
    assert all(outcome.startswith("done: ") for outcome in told.values())
    assert connection.execute(COUNTS).fetchone() == (1, 2, 0)
