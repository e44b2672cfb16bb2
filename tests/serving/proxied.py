"""A real NGINX with the configuration of `deploy/nginx`, and what a client sends through it."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer, ThreadingUnixStreamServer

import pytest

from strades_pipelines.serving import nginx
from strades_pipelines.serving.nginx import Site
from strades_pipelines.system.processes import tied_to_this_process
from tests.end_to_end.graphql import wait_for

ONION = f"{'strades' * 8}.onion"


def debian_program(name: str) -> str:
    """The path of a program of Debian. Where there is none the test is skipped, and fails in CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
    if found is None:
        missing = f"{name} is not installed; on Debian: apt-get install {name}"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    text: str


@dataclass(frozen=True)
class Proxy:
    """A running NGINX."""

    site: Site

    @property
    def port(self) -> int:
        """Of its listener with TLS."""
        return int(self.site.listen.rpartition(":")[2])

    @property
    def host(self) -> str:
        """One of its names, as browsers write it."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.host}"

    def tls(self) -> ssl.SSLContext:
        """Trusts its certificate and no other."""
        return ssl.create_default_context(cafile=self.site.certificate[0])

    def opened(self, by: str = "tls") -> socket.socket:
        """A connection, by a way of `ask`."""
        if by == "onion":
            opened = socket.socket(socket.AF_UNIX)
            opened.connect(str(self.site.onion_socket))
        else:
            opened = socket.create_connection(("127.0.0.1", self.port))
        opened.settimeout(60)
        return self.tls().wrap_socket(opened, server_hostname="localhost") if by == "tls" else opened

    def ask(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | str = b"",
        *,
        by: str = "tls",
    ) -> Answer:
        """Send exactly this request by TLS, in the clear to the same port (`plain`), or to the onion's socket.

        Its `Host` is the proxy's first name where `headers` have none.
        """
        connection = HTTPConnection("localhost", self.port)
        connection.sock = self.opened(by)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        data = body.encode() if isinstance(body, str) else body
        sent = {"Host": ONION if by == "onion" else self.host, **(headers or {})}
        if data or method == "POST":
            sent["Content-Length"] = str(len(data))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        with suppress(OSError):  # it may answer before the body's end, and close
            connection.send(data)
        response = connection.getresponse()
        answer = Answer(response.status, response.msg, response.read().decode(errors="replace"))
        connection.close()
        return answer


@contextmanager
def nginx_running(site: Site) -> Iterator[Proxy]:
    """Start NGINX with the configuration for `site`; what it says is in `output` of the folder."""
    debian_program("nginx")
    nginx.write(site)
    proxy = Proxy(site)
    with (site.folder / "output").open("wb") as output:
        process = subprocess.Popen(tied_to_this_process(nginx.command(site.folder)), stdout=output, stderr=output)
    try:
        wait_for("NGINX", lambda: _listens(proxy.port) or process.poll() is not None, seconds=30, pause=0.05)
        assert process.poll() is None, (site.folder / "output").read_text()
        yield proxy
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Recorder:
    """A server that keeps the headers of each request, for what a part behind NGINX is sent.

    Args:
        begun: method and path of each, as soon as its headers are there; `seen` has it once its body is.
    """

    port: int = 0
    seen: list[tuple[str, Message]] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)


@contextmanager
def recorder(path: Path | None = None, statuses: Mapping[str, int] | None = None) -> Iterator[Recorder]:
    """Answers every request with 200, or with the status of its path.

    Args:
        path: of the Unix socket on which it listens; None: at a port.
    """
    kept = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Keep it."""
            kept.begun.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kept.seen.append((self.path, self.headers))
            self.send_response((statuses or {}).get(self.path, 200))
            self.send_header("Set-Cookie", "planted=1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            """Keep it too."""
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server: BaseServer
    server = ThreadingUnixStreamServer(str(path), Handler) if path else ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with server:
        address = server.server_address
        kept.port = int(address[1]) if isinstance(address, tuple) else 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()
