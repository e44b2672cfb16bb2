"""The way to Dagster: its operations are those of the installed schema, and whatever it answers is a state."""

import time
from collections.abc import Iterator

import pytest
from graphql import parse, validate

from dashboard.gateway import dagster
from dashboard.gateway.dagster import OPERATIONS, Breaker, DagsterDown, DagsterRefused, ask
from strades_pipelines.settings import settings
from strades_pipelines.system.ports import free_port
from tests.dashboard.recorded import Recorded, recorded_dagster


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A webserver of recorded answers at the address that is asked; the breaker is closed, whatever was before."""
    dagster.breaker.note(None)
    with recorded_dagster() as recorded, monkeypatch.context() as patch:
        patch.setenv("STRADES_WEBSERVER_PORT", str(recorded.port))
        settings.cache_clear()
        yield recorded
    settings.cache_clear()


def test_every_operation_is_one_of_the_installed_schema() -> None:
    from dagster_graphql.schema import create_schema

    schema = create_schema().graphql_schema
    files = sorted(OPERATIONS.glob("*.graphql"))
    assert files
    for file in files:
        assert [str(error) for error in validate(schema, parse(file.read_text()))] == [], file.name


def test_no_answer_is_a_state_that_says_whether_it_may_have_been_carried_out(
    served: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster, "READ_SECONDS", 0.2)
    monkeypatch.setattr(dagster, "WRITE_SECONDS", 0.2)
    served.answers |= {"Run": 0.5, "TerminateRun": 0.5, "Backfill": b"<html>", "StopSensor": b"[" * 50_000}
    for name, expected, is_unknown in (
        ("run", "Run", False),
        ("terminate_run", "TerminateRunSuccess", True),
        ("backfill", "PartitionBackfill", False),
        ("stop_sensor", "StopSensorMutationResult", True),
    ):
        dagster.breaker.note(None)
        with pytest.raises(DagsterDown) as down:
            ask(name, expected)
        assert down.value.is_unknown == is_unknown, name
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(free_port()))
    settings.cache_clear()
    with pytest.raises(DagsterDown, match="nothing listens") as down:
        ask("terminate_run", "TerminateRunSuccess")
    assert not down.value.is_unknown


def test_after_three_failures_it_is_not_asked_for_a_while(served: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    served.answers["Run"] = b"x"
    for _ in range(5):
        with pytest.raises(DagsterDown):
            ask("run", "Run")
    assert len(served.asked) == Breaker.FAILURES
    served.answers["Run"] = {"__typename": "Run"}
    later = time.monotonic() + Breaker.SECONDS + 1
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: later)
        assert ask("run", "Run") == ask("run", "Run")  # one that is answered closes it
    assert len(served.asked) == Breaker.FAILURES + 2


def test_an_error_of_dagster_s_is_one_line_of_its_words(served: Recorded) -> None:
    served.answers["LaunchRun"] = {
        "__typename": "RunConfigValidationInvalid",
        "errors": [{"message": "no such op\nsecond line"}],
    }
    with pytest.raises(DagsterRefused, match=r"^no such op$"):
        ask("launch_run", "LaunchRunSuccess")
    served.answers["Run"] = b'{"errors": [{"message": "Cannot query field"}]}'
    with pytest.raises(DagsterRefused, match=r"^Cannot query field$"):
        ask("run", "Run")
