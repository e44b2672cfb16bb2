"""A `requests` transport to the venues: unmodified clients without a socket, on an injected clock.

alpaca-py and ccxt both send through a `requests.Session`; mounted on it, the adapter passes each request to a
venue. Waiting for a reply or a time-out advances the injected clock, so ten thousand seeded runs take minutes.
"""

import io
from collections.abc import Callable, Mapping
from threading import Lock
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
    """Serves `http://<any>/<host of a venue>/<path>`. `wait` is called with the seconds that the client waits."""

    def __init__(self, venues: Mapping[str, Venue], wait: Callable[[float], None]) -> None:
        super().__init__()
        self._venues, self._wait = venues, wait
        self._one_at_a_time = Lock()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Pass a request to its venue.

        Raises:
            ReadTimeout: if no reply comes within the client's time-out.
        """
        parts = urlsplit(request.url or "")
        host, _, path = str(parts.path).lstrip("/").partition("/")
        content = request.body or b""
        body = content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else b""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        with self._one_at_a_time:
            outcome = self._venues[host].handle(Request(request.method or "GET", path, str(parts.query), headers, body))
        # Of a pair the second is the time for the reply.
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        if outcome.reply is None or (patience is not None and outcome.delay > patience):
            self._wait(patience if patience is not None else outcome.delay)
            raise ReadTimeout(request=request)
        self._wait(outcome.delay)
        return _response(request, outcome.reply.status, outcome.reply.headers, outcome.reply.body)

    def close(self) -> None:
        """Do nothing: no connection is open."""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(request: PreparedRequest, status: int, headers: Mapping[str, str], body: bytes) -> Response:
    response = Response()
    response.status_code, response.request, response.url = status, request, request.url or ""
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = "utf-8"
    response.raw = HTTPResponse(io.BytesIO(body), headers=dict(headers), status=status, preload_content=False)
    return response
