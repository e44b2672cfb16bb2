"""Tiny parts for tests of the supervisor: real processes that answer over HTTP, in a fraction of a second."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from strades_pipelines.supervision.child import Child
from strades_pipelines.supervision.part import Part
from strades_pipelines.supervision.probes import page_answers
from strades_pipelines.supervision.process_table import is_stopped
from strades_pipelines.supervision.supervisor import Supervisor, Telling
from strades_pipelines.supervision.timing import Timing
from strades_pipelines.system.ports import free_port
from tests.waiting import wait_until

QUICK = Timing(look=0.05, probe=0.1, patience=0.8, first_delay=0.05, longest_delay=0.4, settle=0.5, pause=1.5, stop=1)


@dataclass
class Fleet:
    """Fake parts under a supervisor that runs in a thread.

    Args:
        incidents: what was told, as (part, reason).
    """

    supervisor: Supervisor
    children: dict[str, Child]
    incidents: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def pid(self, name: str) -> int:
        """The process id of a part that runs."""
        return int(wait_until(lambda: self.children[name].pid))

    def healthy(self) -> bool:
        """Whether all answer."""
        return all(map(self.supervisor.is_healthy, self.children))


def server_command(port: int) -> list[str]:
    """A web server on a port."""
    return [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]


@contextmanager
def fleet(
    *names: str,
    needs: dict[str, tuple[str, ...]] | None = None,
    commands: dict[str, Callable[[], list[str]]] | None = None,
    timing: Timing = QUICK,
    folder: Path = Path("/tmp"),
) -> Iterator[Fleet]:
    """Parts named `names`, all at work; `commands` of those that are no plain web server."""
    incidents: list[tuple[str, str]] = []
    notes: list[str] = []
    children, parts = {}, []
    for name in names:
        port = free_port()
        command = (commands or {}).get(name, partial(server_command, port))
        child = Child(name, command, lambda: os.environ, folder, lambda *_: None)
        probe = partial(_probe, child, f"http://127.0.0.1:{port}/")
        children[name] = child
        parts.append(Part(name, child, probe, (needs or {}).get(name, ()), start_seconds=10))
    telling = Telling(lambda part, reason, _: incidents.append((part, reason)), lambda part, text: notes.append(text))
    made = Fleet(Supervisor(parts, telling, timing), children, incidents, notes)
    thread = threading.Thread(target=made.supervisor.run)
    thread.start()
    try:
        yield made
    finally:
        made.supervisor.stop()
        thread.join()


def _probe(child: Child, url: str) -> str | None:
    return "was stopped" if is_stopped(child.pid) else page_answers(url)


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The URL of a web server that keeps the alerts it gets."""
    posted: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/alert", posted
    finally:
        server.shutdown()
        server.server_close()
