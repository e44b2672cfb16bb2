"""A request of a page is carried out in a child; how the child ends says what becomes of the request."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from strades_pipelines.supervision.request_child import LONGEST_LINE, ChildStopped, Problem, run_request_child

URL = "postgresql://user:word@127.0.0.1:1/none"


def carry_out(folder: Path, body: str, seconds: float = 60.0) -> Problem | None:
    """Run a child whose module has this body; `argv` and `url` are what it was given."""
    text = f"import os, sys, time\nargv, url = sys.argv, sys.stdin.readline()\n{body}\n"
    (folder / "carries_out.py").write_text(text, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    limit = timedelta(seconds=seconds)
    return run_request_child("carries_out", 7, URL, environment=environment, limit=limit)


def test_a_child_has_the_url_by_its_pipe_and_its_parent_and_request_as_arguments(tmp_path: Path) -> None:
    given = f"argv[1:] == ['{os.getpid()}', '7'] and url == '{URL}\\n' and 'HOME' not in os.environ"
    assert carry_out(tmp_path, f"sys.exit(0 if {given} else 1)") is None


def test_what_a_child_says_last_is_one_printable_line_of_a_fault(tmp_path: Path) -> None:
    problem = carry_out(
        tmp_path, "sys.stderr.write('Traceback\\nValueError: \\x1b[1m' + 'x' * 999 + '\\n'); sys.exit(1)"
    )
    assert problem is not None
    assert problem.is_fault
    assert problem.line == ("ValueError:  [1m" + "x" * 999)[:LONGEST_LINE]


def test_a_child_that_says_nothing_is_named_with_its_exit_code(tmp_path: Path) -> None:
    assert carry_out(tmp_path, "sys.exit(3)") == Problem("the process of carries_out ended with 3", is_fault=True)


def test_bytes_that_are_no_text_are_no_fault_of_the_parent(tmp_path: Path) -> None:
    problem = carry_out(tmp_path, "os.write(2, b'bad \\xff\\n'); sys.exit(1)")
    assert problem == Problem("bad \N{REPLACEMENT CHARACTER}", is_fault=True)


def test_a_request_that_kills_its_child_is_the_requests_problem(tmp_path: Path) -> None:
    problem = carry_out(tmp_path, f"os.kill(os.getpid(), {int(signal.SIGKILL)})")
    assert problem == Problem("the process that read its bytes ended with signal 9", is_fault=False)


def test_a_child_that_was_stopped_says_nothing_about_its_request(tmp_path: Path) -> None:
    with pytest.raises(ChildStopped, match="carries_out ended with -15"):
        carry_out(tmp_path, f"os.kill(os.getpid(), {int(signal.SIGTERM)})")


def test_a_child_that_takes_too_long_is_killed_and_the_requests_problem(tmp_path: Path) -> None:
    problem = carry_out(tmp_path, "time.sleep(60)", seconds=0.6)
    assert problem == Problem("it could not be carried out within 0.01 minutes", is_fault=False)
