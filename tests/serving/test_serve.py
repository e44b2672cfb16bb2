"""`strades up` without its processes: what stands in its way, what its terminal shows, and what it finds unfinished."""

import io
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from filelock import FileLock
from rich.console import Console

from strades_pipelines.bad_input import BadInput
from strades_pipelines.definitions import defs
from strades_pipelines.orchestration.ended_runs import PROCESS_TAG
from strades_pipelines.orchestration.instance_setup import end_interrupted_runs, end_run_of_process, target_of
from strades_pipelines.orchestration.pools import make_pools, pools
from strades_pipelines.serving import serve
from strades_pipelines.serving.serve import restart_readers
from strades_pipelines.settings import settings
from strades_pipelines.supervision.down import down
from strades_pipelines.supervision.process_table import start_mark
from strades_pipelines.supervision.record import Record, end_up, read_record
from strades_pipelines.system.ports import PortInUse, free_port, is_taken
from strades_pipelines.system.terminal import Output, worth_showing
from tests.waiting import MOMENT

STAMP = "2026-11-22 14:01:20 +0000 - dagster.daemon.SensorDaemon"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new installation on ports of its own."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(free_port()))
    monkeypatch.setenv("STRADES_DOCS_PORT", str(free_port()))
    monkeypatch.setenv("STRADES_DASHBOARD_PORT", str(free_port()))
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
@pytest.mark.parametrize(
    "variable", ["STRADES_WEBSERVER_PORT", "STRADES_DOCS_PORT", "STRADES_DASHBOARD_PORT", "STRADES_SANDBOX_URL"]
)
def test_a_taken_port_stops_it_before_anything_is_made(
    variable: str, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{taken}" if variable.endswith("URL") else str(taken))
    settings.cache_clear()
    with pytest.raises(PortInUse, match=f"port {taken} is in use; .*{variable}"):
        serve.up(never, Console())


@pytest.mark.usefixtures("home")
def test_a_port_for_root_alone_is_not_said_to_be_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(_socket: socket.socket, address: tuple[str, int]) -> None:
        raise PermissionError(13, "Permission denied") if address[1] == 443 else OSError(98, "in use")

    monkeypatch.setenv("STRADES_WEBSERVER_PORT", "443")
    settings.cache_clear()
    with monkeypatch.context() as system:
        system.setattr("socket.socket.bind", bind)
        with pytest.raises(BadInput, match=r"ip_unprivileged_port_start=443.*STRADES_WEBSERVER_PORT"):
            serve.up(never, Console())
        assert is_taken(444)


def test_the_lock_is_free_again_after_a_refusal(home: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_DOCS_PORT", str(taken))
    settings.cache_clear()
    with pytest.raises(PortInUse):
        serve.up(never, Console())
    FileLock(home / "up.lock").acquire(timeout=0).lock.release()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{STAMP} - INFO - Checking for new runs", None),
        (f"{STAMP} - WARNING - Too slow", "warning: Too slow"),
        (f"{STAMP} - ERROR - Gone - wholly", "error: Gone - wholly"),
        ("ALERT run 1 failed at x: y", "alert: run 1 failed at x: y"),
        ('  File "x.py", line 1, in y', None),
        ("ValueError: no", None),
        (f"{STAMP} - WARNING - No cursor for event type RUN_FAILURE, ignoring older", None),
        ("", None),
    ],
)
def test_the_terminal_shows_what_wants_a_person(line: str, shown: str | None) -> None:
    assert worth_showing(line) == shown


def test_the_log_gets_every_line_without_colours(tmp_path: Path) -> None:
    output = Output(Console(file=io.StringIO()), tmp_path / "logs" / "up.log")
    for line in ("\x1b[34mINFO\x1b[0m all well", "Traceback (most recent call last):"):
        output.write("daemon", line)
    assert [line[9:] for line in output.log.read_text().splitlines()] == [
        "daemon    | INFO all well",
        "daemon    | Traceback (most recent call last):",
    ]


