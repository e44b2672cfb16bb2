"""Ends this process within seconds of SIGINT, SIGTERM or SIGHUP, whatever its main thread is doing.

A Python signal handler runs only when the main thread gets back to Python code, and Dagster and Scrapy put handlers of
their own in its place. So a thread reads the pipe that the interpreter's C handler writes each signal to
(`signal.set_wakeup_fd`), ends what was started, and leaves by `os._exit`. No clean-up of the main thread is waited for:
each step of the product is proven to survive SIGKILL, and what must be tidied is registered with `at_stop`.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psutil import Process

Action = Callable[[], object]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Children get a moment to end by themselves, then SIGKILL.
CHILD_SECONDS = 0.5
# All of the stop: `at_stop` actions ask a database, which may not answer.
LIMIT_SECONDS = 4.0
SHOW_CURSOR = b"\x1b[?25h"
# Removes the semaphores of a pool of processes after the pool is gone, ignores SIGTERM, and ends with its parent.
RESOURCE_TRACKER = "multiprocessing.resource_tracker"

# What Python tells of before it makes a process (sys.addaudithook); an audit hook stays for good.
MAKES_A_PROCESS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty"})

_actions: list[Action] = []
_has_hook = False
_requested = threading.Event()
_finished = threading.Event()
_pipe: tuple[int, int] | None = None


def arm(*, grace_seconds: float = 0.0) -> None:
    """Stop this process on a signal from now on. Call it from the main thread; a second call changes nothing.

    Args:
        grace_seconds: how long after the signal the main thread has to come to `disarm` by itself.
    """
    global _pipe, _has_hook
    if _pipe is not None:
        return
    if not _has_hook:
        sys.addaudithook(_make_no_process_when_stopping)
        _has_hook = True
    import psutil  # noqa: F401  # needed at the stop, when the main thread may hold the import's lock

    _pipe = os.pipe()
    # `set_wakeup_fd` takes only an end that does not block; the thread waits at the other one.
    for end in _pipe:
        os.set_blocking(end, False)
    os.set_blocking(_pipe[0], True)
    ignored = {number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN}
    _requested.clear()
    _finished.clear()
    threading.Thread(target=_listen, args=(_pipe[0], ignored, grace_seconds), daemon=True, name="stopping").start()
    signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    for number in SIGNALS:
        # Not SIG_IGN: Dagster, when it is imported, gives SIGTERM the handler that SIGINT has.
        signal.signal(number, _handled_by_the_thread)


def disarm() -> None:
    """Give the signals back their default action."""
    global _pipe
    _finished.set()
    if _pipe is None:
        return
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.close(_pipe[1])  # the thread reads the end of the pipe, and ends
    _pipe = None


@contextmanager
def at_stop(action: Action) -> Iterator[None]:
    """Call `action` in the stopping thread if this process is stopped within the block; the newest is called first.

    It must neither wait for the main thread nor begin work that lasts longer than a second.
    """
    _actions.append(action)
    try:
        yield
    finally:
        with suppress(ValueError):
            _actions.remove(action)


def requested() -> bool:
    """Whether this process is being stopped."""
    return _requested.is_set()


def begin_nothing_more_if_requested() -> None:
    """Wait here for the end of the process if it is being stopped; otherwise do nothing. Call it before each stage."""
    if _requested.is_set():
        threading.Event().wait()


def _make_no_process_when_stopping(event: str, _arguments: tuple[object, ...]) -> None:
    """Hold a thread that is about to start a child: who waited for one that was ended goes on, and starts the next."""
    if event in MAKES_A_PROCESS and _requested.is_set() and not _finished.is_set():
        threading.Event().wait()


def _handled_by_the_thread(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the C handler has written to the pipe already."""


def _listen(read_end: int, ignored: set[signal.Signals], grace_seconds: float) -> None:
    """Wait for the first signal that this process was not started to ignore, and stop."""
    try:
        while written := os.read(read_end, 1):
            if written[0] not in ignored and written[0] in SIGNALS:
                _stop(signal.Signals(written[0]), grace_seconds)
                return
    finally:
        os.close(read_end)


def _stop(number: signal.Signals, grace_seconds: float) -> None:
    _requested.set()
    code = 128 + number
    limit = threading.Timer(grace_seconds + LIMIT_SECONDS, os._exit, [code])
    limit.daemon = True
    limit.start()
    _say(f"strades: stopped by {number.name}; what is stored stays, and the next run goes on from there\n")
    end_children()
    if _finished.wait(grace_seconds):
        limit.cancel()
        return
    for action in list(reversed(_actions)):
        with suppress(Exception):
            action()
    end_children()  # one that was being made when the others were ended
    os._exit(code)


def _say(line: str) -> None:
    # Not by `print`: the main thread may hold the lock of the stream.
    with suppress(OSError):
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + line.encode())


def end_children() -> None:
    """End all descendants of this process, but for those in a session of their own: servers that are meant to stay."""
    import psutil

    children = [child for child in psutil.Process().children(recursive=True) if _is_ours(child)]
    for child in children:
        with suppress(psutil.Error):
            child.terminate()
    for child in _wait_for_end(children):
        with suppress(psutil.Error):
            child.kill()


def _wait_for_end(children: "list[Process]") -> "list[Process]":
    """Give `children` their moment; returns those that still run.

    Not `psutil.wait_procs`: it takes the exit code that the main thread waits for, and `subprocess` then reports 0.
    """
    end = time.monotonic() + CHILD_SECONDS
    while (alive := [child for child in children if _runs(child)]) and time.monotonic() < end:
        time.sleep(0.02)
    return alive


def _runs(child: "Process") -> bool:
    import psutil

    try:
        return bool(child.is_running() and child.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is_ours(child: "Process") -> bool:
    import psutil

    try:
        return os.getsid(child.pid) == os.getsid(0) and RESOURCE_TRACKER not in " ".join(child.cmdline())
    except (OSError, psutil.Error):
        return False  # it has ended


def _forget_in_child() -> None:
    """A forked child shares the pipe: a signal to it must not stop its parent."""
    global _pipe
    if _pipe is not None:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for end in _pipe:
            os.close(end)
        _pipe = None
    _actions.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_in_child)
