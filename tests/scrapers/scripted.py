"""A server that answers as it was told, for what the sandbox does not do: redirects, encodings, dates to wait for."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Line:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def scripted(script: dict[str, list[Line]], *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve each path's lines in turn, the last one again and again. Paths begin with the real host: `/host/path`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            lines = script[self.path]
            line = lines.pop(0) if len(lines) > 1 else lines[0]
            self.send_response(line.status)
            for name, value in {"Content-Length": str(len(line.body)), **line.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(line.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the tests look at what was stored."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
