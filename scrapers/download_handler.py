"""Scrapy's HTTP handler with limits on response headers, which Twisted lacks.

Twisted closes the connection at a header line of 16 kB, which loses the response, and accepts any number of lines: half
a million took 375 MB (2026-11-27). Here long lines are cut, and headers beyond the limits are counted and dropped.
"""

import re

from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
)
from scrapy.crawler import Crawler
from scrapy.http import Request, Response
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web._newclient import DONE, HTTP11ClientProtocol
from twisted.web._newclient import Request as TxRequest
from twisted.web.iweb import IResponse

from scrapers.headers import LEFT_OUT, LONGEST_HEADER, LONGEST_NAME, MOST_HEADERS
from strades_pipelines.settings import settings

LONGEST_LINE = LONGEST_NAME + LONGEST_HEADER
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, 5.6.2
MOST_CONTINUED_LINES = 16
MOST_REPEATED = 8
# Headers that the crawl reads: kept even after `MOST_HEADERS` others.
NEEDED = {b"content-encoding", b"content-type", b"etag", b"last-modified", b"location", b"retry-after"}


class BoundedParser(_LenientHTTPClientParser):
    """Reads a response; keeps at most 64 headers of 4 kB, besides those that the crawl and Twisted need."""

    kept = 0
    left_out = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Pass on one header line at a time, cut to `LONGEST_LINE`."""
        while data and self.line_mode and self.state != DONE:
            line, newline, data = data.partition(b"\n")
            room = max(0, LONGEST_LINE - len(self._buffer))
            super().dataReceived(line[:room] + newline)  # type: ignore[no-untyped-call]
        if data and self.state != DONE:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Drop continuation lines beyond `MOST_CONTINUED_LINES`."""
        continued = line[:1] in (b" ", b"\t")
        if not (continued and len(self._partialHeader or ()) >= MOST_CONTINUED_LINES):
            super().lineReceived(line)

    def headerReceived(self, name: bytes, value: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Keep a header, or count it as left out."""
        lower = name.lower()
        if not TOKEN.fullmatch(name):
            keep = False  # Twisted refuses such a name
        elif lower in NEEDED or self.isConnectionControlHeader(lower):  # type: ignore[no-untyped-call]
            known = self.connHeaders if self.isConnectionControlHeader(lower) else self.headers  # type: ignore[no-untyped-call]
            keep = len(known.getRawHeaders(lower, ())) < MOST_REPEATED
        else:
            keep = self.kept < MOST_HEADERS
            self.kept += keep
        if keep:
            super().headerReceived(name, value[:LONGEST_HEADER])  # type: ignore[no-untyped-call]
        else:
            self.left_out += 1

    def allHeadersReceived(self) -> None:  # noqa: N802 (Twisted's name)
        """Report in the header `LEFT_OUT` how many were dropped."""
        if self.left_out:
            self.headers.setRawHeaders(LEFT_OUT.encode(), [str(self.left_out).encode()])
        super().allHeadersReceived()  # type: ignore[no-untyped-call]


class _Protocol(_LenientHTTP11ClientProtocol):
    def request(self, request: TxRequest) -> "Deferred[IResponse]":
        answer = super().request(request)
        assert self._parser is not None
        self._parser.__class__ = BoundedParser  # as Scrapy's own does: Twisted names the class of its parser
        return answer


class _Factory(_LenientHTTP11ClientFactory):
    def buildProtocol(self, addr: IAddress | None) -> HTTP11ClientProtocol:  # noqa: N802 (Twisted's name)
        return _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class BoundedDownloadHandler(HTTP11DownloadHandler):
    """Scrapy's handler of http and https, with `BoundedParser`."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = _Factory

    async def download_request(self, request: Request) -> Response:
        """Record when the request is sent, after any delay: a bar that closes later is not final in the response."""
        request.meta["sent_at"] = settings().now()
        return await super().download_request(request)
