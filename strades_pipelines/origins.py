"""Origins (RFC 6454: scheme, host and port) under which the servers of this installation are reached."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether an address, or the name `localhost`, is one that only this machine reaches."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> str:
    """Return `scheme://host[:port]` of a URL as browsers write it: lower case, without the scheme's default port.

    Raises:
        ValueError: when `url` is not http or https, has no host, or names a user.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("expected http://host[:port] or https://host[:port]")
    # `hostname` has no brackets any more.
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else "")


def server_origins(address: Sequence[object] | None) -> set[str]:
    """Return the origins of a plain HTTP server that was reached at `address`: (IP address, port).

    An IP address in place of a name is safe from DNS rebinding. None stands for a Unix socket, which has no origin.
    """
    if address is None:
        return set()
    ip, port = str(address[0]), address[1]
    return {origin(f"http://{name}:{port}") for name in (*LOOPBACK_NAMES, f"[{ip}]" if ":" in ip else ip)}


def public_origins(hosts: str) -> set[str]:
    """Return the origins that `STRADES_PUBLIC_HOST` names: `host[:port]` for HTTPS or `http://host[:port]`, by commas.

    Raises:
        ValueError: for an entry that is neither.
    """
    origins = set()
    for entry in filter(None, (each.strip().lower() for each in hosts.split(","))):
        url = entry if "://" in entry else f"https://{entry}"
        if any(character in url.partition("://")[2] for character in "/?#* "):
            raise ValueError("expected host[:port] or http://host[:port], with commas between")
        origins.add(origin(url))
    return origins
