"""`python -m scrapers.forkserver`: crawl plans side by side, each in a process of its own.

A second crawl in one process fails, and to start Python and Scrapy for each source costs more than most crawls take.
So they are loaded once, and each crawl is a fork. A question is one line of JSON on standard input,
`{"id": 1, "plan": {...}, "secrets": {"NAME": "..."}}`, its answer one line on standard output, in the order in which
crawls end: `{"id": 1, "code": 0, "out": "...", "error": "..."}`, which is the return code and what `python -m scrapers`
would have written.
Where its input ends it kills the crawls that are not done and ends.
"""

import importlib
import io
import json
import os
import selectors
import signal
import sys
import tempfile
import traceback
from collections import deque
from dataclasses import dataclass
from typing import IO, Any

from scrapers import __main__ as crawl
from scrapers.redaction import redacted
from strades_pipelines.system.processes import die_with_parent

MOST_CRAWLS = 12  # at once; each holds a connection to the database and about 60 MB of its own
GRACE_SECONDS = 30  # beyond a plan's budget: to store what came last
# What a crawl imports when it begins: the download handler alone would cost each 0.4 s of processor (2026-11-30), since
# Scrapy looks through all loaded modules while it is imported. None of them may make Twisted's reactor: two processes
# would share it.
LATE = (
    "scrapers.settings",
    "scrapers.pipelines",
    "scrapers.middlewares",
    "scrapers.credentials",
    "scrapers.download_handler",
    "scrapy.crawler",
    "lxml.etree",
)
SPIDERS = ("api", "file", "feed", "page")


@dataclass(frozen=True)
class Crawl:
    """A crawl that goes on: its question's id, and the files that it writes to."""

    id: int
    out: IO[str]
    error: IO[str]


class Server:
    """Forks a crawl for each question, at most `MOST_CRAWLS` at once, and answers when it ends."""

    def __init__(self) -> None:
        self.waiting: deque[dict[str, Any]] = deque()
        self.running: dict[int, Crawl] = {}  # by process id

    def serve(self) -> None:
        """Take questions until there are no more."""
        wake, woken = os.pipe()
        for end in (wake, woken):
            os.set_blocking(end, False)
        # A handler that does nothing: a signal that is ignored writes nothing to the pipe.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken)
        selector = selectors.DefaultSelector()
        selector.register(wake, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        text = b""
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wake in ready:
                os.read(wake, 4096)
                self.answer_ended()
            if 0 in ready:
                read = os.read(0, 1 << 16)
                if not read:
                    break
                *lines, text = (text + read).split(b"\n")
                self.waiting.extend(map(json.loads, lines))
            while self.waiting and len(self.running) < MOST_CRAWLS:
                self.fork(self.waiting.popleft())
        for child in self.running:
            os.kill(child, signal.SIGKILL)

    def fork(self, question: dict[str, Any]) -> None:
        """Begin a crawl."""
        out, error = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115 (closed when it ended)
        made = Crawl(question["id"], out, error)
        server = os.getpid()
        child = os.fork()
        if child == 0:
            die_with_parent(server)
            # Not `sys.exit`: what the server does at its end is not the child's to do.
            os._exit(_become(question, made.out, made.error))
        self.running[child] = made

    def answer_ended(self) -> None:
        """Answer for the crawls that ended; a signal that ended one is its code, as a negative number."""
        while self.running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            ended = self.running.pop(child)
            for file in (ended.out, ended.error):
                file.seek(0)
            code = os.waitstatus_to_exitcode(status)
            answer = {"id": ended.id, "code": code, "out": ended.out.read(), "error": ended.error.read()}
            ended.out.close()
            ended.error.close()
            print(json.dumps(answer), flush=True)


def _become(question: dict[str, Any], out: IO[str], error: IO[str]) -> int:
    """Crawl, in the child; its return code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    plan = question["plan"]
    budget = plan.get("budget_seconds")
    # The kernel ends a crawl that hangs, whatever its loop is waiting for.
    signal.alarm(int(budget if isinstance(budget, int | float) else 0) + GRACE_SECONDS)
    os.environ.update(question.get("secrets", {}))  # of this child alone
    os.dup2(out.fileno(), 1)
    os.dup2(error.fileno(), 2)
    sys.stdin = io.StringIO(json.dumps(plan))
    try:
        return crawl.main()
    # SystemExit too: a child that came back into the loop would serve beside its parent.
    except BaseException:
        print(redacted(traceback.format_exc()), file=sys.stderr)
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def main() -> None:
    """Load what crawls need, then serve."""
    for name in (*LATE, *(f"scrapers.spiders.{kind}" for kind in SPIDERS)):
        importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        raise RuntimeError("the reactor was made before the fork")
    Server().serve()


if __name__ == "__main__":
    main()
