"""The venues for unmodified clients without a socket: a transport of `requests`, in time that a test moves.

alpaca-py and ccxt both send through a `requests.Session`; mounted on it, this hands each request to a venue. A client
that waits, for an answer or a time-out, moves the injected clock: ten thousand seeded runs take minutes.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import ReadTimeout
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from sandbox.venue.calls import Request
from sandbox.venue.venue import Venue


class InProcessAdapter(BaseAdapter):
    """Answers `<anything>/<host of a venue>/<path>`. `wait` is called with the seconds that pass for the client."""

    def __init__(self, venues: Mapping[str, Venue], wait: Callable[[float], None]) -> None:
        super().__init__()
        self._venues, self._wait = venues, wait

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Hand a request to its venue.

        Raises:
            ReadTimeout: when no answer comes within the client's time-out.
        """
        parts = urlsplit(request.url or "")
        host, _, path = str(parts.path).lstrip("/").partition("/")
        sent = request.body or b""
        body = sent.encode() if isinstance(sent, str) else sent if isinstance(sent, bytes) else b""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        outcome = self._venues[host].handle(Request(request.method or "GET", path, str(parts.query), headers, body))
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        if outcome.reply is None or (patience is not None and outcome.delay > patience):
            self._wait(patience if patience is not None else outcome.delay)
            raise ReadTimeout(request=request)
        self._wait(outcome.delay)
        return _response(request, outcome.reply.status, outcome.reply.headers, outcome.reply.body)

    def close(self) -> None:
        """Nothing is open."""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(request: PreparedRequest, status: int, headers: Mapping[str, str], body: bytes) -> Response:
    response = Response()
    response.status_code, response.request, response.url = status, request, request.url or ""
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = "utf-8"
    response.raw = HTTPResponse(io.BytesIO(body), headers=dict(headers), status=status, preload_content=False)
    return response
