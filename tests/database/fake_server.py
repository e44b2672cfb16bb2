"""A fake PostgreSQL server: asks every client for its password in clear text and records what the client sends."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
CLEARTEXT_PASSWORD = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword


@dataclass
class Transcript:
    """What clients sent: the startup message of each, and its answer to the password request."""

    port: int
    startups: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    is_writing: Lock = field(default_factory=Lock)  # held while a client is served

    def passwords(self) -> list[bytes]:
        """The answers to the password request that hold anything; waits until the last client is gone."""
        with self.is_writing:
            assert len(self.answers) == len(self.startups)
            return [answer for answer in self.answers if answer]


@contextmanager
def fake_server() -> Iterator[Transcript]:
    """Listen on a free port of the loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        transcript = Transcript(listening.getsockname()[1])
        thread = Thread(target=_serve, args=[listening, transcript], daemon=True)
        thread.start()
        yield transcript
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listening: socket.socket, transcript: Transcript) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            client, _ = listening.accept()
            client.settimeout(5)
            with client, transcript.is_writing, suppress(OSError):
                _ask_for_password(client, transcript)


def _ask_for_password(client: socket.socket, transcript: Transcript) -> None:
    while header := client.recv(4, socket.MSG_WAITALL):
        message = client.recv(struct.unpack("!i", header)[0] - 4, socket.MSG_WAITALL)
        if struct.unpack("!i", message[:4])[0] in (SSL_REQUEST, GSS_REQUEST):
            client.sendall(b"N")
            continue
        transcript.startups.append(message[4:])
        client.sendall(CLEARTEXT_PASSWORD)
        transcript.answers.append(client.recv(1_000))
        return
