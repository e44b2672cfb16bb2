"""`python -m scrapers.forkserver`: crawl one plan after the other, each in a process of its own.

A second crawl in one process fails, and to start Python and Scrapy for each source costs more than most crawls take.
So they are loaded once, and each crawl is a fork. A plan is one line of JSON on standard input, its answer
one line on standard output: `{"code": 0, "out": "...", "error": "..."}`, which is the return code and what
`python -m scrapers` would have written. It ends when its input does.
"""

import importlib
import io
import json
import os
import signal
import sys
import tempfile
import traceback
from typing import IO

from scrapers import __main__ as crawl
from strades_pipelines.processes import die_with_parent

TIMEOUT_SECONDS = 3600
# What a crawl imports when it begins. None of them may make Twisted's reactor: two processes would share it.
LATE = ("scrapers.settings", "scrapers.pipelines", "scrapers.middlewares", "scrapy.crawler", "lxml.etree")
SPIDERS = ("api", "file", "feed", "page")


def serve() -> None:
    """Answer one line with another, until there is none."""
    for name in (*LATE, *(f"scrapers.spiders.{kind}" for kind in SPIDERS)):
        importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        raise RuntimeError("the reactor was made before the fork")
    for line in sys.stdin:
        print(json.dumps(crawl_in_fork(line)), flush=True)


def crawl_in_fork(plan: str) -> dict[str, object]:
    """What a crawl came to; its code is the negative number of the signal that ended it, if one did."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        server = os.getpid()
        child = os.fork()
        if child == 0:
            die_with_parent(server)
            os._exit(_become(plan, out, error))
        _, status = os.waitpid(child, 0)
        for file in (out, error):
            file.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "out": out.read(), "error": error.read()}


def _become(plan: str, out: IO[str], error: IO[str]) -> int:
    """Crawl, in the child; its return code."""
    signal.alarm(TIMEOUT_SECONDS)
    os.dup2(out.fileno(), 1)
    os.dup2(error.fileno(), 2)
    sys.stdin = io.StringIO(plan)
    try:
        return crawl.main()
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    serve()
