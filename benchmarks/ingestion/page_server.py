"""Serves Binance's candles over HTTP, made in advance, so that it is not what is measured: `FIRST PAGES BARS`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

MINUTE = 60_000


def page(start: int, bars: int) -> bytes:
    """A body of so many bars of a minute."""
    rows = [
        [
            at,
            "100.1",
            "110.2",
            "99.3",
            f"{100 + at // MINUTE % 7}.5",
            "10.25",
            at + MINUTE - 1,
            "1000.5",
            42,
            "5",
            "500",
            "0",
        ]
        for at in range(start, start + bars * MINUTE, MINUTE)
    ]
    return json.dumps(rows).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers with the page that begins at `startTime`."""

    protocol_version = "HTTP/1.1"
    pages: ClassVar[dict[int, bytes]] = {}

    def do_GET(self) -> None:
        """Answer."""
        body = self.pages[int(parse_qs(urlsplit(self.path).query)["startTime"][0])]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    first, pages, bars = map(int, sys.argv[1:])
    starts = [first + number * bars * MINUTE for number in range(pages)]
    Handler.pages = {start: page(start, bars) for start in starts}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
