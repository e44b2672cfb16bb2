"""ASGI application that serves the venues over HTTP and WebSocket, behind the request guard.

The WebSocket protocol itself is `websockets`, through uvicorn and Starlette.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.market_streams import MarketStream, StreamMaker, publish_while_open
from sandbox.misbehaviour import connection
from sandbox.venue.calls import Request
from sandbox.venue.feed import Feed, Message
from sandbox.venue.venue import Venue
from strades_pipelines.system.request_guard import RequestGuard

STEP = 0.02  # seconds between two steps of the core while orders work or streams are connected
WRITE_METHODS = ("POST", "PATCH", "DELETE")
GOING_AWAY = 1001  # WebSocket close code
NO_ANSWER = 0  # status that is logged for a request without a reply


@dataclass
class VenueServer:
    """Venues by host. `log_request` gets each request and its status before the reply is sent."""

    venues: Mapping[str, Venue]
    log_request: Callable[[Scope, int], None] = lambda scope, status: None
    market_data: StreamMaker = lambda host: None
    stream_hosts: Collection[str] = ()  # of market data; some are no venue of ours
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _stepping: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        methods = dict.fromkeys(self.venues, WRITE_METHODS)
        sockets = {*self.venues, *self.stream_hosts}
        self._guard = RequestGuard(self._serve, write_methods=methods, web_sockets=sockets)

    def serves(self, scope: Scope) -> bool:
        """Whether a venue serves this endpoint or stream."""
        host, path = host_and_path(scope)
        if host not in self.venues:
            return False
        return scope["type"] == "websocket" or self.venues[host].serves(Request(scope["method"], path, "", {}, b""))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or stream."""
        if self._guard.refusal(scope):
            await self._guard(scope, receive, send)
        else:  # not through the guard, which wraps `send`: a fault needs the connection itself
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = host_and_path(scope)[0]
        venue = self.venues.get(host)
        if venue is None:
            await _stream(None, self.market_data(host), WebSocket(scope, receive, send), self.clock)
            return
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._step())
        if scope["type"] == "websocket":
            await _stream(venue, self.market_data(host), WebSocket(scope, receive, send), self.clock)
        else:
            await self._answer(venue, scope, receive, send)

    async def _step(self) -> None:
        """Advance the venues while orders work or streams are connected."""
        while True:
            await asyncio.sleep(STEP)
            if not any(venue.exchange.working or venue.feeds for venue in self.venues.values()):
                return
            for venue in self.venues.values():
                venue.advance()

    async def _answer(self, venue: Venue, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        query, path = scope["query_string"].decode("latin-1"), host_and_path(scope)[1]
        outcome = venue.handle(Request(scope["method"], path, query, dict(http.headers), await http.body()))
        self.log_request(scope, outcome.reply.status if outcome.reply else NO_ANSWER)
        if outcome.reply is None:
            await _leave_waiting(outcome.delay, receive)
            # No end of HTTP's: the client finds the connection broken.
            connection(send).abort()
            return
        await asyncio.sleep(outcome.delay)
        reply = outcome.reply
        await Response(reply.body, reply.status, dict(reply.headers), reply.content_type)(scope, receive, send)


async def _leave_waiting(seconds: float, receive: Receive) -> None:
    """Wait until the client disconnects, at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _stream(
    venue: Venue | None, market: MarketStream | None, socket: WebSocket, clock: Callable[[], datetime]
) -> None:
    """Serve one stream until the client disconnects: the orders of a venue, market data, or both."""
    woken = asyncio.Event()
    await socket.accept()
    is_packed = "msgpack" in socket.headers.get("content-type", "")
    feed = Feed(clock, woken.set) if venue is None else venue.connect(woken.set, is_packed=is_packed)
    tasks = [asyncio.create_task(_send_while_connected(feed, socket, woken))]
    if market is not None:
        market.open(socket.url.query, feed)
        tasks.append(asyncio.create_task(publish_while_open(market, feed)))
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            said = message.get("text") or message.get("bytes") or b""
            if not (market is not None and market.receive(said, feed)) and venue is not None:
                venue.receive(feed, said)
    finally:
        for task in tasks:
            task.cancel()
        if venue is not None:
            venue.disconnect(feed)


async def _send_while_connected(feed: Feed, socket: WebSocket, woken: asyncio.Event) -> None:
    """Send what is due; close the connection when a fault has ended the stream."""
    with suppress(WebSocketDisconnect):
        while feed.is_open:
            # Before what is due is taken: what comes meanwhile wakes it again.
            woken.clear()
            await _send(feed.due(), socket)
            with suppress(TimeoutError):
                async with asyncio.timeout(feed.seconds_to_next()):
                    await woken.wait()
        await socket.close(GOING_AWAY)


async def _send(messages: Iterable[Message], socket: WebSocket) -> None:
    for message in messages:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)


def host_and_path(scope: Scope) -> tuple[str, str]:
    """Split `/<host>/<path>` into the provider's host and the path below it."""
    host, _, path = scope["path"].lstrip("/").partition("/")
    return host, path
