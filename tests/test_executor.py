"""A run that Dagster launched ends within seconds of being told to, and says so in Dagster."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

PROJECT = Path(__file__).resolve().parents[1]
SECONDS = 8.0  # two to end by itself, then at once; Dagster's storage and a busy machine besides
RUN = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import dagster as dg
from strades_pipelines.defs.executor import stoppable_executor

def in_python():
    time.sleep(60)

def in_a_pool():  # as dbt is called: the interrupted main thread waits for the other
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 60).result()

@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=60))
def wait():
    print("ready", flush=True)
    globals()[sys.argv[1]]()

@dg.op(ins={"after": dg.In(dg.Nothing)})
def follow():
    print("a later step", flush=True)

@dg.job(executor_def=stoppable_executor)
def waiting():
    follow(wait())

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.execute_job(dg.reconstructable(waiting), instance)
"""


@pytest.mark.parametrize(("number", "doing"), [(signal.SIGINT, "in_python"), (signal.SIGTERM, "in_a_pool")])
def test_a_run_told_to_stop_ends_as_canceled_and_tries_nothing_again(
    tmp_path: Path, number: signal.Signals, doing: str
) -> None:
    (tmp_path / "waiting.py").write_text(RUN)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "waiting.py", doing]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        [run] = instance.get_runs()
        instance.report_run_canceling(run)  # as Dagster's page does first
        process.send_signal(number)
        out, _ = process.communicate(timeout=SECONDS)
        assert out == ""
        assert instance.get_runs()[0].status == dg.DagsterRunStatus.CANCELED
