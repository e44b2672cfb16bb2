"""A process that is told to stop ends at once, whatever its main thread does, and takes its children along."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from tests.waiting import wait_until

SECONDS = 5.0
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ARMED = "from strades_pipelines.system import stopping; stopping.arm(); "
# What the main thread is in when the signal comes, each after the line `ready`.
WAITS_IN_C = "import threading; print('ready', flush=True); threading.Event().wait()"
IN_A_POOL = """
import time
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as pool:  # as dbt is called: leaving the block waits for the thread
    done = pool.submit(time.sleep, 60)
    print('ready', flush=True)
    done.result()
"""
IN_DAGSTER = """
import dagster as dg, time
@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=10))
def wait():
    print('ready', flush=True)
    time.sleep(60)
@dg.job
def waiting():
    wait()
quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
waiting.execute_in_process(raise_on_error=False, run_config=quiet)
print('a later stage', flush=True)
"""
# ADBC answers Ctrl-C itself while it queries: it cancels the query, and whoever asked sees an error like any other.
IN_AN_ADBC_QUERY = """
import os, threading
from strades_pipelines.database.connection import adbc_connect
with adbc_connect(os.environ['URL']) as connection, connection.cursor() as cursor:
    threading.Timer(0.5, print, ['ready'], {'flush': True}).start()
    try:
        cursor.execute("SELECT pg_sleep(60)")
    except Exception as error:
        print(f'it went on after {error}', flush=True)
"""
SWALLOWS = """
import time
print('ready', flush=True)
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""


def started(code: str, **options: object) -> "subprocess.Popen[str]":
    """A process that runs `code` and has come to the line `ready`."""
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("doing", [WAITS_IN_C, IN_A_POOL, SWALLOWS])
def test_a_signal_ends_the_process_with_its_code_and_one_line(number: signal.Signals, doing: str) -> None:
    process = started(ARMED + textwrap.dedent(doing))
    process.send_signal(number)
    out, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (128 + number, "")
    assert error == f"strades: stopped by {number.name}; what is stored stays, and the next run goes on from there\n"


def test_no_child_is_started_after_the_others_were_ended() -> None:
    child = ["sleep", f"61.{os.getpid()}"]
    code = f"""
    import subprocess
    print('ready', flush=True)
    while True:  # each ends at once when it is told to, and the next is started
        subprocess.run({child})
    """
    process = started(ARMED + textwrap.dedent(code))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGINT
    left = [other for other in psutil.process_iter(["cmdline"]) if other.info["cmdline"] == child]
    for other in left:
        other.kill()
    assert left == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_query_through_adbc_does_not_take_the_signal_for_itself(number: signal.Signals, database_url: str) -> None:
    process = started(ARMED + textwrap.dedent(IN_AN_ADBC_QUERY), env={**os.environ, "URL": database_url})
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (128 + number, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_asset_with_a_retry_policy_is_not_tried_again_and_nothing_follows(number: signal.Signals) -> None:
    process = started(ARMED + textwrap.dedent(IN_DAGSTER))
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (128 + number, "")


def test_a_command_in_the_background_ignores_ctrl_c_as_its_shell_says_and_still_ends_on_sigterm() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    # Importing Dagster gives SIGTERM the handler of SIGINT.
    process = started(f"{ARMED}import dagster\n{WAITS_IN_C}", preexec_fn=ignore)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=SECONDS) == 128 + signal.SIGTERM
    process.communicate()


CHILDREN = """
import subprocess, sys
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
child.stdout.readline()
stays = subprocess.Popen(["sleep", "30"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print('ready', flush=True)
print(child.pid, stays.pid, flush=True)
child.wait()
"""


def test_children_end_also_deaf_ones_and_servers_in_a_session_of_their_own_stay() -> None:
    process = started(ARMED + CHILDREN)
    assert process.stdout is not None
    child, stays = (psutil.Process(int(pid)) for pid in process.stdout.readline().split())
    try:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        assert stays.is_running()
    finally:
        stays.kill()


WAITS_FOR_A_CHILD = """
import subprocess, sys, time
from strades_pipelines.system import stopping
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print('ready', flush=True)
time.sleep(0.5)
stopping.end_children()
print(child.wait(), flush=True)
"""


def test_who_waits_for_a_child_that_is_ended_sees_that_it_failed() -> None:
    process = started(WAITS_FOR_A_CHILD)
    output, _ = process.communicate(timeout=SECONDS)
    assert output == f"{-signal.SIGTERM}\n"


FORKED = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    time.sleep(60)
time.sleep(0.2)
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
time.sleep(0.2)
print('ready', flush=True)
sys.exit(-os.waitstatus_to_exitcode(status))
"""


def test_a_signal_to_a_forked_child_ends_the_child_and_not_its_parent() -> None:
    process = started(ARMED + FORKED)
    _, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, error) == (signal.SIGTERM, "")


ACTIONS = """
import time
def broken():
    raise RuntimeError
def hangs():
    time.sleep(60)
with stopping.at_stop({last}), stopping.at_stop(lambda: print('tidied', flush=True)), stopping.at_stop(broken):
    with stopping.at_stop(lambda: print('over', flush=True)):
        pass
    print('ready', flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("last", ["lambda: None", "hangs"])
def test_what_is_to_be_tidied_is_tidied_and_one_action_that_fails_or_hangs_stops_no_other(last: str) -> None:
    process = started(ARMED + ACTIONS.format(last=last))
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (128 + signal.SIGTERM, "tidied\n")


DISARMED = "stopping.disarm(); import time; print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_disarmed_has_the_default_action_again(number: signal.Signals) -> None:
    process = started(ARMED + DISARMED)
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == -number
