"""Processes that tests start to be killed: forks of one that has imported what they need, most of what each would cost.

What is forked has a session, an environment and settings of its own, as if it were started anew.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

from strades_pipelines.settings import PROJECT

# A child that hangs is killed, and its test fails: even where ten processes share a core none takes as long.
LONGEST_SECONDS = 300

# What brokers import when they are first used.
LATE = (
    "adbc_driver_postgresql.dbapi",
    "alpaca.trading.client",
    "ccxt.pro",
    "strades_pipelines.brokerage.brokers.alpaca.account",
    "strades_pipelines.brokerage.brokers.ccxt.account",
)


def run_child(module: str, *arguments: str, **environment: str) -> int:
    """Run `python -m module arguments` with more variables than this process has.

    Returns its exit code, or the negative number of the signal that killed it.
    """
    return _ask(module, arguments, environment, [])


def run_child_with_input(
    text: str, module: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` with `text` on its standard input; its exit code and what it printed."""
    with tempfile.TemporaryDirectory(prefix="strades-child-") as folder:
        given, out, error = (Path(folder) / name for name in ("in", "out", "err"))
        given.write_text(text)
        code = _ask(module, arguments, environment, [given, out, error])
        return subprocess.CompletedProcess([module, *arguments], code, out.read_text(), error.read_text())


def _ask(module: str, arguments: tuple[str, ...], environment: dict[str, str], files: list[Path]) -> int:
    process = _parent()
    assert process.stdin is not None
    assert process.stdout is not None
    question = [module, arguments, {**os.environ, **environment}, [str(file) for file in files]]
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@cache
def _parent() -> "subprocess.Popen[str]":
    """Ends when its input closes, with this process."""
    command = [sys.executable, "-m", "tests.children"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT, start_new_session=True)


def _serve() -> None:
    """Answer each line of input with the exit code of its child."""
    from scrapers.forkserver import LATE as LATE_OF_CRAWLS
    from scrapers.forkserver import SPIDERS

    # Those of crawls first: Scrapy looks through all modules that are loaded before its own.
    for name in (*LATE_OF_CRAWLS, *(f"scrapers.spiders.{kind}" for kind in SPIDERS), *LATE):
        importlib.import_module(name)
    for line in sys.stdin:
        module, arguments, environment, files = json.loads(line)
        importlib.import_module(module if "." in module else f"{module}.__main__")
        child = os.fork()
        if child == 0:
            os._exit(_run(module, arguments, environment, files))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(module: str, arguments: list[str], environment: dict[str, str], files: list[str]) -> int:
    """Be the child; its exit code."""
    os.setsid()
    signal.alarm(LONGEST_SECONDS)
    os.dup2(2, 1)  # standard output is for exit codes
    if files:
        for descriptor, path in enumerate(files):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), descriptor)
        sys.stdin = os.fdopen(0, closefd=False)  # the parent's has read ahead
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    sys.modules.pop(f"{module}.__main__", None)
    if "." in module:
        del sys.modules[module]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve()
