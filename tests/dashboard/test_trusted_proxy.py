"""What is believed of a visitor, by the way on which his request came."""

import asyncio
import socket
import struct
from typing import Any

import pytest
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from dashboard.trusted_proxy import TrustedProxy

SAID = [
    (b"host", b"x"),
    (b"x-real-ip", b"192.0.2.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-for", b"9.9.9.9"),
]


SOCKET, PORT = ("/run/dashboard.sock", None), ("127.0.0.1", 8000)
ServerAddress = tuple[str, int | None] | None


def passed_on(
    client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]], server: ServerAddress = SOCKET
) -> dict[str, Any]:
    """The scope that the application gets of a request to the listener `server`."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "http", "client": client, "server": server, "scheme": "http", "headers": headers}
    asyncio.run(TrustedProxy(app)(scope, None, None))  # type: ignore[arg-type]
    return dict(seen[0])


def test_by_the_socket_the_proxy_says_address_and_scheme() -> None:
    got = passed_on(None, SAID)
    assert (got["client"], got["scheme"], got["headers"]) == (("192.0.2.7", 0), "https", [(b"host", b"x")])


def test_by_tcp_nobody_says_anything() -> None:
    got = passed_on(("127.0.0.1", 5), SAID, PORT)
    assert (got["client"], got["scheme"], got["headers"]) == (("127.0.0.1", 5), "http", [(b"host", b"x")])


@pytest.mark.parametrize("server", [PORT, None])
def test_by_tcp_nobody_says_anything_either_where_the_other_end_is_not_known(server: ServerAddress) -> None:
    got = passed_on(None, SAID, server)
    assert (got["client"], got["scheme"], got["headers"]) == (None, "http", [(b"host", b"x")])


def test_uvicorn_tells_a_unix_socket_from_a_port_by_its_listener(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also of a connection that was reset before it was looked at, whose other end uvicorn does not know."""
    seen: list[Any] = []

    class Listening(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen.append((get_local_addr(transport), get_remote_addr(transport)))  # type: ignore[arg-type]

    async def connect(listening: socket.socket, *, resets: bool) -> None:
        listening.listen()
        with socket.socket(listening.family) as visitor:
            visitor.connect(listening.getsockname())
            if resets:
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                visitor.close()
            server = await asyncio.get_running_loop().create_server(Listening, sock=listening)
            while not seen:
                await asyncio.sleep(0.01)
            server.close()

    path = str(tmp_path_factory.mktemp("s") / "s")
    for family, address, resets in ((socket.AF_UNIX, path, False), (socket.AF_INET, ("127.0.0.1", 0), True)):
        seen.clear()
        listening = socket.socket(family)
        listening.bind(address)
        port = listening.getsockname()[1] if family == socket.AF_INET else None
        asyncio.run(connect(listening, resets=resets))
        assert seen == [((path if port is None else "127.0.0.1", port), None)]


@pytest.mark.parametrize("address", [b"", b"unix:", b"127.0.0.1, 192.0.2.1", b"localhost", None])
def test_what_is_no_address_is_nobodys_and_never_this_machine(address: bytes | None) -> None:
    headers = [(b"x-real-ip", address)] if address is not None else []
    got = passed_on(None, headers)
    assert (got["client"], got["scheme"]) == (("::", 0), "http")
