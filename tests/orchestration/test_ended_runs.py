"""What a run that has ended still holds of a pool is free for the next one, whoever ended it and when."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent
from dagster._daemon.monitoring import execute_concurrency_slots_iteration

from strades_pipelines.orchestration import ended_runs
from strades_pipelines.orchestration.dagster_storage import BEGINNINGS
from strades_pipelines.orchestration.ended_runs import PROCESS_TAG, end_killed_runs, this_process
from strades_pipelines.orchestration.pools import make_pools
from strades_pipelines.system import stopping
from tests.orchestration.test_daemon_lock import daemon
from tests.orchestration.test_dagster_storage import OURS
from tests.waiting import wait_until

POOL = "source_gateio"
SLOT_SECONDS = 3
STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def instance(database_url: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on PostgreSQL with one pool of one slot."""
    pools = "concurrency: {pools: {granularity: op, default_limit: 1}}\n"
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url) + pools)
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        make_pools(made, [POOL])
        yield made


@pytest.fixture
def gone() -> str:
    """What the tag of a run says whose process has ended."""
    host, _, _ = this_process().partition(":")
    process = subprocess.Popen(["true"])
    process.wait()
    return f"{host}:{process.pid}"


def begun(instance: dg.DagsterInstance, process: str) -> dg.DagsterRun:
    """A run of a process, in progress."""
    return instance.add_run(dg.DagsterRun("main", status=STARTED, tags={PROCESS_TAG: process}))


def claims(instance: dg.DagsterInstance, run: dg.DagsterRun, step: str = "fetch") -> bool:
    """Whether a step of the run gets the slot."""
    return bool(instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, step).is_claimed)


def test_a_slot_that_was_claimed_while_its_run_was_being_ended_is_free(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_runs, "STOP_TAKES", timedelta(0))
    stopped, following = begun(instance, this_process()), begun(instance, this_process())
    storage = instance.event_log_storage
    storage.add_pending_step(POOL, stopped.run_id, "fetch", should_assign=True)  # type: ignore[attr-defined]
    # The stopping thread's two statements, and the main thread's between them.
    storage._free_concurrency_slots(run_id=stopped.run_id)  # type: ignore[attr-defined]
    storage._claim_concurrency_slot(POOL, stopped.run_id, "fetch")  # type: ignore[attr-defined]
    storage._remove_pending_steps(run_id=stopped.run_id)  # type: ignore[attr-defined]
    assert stopped.run_id not in storage.get_concurrency_run_ids()  # so Dagster's daemon would not find it
    assert not claims(instance, following)
    instance.report_run_canceled(stopped)
    assert claims(instance, following)


def test_a_slot_claimed_after_its_run_was_ended_is_free(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_runs, "STOP_TAKES", timedelta(0))
    stopped, following = begun(instance, this_process()), begun(instance, this_process())
    instance.report_run_canceled(stopped)
    instance.event_log_storage.free_concurrency_slots_for_run(stopped.run_id)
    assert claims(instance, stopped)
    assert claims(instance, following)


def test_a_run_that_ended_a_moment_ago_keeps_its_slot_until_its_process_has_ended(instance: dg.DagsterInstance) -> None:
    stopped, following = begun(instance, this_process()), begun(instance, this_process())
    assert claims(instance, stopped)
    instance.report_run_canceled(stopped)
    assert not claims(instance, following)


def test_a_run_in_progress_keeps_its_slot(instance: dg.DagsterInstance) -> None:
    working, waiting = begun(instance, this_process()), begun(instance, this_process())
    assert claims(instance, working)
    assert not claims(instance, waiting)
    end_killed_runs(instance)
    assert not claims(instance, waiting)


def test_a_run_that_is_killed_while_another_waits_for_its_slot_is_ended(
    instance: dg.DagsterInstance, gone: str
) -> None:
    killed, waiting = begun(instance, gone), begun(instance, this_process())
    assert claims(instance, killed)
    assert claims(instance, waiting)
    found = instance.get_run_by_id(killed.run_id)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.FAILURE


def test_no_step_begins_in_a_process_that_is_being_stopped(instance: dg.DagsterInstance) -> None:
    stopping._requested.set()
    try:
        run = begun(instance, this_process())
        waits = Thread(target=claims, args=[instance, run], daemon=True)
        waits.start()
        waits.join(1)
        assert waits.is_alive()
        assert instance.event_log_storage.get_concurrency_info(POOL).claimed_slots == []
    finally:
        stopping._requested.clear()


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_neither_run_nor_step_is_noted_as_begun_in_a_process_that_is_being_stopped(
    instance: dg.DagsterInstance, beginning: dg.DagsterEventType
) -> None:
    run = instance.add_run(dg.DagsterRun("main", status=dg.DagsterRunStatus.STARTING))
    begins = DagsterEvent(beginning.value, run.job_name)
    stopping._requested.set()
    try:
        waits = Thread(target=instance.report_dagster_event, args=[begins, run.run_id], daemon=True)
        waits.start()
        waits.join(1)
        assert waits.is_alive()
        instance.report_run_canceled(run)  # as the stopping thread does
        (record,) = instance.get_run_records()
        assert record.start_time is None
        assert record.dagster_run.status == dg.DagsterRunStatus.CANCELED
        assert instance.all_logs(run.run_id, of_type=beginning) == []
    finally:
        stopping._requested.clear()


