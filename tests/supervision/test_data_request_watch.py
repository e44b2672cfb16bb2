"""`strades up` takes in what was asked for in a child, and gives up what kills the child."""

import signal
import subprocess
from typing import Any

import psycopg
import pytest

from strades_pipelines.supervision import data_request_watch
from tests.ingestion.conftest import GATE, Store, store
from tests.ingestion.test_data_requests import BAR, MANUAL_BAR, ask, outcome, records

__all__ = ["store"]
Connection = psycopg.Connection[Any]
DONE_BAR = "done: records.candles: 1 new, 0 revised"


def test_a_child_carries_out_what_waits(store: Store, connection: Connection, own_world: str) -> None:
    assert data_request_watch.carry_out_data_requests(connection) == {}
    request = ask(connection, records(BAR), protocol="manual_candle", source="manual", given=dict(GATE))
    assert data_request_watch.carry_out_data_requests(connection) == {request: DONE_BAR}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (-signal.SIGSEGV, "not done: the process that read its bytes ended with signal 11"),
        (-signal.SIGTERM, None),
        (1, None),
    ],
)
def test_what_kills_its_reader_is_given_up_and_what_was_stopped_waits(
    store: Store,
    connection: Connection,
    own_world: str,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    told: str | None,
) -> None:
    dead = subprocess.CompletedProcess([], code, "", "Traceback\nValueError: a fault of ours\n")
    run = subprocess.run
    first, second = ask(connection, b"x", **MANUAL_BAR), ask(connection, records(BAR), **MANUAL_BAR)
    monkeypatch.setattr(
        "subprocess.run",
        lambda command, **options: dead if command[-1] == str(first) else run(command, **options),
    )
    if told is not None:
        assert data_request_watch.carry_out_data_requests(connection) == {first: told, second: DONE_BAR}
    else:
        with pytest.raises(RuntimeError, match="a fault of ours"):
            data_request_watch.carry_out_data_requests(connection)
    # A fault of ours takes no other request's turn; a stop ends it for all.
    assert outcome(connection, second)[0] == (None if code == -signal.SIGTERM else DONE_BAR)
    assert outcome(connection, first)[0] == told