def test_a_warning_that_comes_again_with_another_number_is_shown_once_in_five_minutes(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(Console(file=terminal, width=200), tmp_path / "up.log")
    began = time.monotonic() + 60
    for after in (0, 100, 200, 301):
        output.write("daemon", f"{STAMP} - WARNING - Retrying in {after} s")
        output.write("code", f"{STAMP} - WARNING - Retrying in {after} s")
        output.release(muted=False, now=began + after)
    shown = [line[9:] for line in terminal.getvalue().splitlines()]
    assert shown == [f"{part}: warning: Retrying in {after} s" for after in (0, 301) for part in ("daemon", "code")]
    assert output.log.read_text().count("Retrying") == 8


def test_while_a_part_is_started_the_terminal_shows_alerts_alone(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output(Console(file=terminal, width=200), tmp_path / "up.log")
    output.write("daemon", f"{STAMP} - ERROR - Sensor tick caught an error")
    output.write("code", "ALERT run 1 failed: no")
    output.release(muted=True)
    output.write("daemon", f"{STAMP} - ERROR - Slow")
    output.release(muted=False)
    assert "Slow" not in terminal.getvalue()  # it may turn out to be a consequence
    output.release(muted=False, now=time.monotonic() + 60)
    assert [line[9:] for line in terminal.getvalue().splitlines()] == [
        "code: alert: run 1 failed: no",
        "daemon: error: Slow",
    ]


def test_a_start_over_what_a_killed_one_left_says_so_and_down_ends_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a system that lets children outlive their parent."""
    monkeypatch.setattr(serve, "CLEAN_UP_SECONDS", 0.2)
    with left_behind(home) as left, subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        with pytest.raises(
            serve.AlreadyUp, match=rf"earlier `strades up` still run \(code {left.pid}\); `strades down`"
        ):
            serve.up(never, Console())
        assert down() == ["code"]
        assert left.wait(timeout=MOMENT) == -signal.SIGKILL
        assert down() == []
        assert stranger.poll() is None
        stranger.kill()


def test_down_touches_no_process_that_got_the_id_of_one_of_ours(home: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        Record(home / "up.json", (2**22 - 1, "boot:1"), {"code": (stranger.pid, "boot:1")}).write()
        assert down() == []
        assert stranger.poll() is None
        stranger.kill()
    assert not (home / "up.json").exists()


def test_down_ends_an_up_that_was_stopped(home: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stopped:
        stopped.send_signal(signal.SIGSTOP)
        Record(home / "up.json", (stopped.pid, start_mark(stopped.pid) or "")).write()
        assert end_up(read_record(home / "up.json") or pytest.fail("no record"), seconds=0.3)
        assert stopped.wait(timeout=MOMENT) < 0


@contextmanager
def left_behind(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A part that an `up` left, which is gone."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as left:
        record = Record(home / "up.json", (2**22 - 1, "boot:1"))
        record.add("code", left.pid)
        yield left


def test_a_run_that_takes_too_much_memory_is_ended_by_its_process(tmp_path: Path) -> None:
    with dg.instance_for_test({"run_retries": {"enabled": True, "max_retries": 1}}) as instance:
        runs = [instance.add_run(dg.DagsterRun("job", f"{i}", status=dg.DagsterRunStatus.STARTED)) for i in range(2)]
        for i, run in enumerate(runs):
            instance.report_engine_event(
                f"Started process for run (pid: {100 + i}).", run, EngineEventData.in_process(100 + i)
            )
        assert end_run_of_process(instance, 101, "ended: it used 3.0 GB") == "1"
        assert end_run_of_process(instance, 7, "ended") is None
        left = {run.run_id: (run.status.value, run.tags.get("dagster/will_retry")) for run in instance.get_runs()}
        (event,) = instance.get_records_for_run("1", of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert left == {"0": ("STARTED", None), "1": ("FAILURE", "false")}
    dagster_event = event.event_log_entry.dagster_event
    assert dagster_event is not None
    assert dagster_event.message == "ended: it used 3.0 GB"


def test_a_listening_port_is_taken_and_a_free_one_is_not(taken: int) -> None:
    assert is_taken(taken)
    assert not is_taken(free_port())


def test_runs_of_a_daemon_that_was_killed_are_ended_and_no_others() -> None:
    status = dg.DagsterRunStatus
    with dg.DagsterInstance.ephemeral() as instance:
        begun = instance.add_run(dg.DagsterRun("fetch_job", "begun", status=status.STARTED))
        instance.add_run(dg.DagsterRun("fetch_job", "over", status=status.SUCCESS))
        instance.add_run(dg.DagsterRun("main", "main", status=status.STARTED, tags={PROCESS_TAG: "host:1"}))
        assert end_interrupted_runs(instance) == [begun.run_id]
        left = {run.run_id: run.status for run in instance.get_runs()}
    assert left == {"begun": status.FAILURE, "over": status.SUCCESS, "main": status.STARTED}


def test_a_code_location_is_found_by_its_options() -> None:
    assert target_of(["then", "api", "grpc", "--socket", "/home/me/run/code.sock"]) == "unix:/home/me/run/code.sock"
    assert target_of(["then", "api", "grpc", "--host", "0.0.0.0", "--port", "4000"]) == "127.0.0.1:4000"


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


def test_a_change_of_sources_reaches_the_streams_and_one_that_cannot_be_used_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted: list[str] = []

    def restart(name: str, reason: str) -> None:
        restarted.append(name)

    restart_readers(restart, {"code", "streams"})
    assert restarted == ["code", "streams"]
    restart_readers(restart, {"code"})
    assert restarted == ["code", "streams", "code"]
    (tmp_path / "Sources.json").write_text("{")
    monkeypatch.setenv("STRADES_SOURCES", str(tmp_path / "Sources.json"))
    settings.cache_clear()
    restart_readers(restart, {"code", "streams"})
    assert restarted == ["code", "streams", "code", "code"]
    settings.cache_clear()
