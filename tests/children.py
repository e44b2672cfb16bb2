"""Processes that tests start to be killed: forks of one that has imported what they need, most of what each would cost.

What is forked has a session, an environment and settings of its own, as if it were started anew.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from functools import cache

from strades_pipelines.settings import PROJECT

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
    process = _parent()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([module, arguments, {**os.environ, **environment}]) + "\n")
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
    for name in LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        module, arguments, environment = json.loads(line)
        importlib.import_module(module)
        child = os.fork()
        if child == 0:
            os._exit(_run(module, arguments, environment))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(module: str, arguments: list[str], environment: dict[str, str]) -> int:
    """Be the child; its exit code."""
    os.setsid()
    os.dup2(2, 1)  # standard output is for exit codes
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    del sys.modules[module]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve()
