"""Where a stream's address leads: to the sandbox in its world; in the live one to the provider, on the public internet.

An address comes from a file, and what its name resolves to from somebody else: neither may make this machine talk to
itself or to its neighbours. So the socket is opened here, to an address that was looked at; with a socket given,
`websockets` follows no redirect and asks no proxy.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from strades_pipelines.settings import settings

CONNECT_SECONDS = 10.0
# Addresses that hold one of IPv4 and that `is_global` takes for public (RFC 6052, and RFC 4291, 2.5.5.1)
NAT64, IPV4_COMPATIBLE = IPv6Network("64:ff9b::/96"), IPv6Network("::/96")


class AddressRefused(ValueError):
    """A stream's address must not be connected to; one line."""


def wire_url(url: str) -> str:
    """The address that is connected to: in world `sandbox` the sandbox's, `/<host>/<path>`."""
    if settings().world != "sandbox":
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    base = settings().sandbox_url.rstrip("/").replace("http://", "ws://", 1)
    return f"{base}/{parts.netloc}{parts.path or '/'}{query}"


async def open_socket(url: str) -> socket.socket | None:
    """A connected socket to the public host of `url`; None in world `sandbox`, whose server is on this machine.

    Raises:
        AddressRefused: it is not wss, or the name resolves to an address that is not public.
        OSError: the name cannot be resolved, or nobody answers.
    """
    if settings().world == "sandbox":
        return None
    parts = urlsplit(url)
    if parts.scheme != "wss" or not parts.hostname:
        raise AddressRefused(f"expected a wss:// address with a host, was {url[:200]!r}")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    addresses = [(family, address) for family, _, _, _, address in found]
    for _, address in addresses:
        # Behind a percent sign stands the zone of a link-local address.
        if not _is_public(str(address[0]).partition("%")[0]):
            raise AddressRefused(f"expected {parts.hostname} on the public internet, was {address[0]}: not connected")
    return await _connect(addresses[0])


def _is_public(text: str) -> bool:
    """Whether an address is on the public internet; one that leads to an IPv4 address by NAT64 is judged by that."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return _is_public(str(IPv4Address(int(address) % 2**32)))
        if address.is_site_local or address in IPV4_COMPATIBLE:
            return False
    # `is_global` is true of multicast addresses.
    return address.is_global and not address.is_multicast


async def _connect(target: tuple[int, tuple[object, ...]]) -> socket.socket:
    family, address = target
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(opened, address)
    # A task that is cancelled, too, would leave the socket open.
    except BaseException:
        opened.close()
        raise
    return opened
