"""A server that sends exactly the bytes it is told to, for answers that no well-behaved library would send."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

Stream = Callable[[], Iterable[bytes]]
Answers = Mapping[str, bytes | Stream | None]


@contextmanager
def raw_server(answers: Answers, asked: list[str] | None = None) -> Iterator[str]:
    """Send each path's bytes and close; None never answers, a stream goes on until it ends or the client does.

    `asked` collects the heads of the requests that came."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    open_sockets: list[socket.socket] = []

    def answer(taken: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (read := taken.recv(65_536)):
            head += read
        if asked is not None:
            asked.append(head.decode("latin-1"))
        path = head.split(b" ")[1].decode() if head else ""
        sent = answers.get(path.partition("?")[0], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        if sent is None:
            return
        with suppress(OSError):
            for part in (sent,) if isinstance(sent, bytes) else sent():
                taken.sendall(part)
        taken.close()

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(taken)
            threading.Thread(target=answer, args=[taken], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        for each in open_sockets:
            each.close()


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """The bytes of a response."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
