"""`make trials`: kill, stop and pause the parts of a real `strades up`, and print how long each took to work again.

Too long for `make test`, which has the short ones. `ARGS=SIGSTOP` runs those of that name
alone. Exit code 1 where a trial fails.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from strades_pipelines.system.ports import free_port
from tests.end_to_end.graphql import wait_for
from tests.end_to_end.installation import PROJECT, STRADES, YEARS_LATER, installation
from tests.end_to_end.supervised import PARTS, Supervised
from tests.supervision.fakes import webhook

START_SECONDS, STOP_SECONDS, LIMIT_SECONDS, LID_SECONDS, SETTLE_SECONDS = 300, 60, 120, 60, 30


def main(chosen: Sequence[str]) -> int:
    """The trials whose names hold one of the words `chosen`, else all, one after the other on one installation."""
    failures = 0
    os.environ.setdefault("STRADES_TEST_FOLDER", tempfile.gettempdir())  # where commands look for what tests share
    with ExitStack() as stack:
        url, alerts = stack.enter_context(webhook())
        ports = {
            name: str(free_port()) for name in ("STRADES_WEBSERVER_PORT", "STRADES_DOCS_PORT", "STRADES_DASHBOARD_PORT")
        }
        given = ports | {
            "STRADES_SANDBOX_URL": f"http://127.0.0.1:{free_port()}",
            "STRADES_SANDBOX_NOW": YEARS_LATER,
            "STRADES_SENSOR_SECONDS": "10",
            "STRADES_ALERT_WEBHOOK": url,
        }
        made = stack.enter_context(installation(parsed=False, environment=given, clock=YEARS_LATER))
        running = Supervised(made.home, made.environment, alerts)
        with (made.home / "up.out").open("w") as log:
            process = subprocess.Popen(
                [STRADES, "up"],
                env={**os.environ, **made.environment},
                cwd=PROJECT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        stack.callback(process.kill)
        begun = datetime.now(UTC)
        wait_for("the first start", lambda: running.works(begun), seconds=START_SECONDS)
        print(f"{'trial':34} {'seconds':>8} alerts", flush=True)
        trials: list[tuple[str, int, Callable[[], float]]] = []
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
            for part in PARTS:
                if part == "database" and number == signal.SIGTERM:
                    continue  # a smart shutdown: it waits for its clients
                trials.append((f"{number.name} {part}", 1, lambda part=part, number=number: one(running, part, number)))  # type: ignore[misc]
        trials.append((f"lid: all stopped for {LID_SECONDS} s", 0, lambda: lid(running)))
        trials.append(("SIGKILL up", 1, lambda: kill_up(running, process)))
        for name, expected, trial in trials:
            if chosen and not any(word in name for word in chosen):
                continue
            before = len(alerts)
            try:
                seconds = f"{trial():8.1f}"
            except AssertionError as error:
                seconds, failures = f"failed: {error}", failures + 1
            told = [alert["subject"] for alert in alerts[before:]]
            failures += len(told) != expected
            print(f"{name:34} {seconds:>8} {len(told)} {'' if len(told) == expected else told}", flush=True)
        if failures:
            print((made.home / "up.out").read_text())
            print("\n".join((made.home / "logs" / "up.log").read_text().splitlines()[-60:]))
    return 1 if failures else 0


def one(running: Supervised, part: str, number: signal.Signals) -> float:
    """One part; returns the seconds until it works again, then waits until the incident is over."""
    seconds = running.disturb(part, number, seconds=LIMIT_SECONDS)
    since = datetime.now(UTC)
    wait_for("everything", lambda: running.works(since), seconds=LIMIT_SECONDS)
    time.sleep(SETTLE_SECONDS)
    return seconds


def lid(running: Supervised) -> float:
    """Everything is stopped for a minute and goes on; returns the seconds from then to the first tick."""
    everything = running.processes()
    for process in everything:
        process.suspend()
    time.sleep(LID_SECONDS)
    begun, since = time.monotonic(), datetime.now(UTC)
    for process in everything:
        process.resume()
    wait_for("everything", lambda: running.works(since), seconds=LIMIT_SECONDS, pause=0.5)
    seconds = time.monotonic() - begun
    time.sleep(SETTLE_SECONDS)
    return seconds


def kill_up(running: Supervised, process: "subprocess.Popen[bytes]") -> float:
    """`up` is killed; returns the seconds until nothing is left."""
    begun = time.monotonic()
    process.kill()
    process.wait()
    wait_for("nothing left", lambda: not running.processes(), seconds=30, pause=0.2)
    seconds = time.monotonic() - begun
    time.sleep(2)
    return seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
