"""Parsing that cannot take more than a stated time and memory, whatever the bytes are.

What is small is parsed in this process: the readers take time in proportion to a body, but for the parts of feedparser
and of libxml2's HTML reader that do not. What is larger is parsed in a process of its own, since libxml2 and Arrow
cannot be interrupted from within. A child costs about a second, so bodies of the usual size stay here.
"""

import copyreg
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from strades_pipelines.settings import PROJECT
from strades_pipelines.system.child_environment import without_secret_names
from strades_pipelines.system.processes import die_with_parent
from strades_pipelines.system.stopping import SIGNALS, begin_nothing_more_if_requested

PARSE_SECONDS = 60.0
MEMORY_BYTES = 3 * 1024**3  # of addresses; enforced on Linux
SMALL_BYTES = 1_000_000
# 128 kB of attributes of one element take libxml2 0.5 s, 256 kB 2 s; 128 kB of bare tags take feedparser 1 s
SMALL_BYTES_OF = {"html": 128_000, "article": 32_000, "feed": 128_000}
LEAST_COSTLY_BYTES = min(SMALL_BYTES, *SMALL_BYTES_OF.values())  # no smaller body is ever found too costly
TOO_COSTLY = "expected a body that can be read within"


def _read_only(mapping: dict[str, Any]) -> "MappingProxyType[str, Any]":
    return MappingProxyType(mapping)


copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))  # protocols are made of them


def parse_bounded(
    protocol: Protocol,
    body: bytes,
    *,
    given: Mapping[str, str],
    fetched_at: datetime,
    answered_at: datetime | None = None,
    seconds: float = PARSE_SECONDS,
) -> Parsed:
    """`parse`, ended after `seconds` where the body is large; any failure is raised as a refusal of the body.

    Raises:
        BodyRefused: as `parse` does, or it takes too long (the line begins with `TOO_COSTLY`), or its reader fails.
        GivenError: as `parse` does.
    """
    if len(body) <= SMALL_BYTES_OF.get(protocol.read.format, SMALL_BYTES):
        return _parse_or_refuse(protocol, body, given, fetched_at, answered_at)
    question = pickle.dumps((protocol, body, dict(given), fetched_at, answered_at))
    try:
        done = subprocess.run(
            # The parent's id goes along, so that the child ends with it, also where it was killed.
            [sys.executable, "-m", __name__, str(os.getpid())],
            input=question,
            capture_output=True,
            timeout=seconds,
            cwd=PROJECT,
            # The child reads hostile bytes: no key and no password is in its environment.
            env=without_secret_names(os.environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BodyRefused(f"{TOO_COSTLY} {seconds:g} s, was one of {len(body)} bytes that cannot") from None
    begin_nothing_more_if_requested()
    if -done.returncode in SIGNALS:  # a stop of the reader says nothing about the body
        raise RuntimeError(f"the reader of a body of {len(body)} bytes was stopped by a signal")
    if done.returncode != 0:
        raise BodyRefused(f"expected a body that can be read, was one whose reader ended with {done.returncode}")
    answer = pickle.loads(done.stdout)
    if isinstance(answer, Exception):
        raise answer
    parsed: Parsed = answer
    return parsed


def _parse_or_refuse(
    protocol: Protocol, body: bytes, given: Mapping[str, str], fetched_at: datetime, answered_at: datetime | None
) -> Parsed:
    try:
        return parse(protocol, body, given=given, fetched_at=fetched_at, answered_at=answered_at)
    except (BodyRefused, GivenError):
        raise
    # Before `Exception`, as the reason is another: not a fault of the reader, but the size of the body.
    except MemoryError:
        raise BodyRefused("expected a body that fits into memory, was one whose rows do not") from None
    except Exception as error:  # a fault of a reader concerns the body that shows it, not its neighbours
        raise BodyRefused(
            f"expected a body that can be read, was one that fails: {type(error).__name__}: {error}"
        ) from error


def _answer_parent() -> None:
    """Read a question from standard input, write the records or the refusal to standard output."""
    die_with_parent(int(sys.argv[1]))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answer: Parsed | Exception
    try:
        answer = _parse_or_refuse(*pickle.load(sys.stdin.buffer))
    except (BodyRefused, GivenError) as error:
        # A traceback holds frames with the whole body, and cannot be pickled.
        answer = error.with_traceback(None)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    _answer_parent()
