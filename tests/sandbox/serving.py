"""A real sandbox server in a thread of the test process, on a free loopback port."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.server import Sandbox
from sandbox.world import World

SEED = 20260101


@dataclass(frozen=True)
class Response:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Served:
    """A running sandbox: where it is, and its insides."""

    url: str
    app: Sandbox

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        """Ask for `/<host>/<path>?<query>`."""
        request = urllib.request.Request(f"{self.url}/{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Response(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
        except urllib.error.HTTPError as error:
            return Response(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def misbehave(self, host: str, kind: str, **rule: Any) -> None:
        """Ask for a misbehaviour, through the door that a user would take."""
        body = json.dumps({"host": host, "kind": kind, **rule}).encode()
        request = urllib.request.Request(f"{self.url}/-/misbehave", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20):
            pass

    def control(self, path: str, **document: Any) -> Response:
        """POST `/-/venue/<path>`, as a user would."""
        return self.post(f"venue/{path}", **document)

    def post(self, path: str, **document: Any) -> Response:
        """POST `/-/<path>`."""
        body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/-/{path}", body, headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return Response(response.status, dict(response.headers), response.read())

    def reset(self) -> None:
        """Well-behaved again, every bucket full, nothing asked yet."""
        self.app.rules.rules.clear()
        self.app.limiter.buckets.clear()
        self.app.forget()


@contextmanager
def served(
    *, now: str | None, extra: Path, seed: int = SEED, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Served]:
    """A sandbox on a free port for as long as the block runs, its clock held at `now` or, for None, that of `clock`."""
    held = datetime.fromisoformat(now) if now is not None else None
    app = Sandbox(World(now=lambda: held or clock(), clock_held=held is not None, seed=seed, extra=extra))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        date_header=False,
        server_header=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