def test_dagsters_daemon_frees_the_slot_of_a_killed_run_after_the_configured_time(
    database_url: str, tmp_path: Path
) -> None:
    """Of a run whose process was killed the code location reports the end, and nobody gives its slot back."""
    settings = "concurrency: {pools: {granularity: op, default_limit: 1}}\nrun_monitoring:\n"
    settings += f"  enabled: true\n  free_slots_after_run_end_seconds: {SLOT_SECONDS}\n"
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url) + settings)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        make_pools(instance, [POOL])
        killed, waiting = (instance.add_run(dg.DagsterRun("main", status=STARTED)) for _ in range(2))

        def claimed_after_a_look() -> int:
            context: Any = SimpleNamespace(instance=instance)
            list(execute_concurrency_slots_iteration(context, logging.getLogger()))
            return len(instance.event_log_storage.get_concurrency_info(POOL).claimed_slots)

        assert claims(instance, killed)
        assert claimed_after_a_look() == 1  # it runs
        instance.report_run_failed(killed)
        ended = time.monotonic()
        assert claimed_after_a_look() == 1  # its process may still be ending
        wait_until(lambda: claimed_after_a_look() == 0)
        assert time.monotonic() - ended >= SLOT_SECONDS - 1  # Dagster keeps whole seconds of some times
        assert claims(instance, waiting)


JOBS = """
import os, pathlib, time
import dagster as dg

@dg.op(pool="source_gateio")
def hold() -> None:
    pathlib.Path(f"HOME/held").write_text(str(os.getpid()))
    time.sleep(600)

@dg.op(pool="source_gateio")
def follow() -> None:
    pathlib.Path(f"HOME/followed").write_text(str(os.getpid()))

@dg.job(executor_def=dg.in_process_executor)
def holds():
    hold()

@dg.job(executor_def=dg.in_process_executor)
def follows():
    follow()

definitions = dg.Definitions(jobs=[holds, follows])
"""


@pytest.mark.slow
def test_a_launched_run_that_is_killed_gives_its_slot_back_within_the_configured_time(
    database_url: str, tmp_path: Path
) -> None:
    """By Dagster's own daemon, queue and launcher, each a process: nobody tells any of them of the kill."""
    settings = "concurrency: {pools: {granularity: op, default_limit: 1}}\nrun_monitoring:\n"
    settings += f"  enabled: true\n  poll_interval_seconds: 2\n  free_slots_after_run_end_seconds: {SLOT_SECONDS}\n"
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url) + settings)
    (tmp_path / "jobs.py").write_text(JOBS.replace("HOME", str(tmp_path)))
    (tmp_path / "workspace.yaml").write_text(f"load_from: [python_file: {tmp_path / 'jobs.py'}]\n")
    workspace = ["--workspace", str(tmp_path / "workspace.yaml")]

    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}

    def launch(job: str) -> None:
        program = str(Path(sys.executable).with_name("dagster"))
        words = [program, "job", "launch", *workspace, "--job", job]
        subprocess.run(words, env=environment, check=True, capture_output=True, timeout=120)

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        make_pools(instance, [POOL])
        with daemon(tmp_path, workspace):
            launch("holds")
            wait_until((tmp_path / "held").exists, seconds=90)
            launch("follows")
            pool = instance.event_log_storage
            wait_until(lambda: pool.get_concurrency_info(POOL).pending_steps, seconds=60)
            time.sleep(2 * SLOT_SECONDS)
            assert not (tmp_path / "followed").exists()  # the one that holds the slot works
            os.kill(int((tmp_path / "held").read_text()), signal.SIGKILL)
            killed = time.monotonic()
            wait_until((tmp_path / "followed").exists, seconds=60)
            assert time.monotonic() - killed < SLOT_SECONDS + 30  # two looks of the daemon, and the step's own wait
            wait_until(lambda: not pool.get_concurrency_info(POOL).claimed_slots, seconds=60)
        statuses = {run.job_name: run.status for run in instance.get_runs()}
        assert statuses["holds"] == dg.DagsterRunStatus.FAILURE
