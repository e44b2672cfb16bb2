"""What is believed of a visitor, by the way on which his request came."""

import asyncio
from typing import Any

import pytest

from dashboard.trusted_proxy import TrustedProxy

SAID = [
    (b"host", b"x"),
    (b"x-real-ip", b"192.0.2.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-for", b"9.9.9.9"),
]


def passed_on(client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The scope that the application gets."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "http", "client": client, "scheme": "http", "headers": headers}
    asyncio.run(TrustedProxy(app)(scope, None, None))  # type: ignore[arg-type]
    return dict(seen[0])


def test_by_the_socket_the_proxy_says_address_and_scheme() -> None:
    got = passed_on(None, SAID)
    assert (got["client"], got["scheme"], got["headers"]) == (("192.0.2.7", 0), "https", [(b"host", b"x")])


def test_by_tcp_nobody_says_anything() -> None:
    got = passed_on(("127.0.0.1", 5), SAID)
    assert (got["client"], got["scheme"], got["headers"]) == (("127.0.0.1", 5), "http", [(b"host", b"x")])


@pytest.mark.parametrize("address", [b"", b"unix:", b"127.0.0.1, 192.0.2.1", b"localhost", None])
def test_what_is_no_address_is_nobodys_and_never_this_machine(address: bytes | None) -> None:
    headers = [(b"x-real-ip", address)] if address is not None else []
    got = passed_on(None, headers)
    assert (got["client"], got["scheme"]) == (("::", 0), "http")
