"""A server that is none: it asks whoever connects for the password in clear text, and keeps what it is sent."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
CLEARTEXT_PASSWORD = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword


@dataclass
class Heard:
    """What clients sent: the user and database of each, and what followed the question for the password."""

    port: int
    startups: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)


@contextmanager
def fake_server() -> Iterator[Heard]:
    """Listen on a free port of the loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard = Heard(listening.getsockname()[1])
        thread = Thread(target=_serve, args=[listening, heard], daemon=True)
        thread.start()
        yield heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listening: socket.socket, heard: Heard) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            client, _ = listening.accept()
            client.settimeout(5)
            with client, suppress(OSError):
                _ask_for_password(client, heard)


def _ask_for_password(client: socket.socket, heard: Heard) -> None:
    while header := client.recv(4, socket.MSG_WAITALL):
        message = client.recv(struct.unpack("!i", header)[0] - 4, socket.MSG_WAITALL)
        if struct.unpack("!i", message[:4])[0] in (SSL_REQUEST, GSS_REQUEST):
            client.sendall(b"N")
            continue
        heard.startups.append(message[4:])
        client.sendall(CLEARTEXT_PASSWORD)
        heard.answers.append(client.recv(1_000))
        return
