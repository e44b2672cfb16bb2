"""What a proxy says of a visitor: believed where it comes by the Unix socket, which NGINX alone opens."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"forwarded"})
UNKNOWN = "::"  # of a visitor of the onion service: an address that nobody has


class TrustedProxy:
    """ASGI middleware that takes address and scheme from the proxy's headers, and removes them from all requests.

    A request by TCP may come from any program of this machine, which could write there what it likes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name not in NAMES]
            scope = {**scope, "headers": headers, **(_said_of_visitor(scope) if _came_by_socket(scope) else {})}
        await self._app(scope, receive, send)


def _came_by_socket(scope: Scope) -> bool:
    """Whether its listener has no port. The other end says less: that of a TCP connection that was reset is unknown."""
    server = scope["server"]
    return server is not None and server[1] is None


def _said_of_visitor(scope: Scope) -> dict[str, object]:
    sent = Headers(scope=scope)
    try:
        address = str(ip_address(sent.get("x-real-ip", UNKNOWN)))
    except ValueError:
        address = UNKNOWN
    return {"client": (address, 0), "scheme": "https" if sent.get("x-forwarded-proto") == "https" else "http"}
