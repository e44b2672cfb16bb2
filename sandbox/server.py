"""The sandbox server: `/<real host>/<path>?<query>` answered as that host would, and `/-/...` to look in and meddle."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox import (
    alpaca_data,
    alpaca_stocks,
    binance,
    coinbase,
    ecb,
    extra,
    fred,
    gateio,
    kraken,
    news,
    pages,
    sec,
    sec_search,
    treasury,
    yahoo,
)
from sandbox.limits import Limiter, limit_headers, too_many
from sandbox.market_streams import stream_faults, stream_maker
from sandbox.misbehaviour import RuleError, Rules, misbehave, rule_from
from sandbox.venue import control
from sandbox.venue.faults import FaultRuleError, fault_rule
from sandbox.venue.venues import open_venues
from sandbox.venue.web import VenueServer, host_and_path
from sandbox.world import Answer, Reply, World, http_date
from strades_pipelines.system.request_guard import RequestGuard

PROVIDERS: dict[str, Answer] = {
    alpaca_data.HOST: alpaca_stocks.answer,
    gateio.HOST: gateio.answer,
    binance.HOST: binance.answer,
    coinbase.HOST: coinbase.answer,
    ecb.HOST: ecb.answer,
    fred.HOST: fred.answer,
    fred.API_HOST: fred.api_answer,
    kraken.HOST: kraken.answer,
    news.HOST: news.answer,
    pages.HOST: pages.answer,
    sec.HOST: sec.answer,
    sec.FEED_HOST: sec.feed_answer,
    sec_search.HOST: sec_search.answer,
    treasury.HOST: treasury.answer,
    **dict.fromkeys(yahoo.HOSTS, yahoo.answer),
}
REMEMBERED_REQUESTS = 10_000


@dataclass(frozen=True)
class Asked:
    """One request as it came, for tests and the curious."""

    method: str
    host: str
    path: str
    query: str
    status: int
    user_agent: str
    conditional: bool
    at: float  # of the monotonic clock, in seconds


@dataclass
class Sandbox:
    """The application: providers behind their limits, misbehaving where it was told to."""

    world: World
    limiter: Limiter = field(default_factory=Limiter)
    rules: Rules = field(default_factory=Rules)
    asked: deque[Asked] = field(default_factory=lambda: deque(maxlen=REMEMBERED_REQUESTS))

    def __post_init__(self) -> None:
        self.venues = open_venues(self.world.now, seed=self.world.seed, checks_time=not self.world.clock_held)
        self.stream_faults = stream_faults(self.world.seed)
        self._venue_server = VenueServer(
            {venue.api.host: venue for venue in self.venues.values()},
            self._note,
            stream_maker(self.world, self.stream_faults),
            tuple(self.stream_faults),
            self.world.now,
        )
        routes = [
            Route("/-/health", self._health),
            Route("/-/requests", self._requests, methods=["GET", "DELETE"]),
            Route("/-/misbehave", self._misbehave, methods=["GET", "POST", "DELETE"]),
            Route("/-/streams/faults", self._stream_faults, methods=["GET", "POST", "DELETE"]),
            *control.routes(self.venues),
        ]
        self._control = RequestGuard(Starlette(routes=routes), write_methods={"-": ("POST", "DELETE")})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        if scope["type"] not in ("http", "websocket"):
            return
        host, path = host_and_path(scope)
        if scope["type"] == "websocket" or self._venue_server.serves(scope):
            await self._venue_server(scope, receive, send)  # it has faults of its own, see `/-/venue/faults`
            return
        if host == "-":
            await self._control(scope, receive, send)
            return
        rule = self.rules.take(host, path)
        if rule is not None:
            asked = self.asked  # an answer may be held back for longer than the list it belongs to is kept
            status = await misbehave(rule, self._provider, scope, receive, send)
            asked.append(_asked(scope, status))
            return
        response = self._response(Request(scope))
        self._note(scope, response.status_code)  # before it is sent: who has the answer finds the request noted
        await response(scope, receive, send)

    def _note(self, scope: Scope, status: int) -> None:
        self.asked.append(_asked(scope, status))

    def forget(self) -> None:
        """Begin a new list of requests; one that is still being answered belongs to the old one."""
        self.asked = deque(maxlen=REMEMBERED_REQUESTS)

    async def _provider(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(Request(scope))(scope, receive, send)

    def _response(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(b"only GET and HEAD are spoken here\n", 405, media_type="text/plain")
        host, path = host_and_path(request.scope)
        reply = self._limited(host, path, dict(request.query_params))
        headers = {**reply.headers, "Date": http_date(self.world.now())}
        if reply.status == 200 and _unchanged(request.headers, reply.headers):
            return Response(status_code=304, headers=headers)
        return Response(reply.body, reply.status, headers, reply.content_type)

    def _limited(self, host: str, path: str, query: Mapping[str, str]) -> Reply:
        taken = self.limiter.take(host, path)
        if taken is None:
            return extra.answer(self.world, host, path)
        said = limit_headers(host, taken, self.world.now().timestamp())
        reply = too_many(host, taken.wait) if taken.wait else self._answered(host, path, query)
        return Reply(reply.body, reply.content_type, reply.status, {**reply.headers, **said})

    def _answered(self, host: str, path: str, query: Mapping[str, str]) -> Reply:
        reply = PROVIDERS[host](self.world, path, query)
        if reply.status != 404:
            return reply
        dropped = extra.answer(self.world, host, path)  # a known host's other pages can be dropped in too
        return dropped if dropped.status == 200 else reply

    async def _health(self, _: Request) -> JSONResponse:
        now = self.world.now().isoformat().replace("+00:00", "Z")
        return JSONResponse(
            {"name": "strades-sandbox", "now": now, "clock_held": self.world.clock_held, "seed": self.world.seed}
        )

    async def _requests(self, request: Request) -> JSONResponse:
        listed: list[dict[str, Any]] = [asdict(asked) for asked in self.asked]
        if request.method == "DELETE":
            self.forget()
        return JSONResponse(listed)

    async def _misbehave(self, request: Request) -> JSONResponse:
        if request.method == "DELETE":
            self.rules.rules.clear()
        elif request.method == "POST":
            try:
                document = await request.json()
                self.rules.rules.append(rule_from(document if isinstance(document, dict) else {}))
            except (RuleError, ValueError) as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse([asdict(rule) for rule in self.rules.rules])

    async def _stream_faults(self, request: Request) -> JSONResponse:
        """Rules as those of the venues (docs/venue.md), with the `host` of the stream."""
        if request.method == "DELETE":
            for faults in self.stream_faults.values():
                faults.rules.clear()
        elif request.method == "POST":
            try:
                document = await request.json()
                host = document.pop("host", None) if isinstance(document, dict) else None
                if host not in self.stream_faults:
                    raise FaultRuleError(f"host: expected one of {', '.join(self.stream_faults)}, was {host!r}")
                self.stream_faults[host].rules.append(fault_rule(document))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(
            {
                host: {"faults": [rule.kind for rule in faults.rules], "counts": {**faults.counts}}
                for host, faults in self.stream_faults.items()
            }
        )


def _asked(scope: Scope, status: int) -> Asked:
    host, path = host_and_path(scope)
    headers = Request(scope).headers
    conditional = "if-none-match" in headers or "if-modified-since" in headers
    # Every byte is a letter of latin-1: none is refused.
    query = scope["query_string"].decode("latin-1")
    agent = headers.get("user-agent", "")
    return Asked(scope["method"], host, path, query, status, agent, conditional, time.monotonic())


def _unchanged(asked: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Whether a conditional request is answered with 304; the entity tag goes before the date (RFC 9110, 13.2.2)."""
    tag = asked.get("if-none-match")
    if tag is not None:
        # If-None-Match compares weakly (RFC 9110, 13.1.2): a `W/` is no difference.
        return "ETag" in given and given["ETag"] in [each.strip().removeprefix("W/") for each in tag.split(",")]
    return "Last-Modified" in given and asked.get("if-modified-since") == given["Last-Modified"]
