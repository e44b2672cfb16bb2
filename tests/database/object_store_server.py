"""A stand-in for an object store: the requests of S3 that pyarrow sends, objects in memory, one key that is let in."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET = "AKIDSTANDIN", "canary-secret-of-the-store"


@dataclass
class ObjectStoreServer:
    """What the stand-in holds, and what a test has it do wrong."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    is_silent: bool = False  # takes requests and answers none
    silent_about: str = ""  # as that, of writes of objects with this in their name
    refuses_writes: bool = False
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"s3://bucket/strades?scheme=http&endpoint_override=127.0.0.1:{self.port}&region=us-east-1"


@contextmanager
def serving() -> Iterator[ObjectStoreServer]:
    """A stand-in on a free port, until the block ends."""
    state = ObjectStoreServer()

    class Handler(_Handler):
        store = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield state
        finally:
            state.stopped.set()
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ObjectStoreServer

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""

    def _object(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path).removeprefix("/bucket").strip("/"), parse_qs(parts.query, keep_blank_values=True)

    def _body(self) -> bytes:
        """What was sent, out of the chunks of HTTP and of those of AWS in them."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            sent = _unchunked(self.rfile)
        else:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _unchunked(io.BytesIO(sent)) if "aws-chunked" in self.headers.get("Content-Encoding", "") else sent

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        size = headers.pop("size", str(len(body)))
        for name, value in {**headers, "Content-Length": size}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, code: int, what: str) -> None:
        self._answer(code, f"<Error><Code>{what}</Code><Message>{what}</Message></Error>".encode())

    def _is_let_in(self) -> bool:
        self.store.requests.append(f"{self.command} {self.path}")
        is_write = self.command in ("PUT", "POST")
        about = self.store.silent_about
        if self.store.is_silent or (is_write and about and about in self.path):
            self.store.stopped.wait()
            self.close_connection = True
            return False
        is_known = f"Credential={KEY}/" in self.headers.get("Authorization", "")
        if not is_known or (self.store.refuses_writes and is_write):
            self._error(403, "AccessDenied")
            return False
        return True

    def do_HEAD(self) -> None:
        name, _ = self._object()
        if not self._is_let_in():
            return
        if name and name not in self.store.objects:
            self._answer(404)
            return
        self._answer(200, size=str(len(self.store.objects.get(name, b""))), ETag='"1"')

    def do_GET(self) -> None:
        name, query = self._object()
        if not self._is_let_in():
            return
        if "list-type" in query:
            self._list(query["prefix"][0])
            return
        content = self.store.objects.get(name)
        if content is None:
            self._error(404, "NoSuchKey")
            return
        begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = content[int(begin) : int(end) + 1 if end else None]
        self._answer(206, part, ETag='"1"')

    def _list(self, prefix: str) -> None:
        found = {name: len(body) for name, body in self.store.objects.items() if name.startswith(prefix)}
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size><ETag>1</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for name, size in sorted(found.items())
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>{len(found)}</KeyCount>{rows}"
        self._answer(200, f"{text}</ListBucketResult>".encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        (name, query), body = self._object(), self._body()
        if not self._is_let_in():
            return
        if "uploadId" in query:
            self.store.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.store.objects[name] = body
        self._answer(200, ETag='"1"')

    def do_POST(self) -> None:
        (name, query), _ = self._object(), self._body()
        if not self._is_let_in():
            return
        if "uploads" in query:
            upload = str(len(self.store.uploads))
            self.store.uploads[upload] = {}
            self._answer(200, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
                              "</InitiateMultipartUploadResult>".encode())  # fmt: skip
            return
        parts = self.store.uploads[query["uploadId"][0]]
        self.store.objects[name] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")


def _unchunked(file: io.BufferedIOBase) -> bytes:
    found = b""
    while size := int(file.readline().split(b";")[0], 16):
        found += file.read(size)
        file.readline()
    while file.readline().strip():  # what follows the chunks: checksums
        pass
    return found
