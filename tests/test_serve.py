"""`strades up` without its processes: what stands in its way, what its terminal shows, and what it finds unfinished."""

import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock
from rich.console import Console

from strades_pipelines import serve
from strades_pipelines.definitions import defs
from strades_pipelines.graph_runs import PROCESS_TAG
from strades_pipelines.instance import end_interrupted_runs
from strades_pipelines.pools import make_pools, pools
from strades_pipelines.ports import PortInUse, free_port, is_taken, wait_for
from strades_pipelines.settings import settings
from strades_pipelines.terminal import Output, worth_showing

STAMP = "2026-11-22 14:01:20 +0000 - dagster.daemon.SensorDaemon"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new installation on ports of its own."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(free_port()))
    monkeypatch.setenv("STRADES_DOCS_PORT", str(free_port()))
    monkeypatch.setenv("STRADES_SANDBOX_URL", f"http://127.0.0.1:{free_port()}")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def never() -> None:
    """Stands for work that must not begin."""
    raise AssertionError("it went on")


def test_a_second_one_is_told_where_the_first_is(home: Path) -> None:
    with (
        FileLock(home / "up.lock"),
        pytest.raises(serve.AlreadyUp, match=f"up already, at http://127.0.0.1:{settings().webserver_port}"),
    ):
        serve.up(never, Console())


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("variable", ["STRADES_WEBSERVER_PORT", "STRADES_DOCS_PORT", "STRADES_SANDBOX_URL"])
def test_a_taken_port_stops_it_before_anything_is_made(
    variable: str, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{taken}" if variable.endswith("URL") else str(taken))
    settings.cache_clear()
    with pytest.raises(PortInUse, match=f"port {taken} is in use; .*{variable}"):
        serve.up(never, Console())


def test_the_lock_is_free_again_after_a_refusal(home: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_DOCS_PORT", str(taken))
    settings.cache_clear()
    with pytest.raises(PortInUse):
        serve.up(never, Console())
    FileLock(home / "up.lock").acquire(timeout=0).lock.release()


def test_a_process_that_ends_by_itself_is_named_and_is_a_failure(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["14:00:00 system | daemon.1 stopped (rc=3)", "14:00:01 system | code.1 stopped (rc=-15)"]
    monkeypatch.setattr(serve, "_start_honcho", lambda: printing(lines))
    monkeypatch.setattr(serve, "_announce", lambda *_: None)
    terminal = io.StringIO()
    assert serve._serve(Console(file=terminal, width=200)) == 1
    assert "daemon ended by itself (exit code 3)" in terminal.getvalue()


def printing(lines: list[str]) -> "subprocess.Popen[str]":
    """A process that prints, and ends."""
    text = "\n".join(lines)
    return subprocess.Popen([sys.executable, "-c", f"print({text!r})"], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"14:01:20 daemon.1    | {STAMP} - INFO - Checking for new runs", None),
        (f"14:01:20 daemon.1    | {STAMP} - WARNING - Too slow", "14:01:20 daemon: warning: Too slow"),
        (f"14:01:20 code.1      | {STAMP} - ERROR - Gone - wholly", "14:01:20 code: error: Gone - wholly"),
        ("14:01:20 code.1      | ALERT run 1 failed at x: y", "14:01:20 code: alert: run 1 failed at x: y"),
        ('14:01:20 code.1      |   File "x.py", line 1, in y', None),
        ("14:01:20 code.1      | ValueError: no", None),
        (f"14:01:20 daemon.1    | {STAMP} - WARNING - No cursor for event type RUN_FAILURE, ignoring older", None),
        ("14:01:20 system      | sending SIGTERM to code.1 (pid 1)", None),
        ("", None),
    ],
)
def test_the_terminal_shows_what_wants_a_person(line: str, shown: str | None) -> None:
    assert worth_showing(line) == shown


def test_the_log_gets_every_line_without_colours(tmp_path: Path) -> None:
    output = Output(Console(file=io.StringIO()), tmp_path / "logs" / "up.log")
    output.follow(["14:01:20 daemon.1 | \x1b[34mINFO\x1b[0m all well\n", "Traceback (most recent call last):\n"])
    assert output.log.read_text() == "14:01:20 daemon.1 | INFO all well\nTraceback (most recent call last):\n"


def test_the_first_process_to_end_is_remembered(tmp_path: Path) -> None:
    output = Output(Console(file=io.StringIO()), tmp_path / "up.log")
    output.follow(["14:00:00 system | docs.1 stopped (rc=1)", "14:00:01 system | code.1 stopped (rc=-15)"])
    assert output.ended == ("docs", 1)


def test_a_listening_port_is_taken_and_waited_for(taken: int) -> None:
    assert is_taken(taken)
    assert wait_for(taken, seconds=5)


def test_a_free_port_is_not_taken_and_waiting_ends() -> None:
    port = free_port()
    assert not is_taken(port)
    assert not wait_for(port, seconds=0)


def test_runs_of_a_daemon_that_was_killed_are_ended_and_no_others() -> None:
    status = dg.DagsterRunStatus
    with dg.DagsterInstance.ephemeral() as instance:
        begun = instance.add_run(dg.DagsterRun("fetch_job", "begun", status=status.STARTED))
        instance.add_run(dg.DagsterRun("fetch_job", "over", status=status.SUCCESS))
        instance.add_run(dg.DagsterRun("main", "main", status=status.STARTED, tags={PROCESS_TAG: "host:1"}))
        assert end_interrupted_runs(instance) == [begun.run_id]
        left = {run.run_id: run.status for run in instance.get_runs()}
    assert left == {"begun": status.FAILURE, "over": status.SUCCESS, "main": status.STARTED}


def test_every_pool_of_the_assets_is_made_before_two_runs_can_want_it_at_once() -> None:
    assets = defs().resolve_asset_graph().assets_defs
    used = {
        op.pool for definition in assets if definition.is_executable for op in definition.node_def.iterate_op_defs()
    }
    assert used - {None} <= set(pools())


def test_pools_get_their_limit_and_keep_it_when_made_again(database_url: str) -> None:
    storage = {"postgres": {"postgres_url": database_url}}
    with dg.instance_for_test({"storage": storage, "concurrency": {"pools": {"default_limit": 1}}}) as instance:
        for _ in range(2):
            make_pools(instance, ["dbt", "train"])
        limits = {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}
    assert limits == {"dbt": 1, "train": 1}
