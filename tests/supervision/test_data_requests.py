"""`strades up` takes in what was asked for in a child, and gives up what kills the child."""

import signal
import subprocess
from typing import Any

import psycopg
import pytest

from strades_pipelines.supervision import data_requests
from tests.ingestion.conftest import GATE, Store, store
from tests.ingestion.test_data_requests import BAR, MANUAL_BAR, ask, outcome, records

__all__ = ["store"]
Connection = psycopg.Connection[Any]


def test_a_child_carries_out_what_waits(
    store: Store, connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_requests, "running_url", lambda _: database_url)
    assert data_requests.carry_out_in_child(connection) == {}
    request = ask(connection, records(BAR), protocol="manual_candle", source="manual", given=dict(GATE))
    assert data_requests.carry_out_in_child(connection) == {request: "done: records.candles: 1 new, 0 revised"}


@pytest.mark.parametrize(("code", "is_given_up"), [(-signal.SIGSEGV, True), (-signal.SIGTERM, False), (1, False)])
def test_what_kills_its_reader_is_given_up_and_what_was_stopped_waits(
    store: Store,
    connection: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    is_given_up: bool,
) -> None:
    monkeypatch.setattr(data_requests, "running_url", lambda _: database_url)
    dead = subprocess.CompletedProcess([], code, "", "Traceback\nValueError: a fault of ours\n")
    monkeypatch.setattr("subprocess.run", lambda *_arguments, **_options: dead)
    first, second = ask(connection, b"x", **MANUAL_BAR), ask(connection, records(BAR), **MANUAL_BAR)
    if is_given_up:
        [(given_up, told)] = data_requests.carry_out_in_child(connection).items()
        assert (given_up, told) == (first, "not done: the process that read its bytes ended with signal 11")
    else:
        with pytest.raises(RuntimeError, match="a fault of ours"):
            data_requests.carry_out_in_child(connection)
    assert outcome(connection, second) == (None, True)
