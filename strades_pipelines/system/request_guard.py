"""Refuse the requests that a foreign web page can make a browser send to a server of this machine.

A page anywhere can have its visitor's browser send requests to 127.0.0.1 (CSRF), and can read the answers too once its
own host name resolves to 127.0.0.1 (DNS rebinding). The servers here ask for no password, so they look at where a
request comes from: `Host`, `Origin`, `Referer` and `Sec-Fetch-Site` are set by the browser, and no page can forge them.
A client that is no browser sends no `Origin` and is served: it could forge everything anyway.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strades_pipelines.origins import origin, server_origins

SECONDS_BETWEEN_LOG_LINES = 60
GOING_AWAY = 1001  # RFC 6455: a browser's page connects again, and is asked who it is
# Sent with every response: no other site may frame the page, read it as a resource, or keep a handle on its window.
RESPONSE_HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
logger = logging.getLogger(__name__)


@dataclass
class RequestGuard:
    """ASGI middleware that answers 403 to what a foreign page can send, and passes on the rest.

    "Segment" is the first part of a request's path, after `path_prefix`: `graphql` of `/graphql?query=...`.
    """

    app: ASGIApp
    write_methods: Mapping[str, Collection[str]]  # methods besides GET and HEAD, by segment
    public_origins: Collection[str] = ()  # besides the address at which a request came in; as `origin` returns them
    query_names: Mapping[str, Collection[str]] = field(default_factory=dict)  # the only ones allowed, by segment
    web_sockets: Collection[str] = ()  # segments that take web sockets
    not_pages: Collection[str] | None = None  # segments that are no page a link elsewhere may lead to; None: all
    path_prefix: str = ""
    web_socket_seconds: float | None = None  # how long a web socket may stay open; None: without an end
    _logged: dict[str, float] = field(default_factory=dict)  # reason -> monotonic time of its last line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        reason = self.refusal(scope)
        if reason is None and scope["type"] == "websocket" and self.web_socket_seconds is not None:
            await self.app(scope, *_until(time.monotonic() + self.web_socket_seconds, receive, send))
            return
        if reason is None:
            await self.app(scope, receive, _with_response_headers(send) if scope["type"] == "http" else send)
            return
        self._log(reason, scope)
        if scope["type"] == "websocket":
            # ASGI: nothing is answered before `websocket.connect` was received.
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the server answers 403
        else:
            response = PlainTextResponse(f"refused: {reason}\n", status_code=403)
            await response(scope, receive, _with_response_headers(send))

    def refusal(self, scope: Scope) -> str | None:
        """Return why an HTTP request or a web socket is refused, or None where it is served."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # The page's origin must be that of the very host it asks, not just one of ours: another program may listen
        # on [::1] at the same port.
        known = server_origins(scope.get("server")).union(self.public_origins)
        own = {each for each in known if len(hosts) == 1 and each.partition("://")[2] == hosts[0].lower()}
        if not own:
            return "the Host header names none of the hosts that this server has; see STRADES_PUBLIC_HOST"
        sent = headers.getlist("origin")
        if len(sent) > 1 or not own.issuperset(sent):
            return "the Origin header names another site"
        is_foreign = not {"same-origin", "none"}.issuperset(headers.getlist("sec-fetch-site"))
        if is_foreign and not self._is_page_view(scope, headers):
            return "another site sent this request (Sec-Fetch-Site)"
        segment = self._segment(scope)
        # Starlette reads the names with the same function.
        names = {name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)}
        if segment in self.query_names and not names.issubset(self.query_names[segment]):
            return f"/{segment} takes nothing from the query string; POST it as JSON"
        if scope["type"] == "websocket":
            return None if segment in self.web_sockets else "no web socket is served here"
        if scope["method"] in ("GET", "HEAD"):
            return None
        return self._write_refusal(scope["method"], segment, headers, own)

    def _write_refusal(self, method: str, segment: str, headers: Headers, own: Collection[str]) -> str | None:
        """Return why a request that may change something is refused.

        Browsers let a page send a foreign server a POST unasked only as a form, as text/plain or without a type. Any
        other type, and any other method, they announce by an OPTIONS request, which is refused here.
        """
        if method not in self.write_methods.get(segment, ()):
            return f"{method} is not served here"
        if any(_origin_of_referer(referer) not in own for referer in headers.getlist("referer")):
            return "the Referer header names another site"
        types = [sent.partition(";")[0].strip().lower() for sent in headers.getlist("content-type")]
        if method == "POST" and types != ["application/json"]:
            return "a POST needs the header Content-Type: application/json"
        return None

    def _is_page_view(self, scope: Scope, headers: Headers) -> bool:
        """Whether a link or a bookmark leads the browser's own window to a page, which shows and changes nothing."""
        is_navigation = headers.getlist("sec-fetch-mode") == ["navigate"]
        is_top_level = headers.getlist("sec-fetch-dest") == ["document"]
        is_page = self.not_pages is not None and self._segment(scope) not in self.not_pages
        return scope["type"] == "http" and scope["method"] == "GET" and is_navigation and is_top_level and is_page

    def _segment(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path.removeprefix(self.path_prefix).strip("/").partition("/")[0].lower()

    def _log(self, reason: str, scope: Scope) -> None:
        """Log a refusal, each reason at most once a minute: a page must not be able to fill the log.

        The query string is left out, and what the page chose is escaped.
        """
        now = time.monotonic()
        if now - self._logged.get(reason, -SECONDS_BETWEEN_LOG_LINES) < SECONDS_BETWEEN_LOG_LINES:
            return
        self._logged[reason] = now
        sender = Headers(scope=scope).get("origin", "no Origin")
        request = f"{scope.get('method', 'WEBSOCKET')} {scope['path'][:200]} from {sender[:200]}"
        logger.warning("refused %s: %s", ascii(request), reason)


def first_segments(paths: Iterable[str]) -> set[str]:
    """Return the first parts of route paths, but those that stand for any path."""
    segments = {path.strip("/").partition("/")[0].lower() for path in paths}
    return {segment for segment in segments if segment and "{" not in segment}


def _origin_of_referer(referer: str) -> str:
    try:
        return origin(referer)
    except ValueError:
        return ""


def _until(deadline: float, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """A web socket that is closed at `deadline`, of `time.monotonic`; to the application its client has gone then."""
    is_over = False

    async def receive_until() -> Message:
        nonlocal is_over
        left = deadline - time.monotonic()
        with suppress(TimeoutError):
            if left > 0:  # messages that wait are read without a pause, in which a timeout would end it
                async with asyncio.timeout(left):
                    return await receive()
        if not is_over:
            is_over = True
            await send({"type": "websocket.close", "code": GOING_AWAY})
        return {"type": "websocket.disconnect", "code": GOING_AWAY}

    async def send_until(message: Message) -> None:
        if not is_over:  # a subscription's answer that crosses the end
            await send(message)

    return receive_until, send_until


def _with_response_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in RESPONSE_HEADERS.items():
                headers[name] = value
            headers.append("content-security-policy", "frame-ancestors 'none'")  # besides that of the page
        await send(message)

    return send_with_headers
