"""Work out what a bundle of others comes to in a process that is shut in, and read the answer.

The child gets the question through a pipe, the files in an empty folder, and an environment without a variable of ours.
It shuts itself in (`system/isolation.py`) before it imports anything of the code. What it answers is JSON: nothing that
it says is run or unpickled here.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import TypeAdapter

from strades_pipelines.datamanager.strict_json import loads
from strades_pipelines.settings import ENVIRONMENT_ONLY, PROJECT
from strades_pipelines.sharing.manifest import Claims, canonical_json
from strades_pipelines.sharing.work_folder import find_excess, work_folder
from strades_pipelines.system.isolation import IsolationUnavailable, Limits, check_available, isolate
from strades_pipelines.system.processes import die_with_parent
from strades_pipelines.system.stopping import SIGNALS, begin_nothing_more_if_requested

PACKAGE = PROJECT / "strades_pipelines"
MOST_SECONDS = 900.0  # of wall clock; the limit of processor time is in `Limits`
MOST_ANSWER = 32 * 2**20
MOST_THREADS = 256  # libraries start one for each processor
LOOK_SECONDS = 0.5  # from one look at what it uses to the next
STOP_SECONDS = 1.0  # within which a stop of both processes has reached this one, too
# What Python, NumPy and LLVM read besides their own folders.
SYSTEM_FILES = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo", "/etc/localtime"),
    *("/dev/null", "/dev/urandom", "/sys/devices/system/cpu"),
)


class CodeFailed(Exception):
    """The code did not run through; one line on where and why."""


class Question(Protocol):
    """What the process works out; it is pickled to it. One class for each kind of bundle.

    Attributes:
        names: of the parts of the result.
    """

    names: ClassVar[tuple[str, ...]]

    @property
    def limits(self) -> Limits:
        """What the process may use."""

    def work_out(self, work: Path) -> Mapping[str, Any]:
        """`result`, `claims` and `code_sha256` of an Answer, as JSON takes them; in the process that is shut in.

        Args:
            work: the folder with the files of the bundle.
        """


@dataclass(frozen=True)
class Answer:
    """What a run came to.

    Attributes:
        result: by the names of the question, as JSON knows it.
        claims: figures of the run by name; None where one is not defined.
        code_sha256: over the code of the bundle, if any, and everything of Strades that shapes a result.
    """

    result: Mapping[str, Any]
    claims: Mapping[str, float | int | None]
    code_sha256: str

    @property
    def encoded(self) -> bytes:
        """The result as the bytes of `result.json`."""
        return canonical_json(self.result)


def rerun(files: Mapping[str, bytes], question: Question, *, seconds: float = MOST_SECONDS) -> Answer:
    """Work a question out in a process that is shut in.

    Args:
        files: of the bundle, by path.
        seconds: of wall clock that it may take.

    Raises:
        CodeFailed: it raised, asked for what it may not, took too long or too much memory, or answered what is none.
        IsolationUnavailable: this machine cannot shut a process in.
    """
    check_available()
    with work_folder() as work, tempfile.TemporaryFile() as answer:
        for path, content in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(content)
        with tempfile.TemporaryFile() as errors:
            code = _run_child(work, question, answer, errors, seconds)
            if -code in SIGNALS:  # by a stop, which ends this process as well, or by itself
                time.sleep(STOP_SECONDS)
            begin_nothing_more_if_requested()
            said = _last_line(errors)
        answer.seek(0)
        body = answer.read(MOST_ANSWER + 1)
    return _read_answer(body, code, said, question.names)


def _run_child(work: Path, question: Question, answer: Any, errors: Any, seconds: float) -> int:
    command = [sys.executable, "-s", "-m", __name__, str(os.getpid()), str(work)]
    environment = {
        "HOME": str(work),
        "TMPDIR": str(work),
        "STRADES_HOME": str(work / ".strades"),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",  # a set of texts has the same order each time
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        ENVIRONMENT_ONLY: "1",
    }
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=answer, stderr=errors, cwd=PROJECT, env=environment)
    end = time.monotonic() + seconds
    sent: bytes | None = pickle.dumps(question)
    try:
        while not _ends_within(child, sent, min(LOOK_SECONDS, seconds)):
            sent = None  # it goes on with the rest by itself
            if time.monotonic() > end:
                raise CodeFailed(f"expected a run of at most {seconds:g} s, it takes longer")
            if excess := find_excess(work) or _find_too_many_threads(child.pid):
                raise CodeFailed(excess)
    finally:
        child.kill()
        child.wait()
    return child.returncode


def _ends_within(child: "subprocess.Popen[bytes]", sent: bytes | None, seconds: float) -> bool:
    try:
        child.communicate(sent, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _find_too_many_threads(process: int) -> str | None:
    """What is too much, or None: also where the process has just ended."""
    try:
        said = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^Threads:\s*(\d+)$", said, re.MULTILINE)
    is_fine = found is None or int(found[1]) <= MOST_THREADS
    return None if is_fine else f"expected at most {MOST_THREADS} threads, it starts more"


def _last_line(errors: Any) -> str:
    errors.seek(0, os.SEEK_END)
    # Of errors that may have no end the last line is all that counts.
    errors.seek(max(0, errors.tell() - 4096))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    # What code of others says could steer a terminal.
    return "".join(letter for letter in lines[-1][:300] if letter.isprintable()) if lines else ""


def _read_answer(body: bytes, code: int, said: str, names: Collection[str]) -> Answer:
    if code != 0:
        reason = signal.Signals(-code).name if code < 0 else f"code {code}"
        raise CodeFailed(f"expected a run that ends, its process ended with {reason}" + (f": {said}" if said else ""))
    try:
        if len(body) > MOST_ANSWER:
            raise ValueError
        found = loads(body)
        if "unavailable" in found:
            raise IsolationUnavailable(str(found["unavailable"])[:300])
        if "error" in found:
            raise CodeFailed(" ".join(str(found["error"]).split())[:300])
        claims = TypeAdapter(Claims).validate_python(found["claims"])
        said_to_be = Answer(dict(found["result"]), claims, str(found["code_sha256"])[:64])
        if said_to_be.result.keys() != set(names) or not said_to_be.encoded:
            raise ValueError
        return said_to_be
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CodeFailed("expected the result of a run, its process answered something else") from None


def _answer_parent() -> None:
    """Shut this process in, then run what comes on standard input; the answer goes to standard output."""
    die_with_parent(int(sys.argv[1]))
    work = Path(sys.argv[2]).resolve()
    os.chdir(work)
    os.nice(5)  # what serves comes first
    answer = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what the code prints is no part of it
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    try:
        isolate(readable=[*installed, PACKAGE, *map(Path, SYSTEM_FILES)], writable=work)
    except OSError as error:
        document: dict[str, Any] = {"unavailable": error.strerror or str(error)}
    else:
        document = _run(pickle.load(sys.stdin.buffer), work)
    with os.fdopen(answer, "wb") as stream:
        stream.write(json.dumps(document, default=str).encode())


def _run(question: Question, work: Path) -> dict[str, Any]:
    from strades_pipelines.bad_input import BadInput

    try:
        return dict(question.work_out(work))
    except BadInput as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    _answer_parent()
