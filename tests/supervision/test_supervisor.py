"""The supervisor over small real processes: killed, stopped, crashing, dependent; each incident is told once."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.supervision.part import Part
from strades_pipelines.supervision.supervisor import Supervisor, Telling
from strades_pipelines.supervision.timing import Timing, delay_before
from tests.supervision.fakes import QUICK, fleet
from tests.waiting import MOMENT, wait_until


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_part_that_died_or_hangs_is_started_again_and_told_once(number: signal.Signals) -> None:
    with fleet("web", "docs") as running:
        wait_until(running.healthy)
        before, other = running.pid("web"), running.pid("docs")
        os.kill(before, number)
        wait_until(lambda: running.children["web"].pid not in (None, before))
        wait_until(lambda: running.healthy() and not running.supervisor.in_incident())
        assert [part for part, _ in running.incidents] == ["web"]
        assert running.pid("docs") == other


def test_two_incidents_are_told_twice_when_the_part_worked_between() -> None:
    with fleet("web") as running:
        for _ in range(2):
            wait_until(lambda: running.healthy() and not running.supervisor.in_incident())
            os.kill(running.pid("web"), signal.SIGKILL)
            wait_until(running.supervisor.in_incident)
        wait_until(lambda: not running.supervisor.in_incident())
        assert [part for part, _ in running.incidents] == ["web", "web"]


def test_a_part_that_cannot_start_is_told_once_with_growing_pauses_and_recovers_when_mended(tmp_path: Path) -> None:
    mended, tries = tmp_path / "mended", tmp_path / "tries"
    port: list[str] = []

    def command() -> list[str]:
        program = (
            f"import os, sys, runpy\nopen({str(tries)!r}, 'a').write('x')\n"
            f"if not os.path.exists({str(mended)!r}): sys.exit(3)\n"
            f"sys.argv = ['http.server', {port[0]!r}, '--bind', '127.0.0.1']\n"
            "runpy.run_module('http.server', run_name='__main__')"
        )
        return [sys.executable, "-c", program]

    with fleet("web", commands={"web": lambda: command() if port else ["false"]}) as running:
        url = running.supervisor._watched["web"].part.probe.args[1]  # type: ignore[attr-defined]
        port.append(url.rpartition(":")[2].rstrip("/"))
        wait_until(lambda: tries.exists() and len(tries.read_text()) >= 3)
        assert [part for part, _ in running.incidents] == ["web"]
        assert "ended with exit code" in running.incidents[0][1]
        mended.touch()
        wait_until(lambda: running.healthy() and not running.supervisor.in_incident())
        assert len(running.incidents) == 1


def test_a_part_whose_environment_cannot_be_made_is_told_and_ends_no_other() -> None:
    """The dashboard's holds the password of a role of the database that may refuse it."""
    refusals = ["a role may not log in; ask its owner"]

    def command() -> list[str]:
        if refusals:
            raise RuntimeError(refusals[0])
        return ["sleep", "60"]

    with fleet("web", "docs", commands={"web": command}) as running:
        wait_until(lambda: running.incidents)
        [(part, why)] = running.incidents
        assert (part, "could not be started: a role may not log in; ask its owner" in why) == ("web", True)
        wait_until(lambda: running.children["docs"].pid is not None)
        refusals.clear()
        wait_until(lambda: running.children["web"].pid is not None)


def test_a_part_that_waits_for_its_next_attempt_is_started_at_once_when_its_files_changed(tmp_path: Path) -> None:
    """A broken list of sources, mended."""
    mended, tries = tmp_path / "mended", tmp_path / "tries"
    command = f"echo x >> {tries}; test -e {mended} && exec sleep 60; exit 1"
    slow = replace(QUICK, first_delay=300, longest_delay=300)
    with fleet("code", commands={"code": lambda: ["sh", "-c", command]}, timing=slow) as running:
        wait_until(lambda: running.incidents)
        mended.touch()
        running.supervisor.restart("code", "its files changed")
        wait_until(lambda: len(tries.read_text().split()) == 2)
        assert len(running.incidents) == 1


def test_what_needs_a_part_waits_for_it_and_is_no_incident_of_its_own() -> None:
    with fleet("code", "web", needs={"web": ("code",)}) as running:
        wait_until(running.healthy)
        os.kill(running.pid("code"), signal.SIGSTOP)
        os.kill(running.pid("web"), signal.SIGKILL)  # the consequence
        wait_until(lambda: running.supervisor.in_incident() and running.incidents)
        wait_until(lambda: running.healthy() and not running.supervisor.in_incident())
        assert [part for part, _ in running.incidents] in (["code"], ["web", "code"])


def test_a_pause_of_everything_is_no_incident() -> None:
    """As a closed lid: the supervisor finds that its own clock has jumped, and asks again before it judges."""
    incidents: list[str] = []
    supervisor = Supervisor([], Telling(lambda part, *_: incidents.append(part), lambda *_: None), QUICK)
    for wall_jump, expected in ((60.0, True), (0.2, False), (-3600.0, False)):
        before = (time.monotonic() - 0.1, time.time() - wall_jump)
        trusted = supervisor._trusted_from
        supervisor._notice_pause(before)
        assert (supervisor._trusted_from > trusted) is expected
    assert not incidents


def test_parts_end_within_the_time_given_also_when_they_do_not_want_to(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = (
        "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    with fleet("deaf", commands={"deaf": lambda: [sys.executable, "-c", deaf]}) as running:
        pid = running.pid("deaf")
        wait_until(ready.exists)
        begun = time.monotonic()
    assert time.monotonic() - begun < QUICK.stop + MOMENT / 2
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_a_part_started_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    parent = f"sleep 60 & echo $! > {child}; wait"
    with fleet("web", commands={"web": lambda: ["sh", "-c", parent]}) as running:
        grandchild = int(wait_until(lambda: child.exists() and child.read_text()))
        child.unlink()
        os.kill(running.pid("web"), signal.SIGKILL)
        wait_until(lambda: child.exists() and child.read_text())
        wait_until(lambda: not _runs(grandchild))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_delays_grow_and_have_a_cap(first: int, second: int) -> None:
    timing = Timing()
    low, high = sorted((first, second))
    assert 0 < delay_before(low, timing) <= delay_before(high, timing) <= timing.longest_delay


def test_a_server_of_somebody_else_is_told_once_and_not_touched() -> None:
    answers: list[str | None] = ["does not answer"]
    touched: list[str] = []
    incidents: list[str] = []

    class Foreign:
        def start(self) -> None: ...

        def ended(self) -> str | None:
            return None

        def terminate(self) -> None: ...

        def kill(self) -> None:
            touched.append("kill")

    part = Part("database", Foreign(), lambda: answers[0], start_seconds=0.2, restartable=False)
    supervisor = Supervisor([part], Telling(lambda name, *_: incidents.append(name), lambda *_: None), QUICK)
    with running_in_thread(supervisor):
        wait_until(lambda: incidents)
        time.sleep(1.5)
        assert (incidents, touched) == (["database"], [])
        answers[0] = None
        wait_until(lambda: not supervisor.in_incident())
        answers[0] = "does not answer"
        wait_until(lambda: len(incidents) == 2)


def running_in_thread(supervisor: Supervisor) -> "Running":
    return Running(supervisor)


class Running:
    """A supervisor in a thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        import threading

        self.supervisor = supervisor
        self.thread = threading.Thread(target=supervisor.run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()
        self.thread.join()
