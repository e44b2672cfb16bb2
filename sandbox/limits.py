"""How often each provider lets itself be asked: token buckets in real time, and its own way of saying no.

Gate.io: 200 requests in 10 s per endpoint, counted down in `X-Gate-RateLimit-*` headers. Yahoo: 2,000 an hour (measured
by users; nothing is published). Binance: a weight of 6,000 a minute by its documentation, and what is answered here
weighs 2 or 4. Coinbase: 10 a second. Kraken: about one a second. Alpaca: 200 a
minute on its free plan. EDGAR: 10 a second. The others: a courtesy limit of
the sandbox (nothing is published).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.world import Reply, json_reply


@dataclass(frozen=True)
class Limit:
    """A bucket of `capacity` requests that fills up again within `seconds`."""

    capacity: int
    seconds: float
    per_endpoint: bool = False


LIMITS = {
    "api.gateio.ws": Limit(200, 10, per_endpoint=True),
    "data-api.binance.vision": Limit(3_000, 60),
    "api.exchange.coinbase.com": Limit(10, 1),
    "api.kraken.com": Limit(60, 60),
    "data.alpaca.markets": Limit(200, 60),
    "query1.finance.yahoo.com": Limit(2_000, 3_600),
    "query2.finance.yahoo.com": Limit(2_000, 3_600),
    "www.ecb.europa.eu": Limit(120, 60),
    "fred.stlouisfed.org": Limit(120, 60),
    "api.stlouisfed.org": Limit(120, 60),
    "data.sec.gov": Limit(10, 1),
    "www.sec.gov": Limit(10, 1),
    "efts.sec.gov": Limit(10, 1),
    "home.treasury.gov": Limit(600, 60),
    "news.sandbox.example": Limit(600, 60),
    "pages.sandbox.example": Limit(3_000, 60),
}


@dataclass(frozen=True)
class Taken:
    """The outcome of one request at a bucket: `wait` is 0 when it may pass, else the whole seconds to wait."""

    remaining: int
    wait: int


@dataclass
class Limiter:
    """The buckets of all providers, by host and, where it says so, endpoint."""

    clock: Callable[[], float] = time.monotonic
    buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)  # -> (tokens, at)

    def take(self, host: str, path: str) -> Taken | None:
        """Take one request from the bucket it belongs to; None for a host without a limit."""
        limit = LIMITS.get(host)
        return None if limit is None else self.take_from(limit, (host, path if limit.per_endpoint else ""))

    def take_from(self, limit: Limit, key: tuple[str, str]) -> Taken:
        """Take one request from the bucket of this key."""
        now, rate = self.clock(), limit.capacity / limit.seconds
        tokens, at = self.buckets.get(key, (float(limit.capacity), now))
        tokens = min(limit.capacity, tokens + (now - at) * rate)
        passed = tokens >= 1
        tokens -= passed
        self.buckets[key] = (tokens, now)
        return Taken(remaining=int(tokens), wait=0 if passed else math.ceil((1 - tokens) / rate))


def limit_headers(host: str, taken: Taken, now: float) -> dict[str, str]:
    """What a provider says about its limit with every answer: Gate.io three headers, Binance one, the others nothing.

    Each of our 3,000 requests a minute is taken to weigh 2 of Binance's 6,000.
    """
    if host == "data-api.binance.vision":
        return {"X-MBX-USED-WEIGHT-1M": str(2 * (LIMITS[host].capacity - taken.remaining))}
    if host != "api.gateio.ws":
        return {}
    return {
        "X-Gate-RateLimit-Requests-Remain": str(taken.remaining),
        "X-Gate-RateLimit-Limit": str(LIMITS[host].capacity),
        "X-Gate-RateLimit-Reset-Timestamp": str(int(now) + taken.wait),
    }


def too_many(host: str, wait: int) -> Reply:
    """A provider's 429, with `Retry-After` in seconds."""
    headers = {"Retry-After": str(wait)}
    if host == "api.gateio.ws":
        return json_reply(
            {"label": "TOO_MANY_REQUESTS", "message": "Request Rate Limit Exceeded"}, status=429, headers=headers
        )
    body = (
        b"Too Many Requests\r\n" if host.endswith("yahoo.com") else b"<html><body>429 Too Many Requests</body></html>\n"
    )
    return Reply(body, "text/plain" if host.endswith("yahoo.com") else "text/html", 429, headers)
