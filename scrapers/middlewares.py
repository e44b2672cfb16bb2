"""Between the spiders and the wire: the way into the sandbox, and not giving up at once."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Self
from urllib.parse import urljoin, urlsplit

from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Request, Response

from scrapers.crawl_stats import CrawlStats
from scrapers.rate_limits import stated_rate_limit
from scrapers.redaction import without_secrets
from scrapers.request_url import set_url
from scrapers.spiders.base import spider_of
from strades_pipelines.settings import settings

logger = logging.getLogger(__name__)

TRY_AGAIN_STATUS = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
TRY_AGAIN_ERRORS: tuple[type[Exception], ...] = (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    OSError,
)
REDIRECT_STATUS = {301, 302, 303, 307, 308}
MAXIMUM_REDIRECTS = 5
MAY_BE_CUT = "the answer has no length and ended with its connection: it may have been cut"
FIRST_WAIT = 0.5  # seconds, doubled at every try
LONGEST_WAIT = 60.0
MOST_TIMEOUTS = 3
LONGEST_OBEYED_WAIT = 300.0  # a provider that wants us gone for longer gets its wish: the next run asks again


class SandboxRedirection:
    """Sends every request to the sandbox server, unseen by spiders and stored rows: `/<real host>/<path>?<query>`."""

    def __init__(self, sandbox_url: str) -> None:
        self.sandbox_url = sandbox_url.rstrip("/")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy; present in world `sandbox` only (`scrapers.settings`)."""
        return cls(settings().sandbox_url)

    def wire_url(self, url: str) -> str:
        """Where a real URL is found in the sandbox."""
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.sandbox_url}/{parts.netloc}{parts.path or '/'}{query}"

    def process_request(self, request: Request) -> None:
        """Put the sandbox's URL in place, by the private setter: a new Request would be scheduled again."""
        request.meta["real_url"] = request.url
        set_url(request, self.wire_url(request.url))

    def process_response(self, request: Request, response: Response) -> Response:
        """Put the real URL back."""
        set_url(request, request.meta["real_url"])
        return response.replace(url=request.meta["real_url"])

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Put the real URL back."""
        set_url(request, request.meta.get("real_url", request.url))


class RetryAndRedirect:
    """Retries what may succeed later, honours Retry-After, and follows redirects within a host.

    A 429 or 503 pauses all requests to that host.
    """

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.paused_until: dict[str, float] = {}
        self.closed: dict[str, str] = {}  # hosts that are not asked any more, and why
        self.timeouts: Counter[str] = Counter()  # of each host, since it answered last
        self.started = monotonic()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Hold a request back while its host asked for a pause, then let it go on its way.

        Raises:
            IgnoreRequest: the host is not asked any more, or the crawl's budget of time is spent.
        """
        while (wait := self.paused_until.get(_host(request), 0.0) - monotonic()) > 0:
            if wait > self._seconds_left():
                break
            await asyncio.sleep(wait)
        if (reason := self.closed.get(_host(request))) is not None:
            raise IgnoreRequest(f"not asked: {reason}")
        plan = spider_of(self.crawler).plan
        if wait > 0 or self._seconds_left() <= 0:
            raise IgnoreRequest(
                f"not asked: the {plan.budget_seconds:g} s of this source are spent; the next run asks it"
            )
        request.meta["download_timeout"] = min(plan.timeout_seconds, self._seconds_left())
        self._crawl_stats.count("requested")

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        """A response worth reading, or the request to send in its place.

        Raises:
            IgnoreRequest: its body may have been cut, or it told of a rate limit, each time it was asked for.
        """
        self.timeouts[_host(request)] = 0
        if response.status in REDIRECT_STATUS:
            return redirected(request, response)
        if "planned" in request.meta and may_be_cut(response):
            if (again := await self._again(request, MAY_BE_CUT, None)) is None:
                raise IgnoreRequest(MAY_BE_CUT)
            return again
        if response.status not in TRY_AGAIN_STATUS:
            return await self._unless_rate_limited(request, response)
        header = response.headers.get("Retry-After")
        told = told_wait(header.decode("latin-1") if header else None, settings().now())
        if response.status in (429, 503) and told is not None:
            self._pause(_host(request), told)
        return await self._again(request, f"HTTP {response.status}", told) or response

    async def _unless_rate_limited(self, request: Request, response: Response) -> Response | Request:
        """A response that is data, or the request again where it is the provider's word of a rate limit.

        Raises:
            IgnoreRequest: it was that each time: stored, it would count as the answer.
        """
        planned = request.meta.get("planned")
        if planned is None or response.status != 200:
            return response
        code = stated_rate_limit(response.body, planned.rate_limit_errors)
        if code is None:
            return response
        reason = f"the provider's rate limit {code}"
        if (again := await self._again(request, reason, None)) is None:
            raise IgnoreRequest(reason)
        return again

    async def process_exception(self, request: Request, exception: Exception) -> Request | None:
        """The request once more where the connection failed; None leaves the error to the spider."""
        if not isinstance(exception, TRY_AGAIN_ERRORS):
            return None
        if isinstance(exception, DownloadTimeoutError):
            self._count_timeout(_host(request))
        return await self._again(request, type(exception).__name__, None)

    def _pause(self, host: str, seconds: float) -> None:
        if seconds > LONGEST_OBEYED_WAIT:
            self.closed[host] = f"the host wants to be left alone for {seconds:.0f} s"
        else:
            self.paused_until[host] = max(self.paused_until.get(host, 0.0), monotonic() + seconds)

    def _count_timeout(self, host: str) -> None:
        self.timeouts[host] += 1
        if self.timeouts[host] >= MOST_TIMEOUTS:
            self.closed[host] = f"the host did not answer {MOST_TIMEOUTS} times in a row"

    def _seconds_left(self) -> float:
        return self.started + spider_of(self.crawler).plan.budget_seconds - monotonic()

    async def _again(self, request: Request, reason: str, told: float | None) -> Request | None:
        tries = request.meta.get("tries", 1)
        if tries > spider_of(self.crawler).plan.retries or (told or 0.0) > LONGEST_OBEYED_WAIT:
            return None
        wait = max(told or 0.0, back_off(tries))
        if _host(request) in self.closed or wait >= self._seconds_left():
            return None
        logger.info("%s: %s, try %d in %.1f s", without_secrets(request.url), reason, tries + 1, wait)
        self._crawl_stats.count("retried")
        await asyncio.sleep(wait)
        return request.replace(meta={**request.meta, "tries": tries + 1}, dont_filter=True)

    @property
    def _crawl_stats(self) -> CrawlStats:
        return spider_of(self.crawler).crawl_stats


def may_be_cut(response: Response) -> bool:
    """Whether a body that would be used had no length, no chunks, and ended with its connection (RFC 9112, 8).

    A host that dies in the middle of such a body looks like one that is done. Scrapy flags it and passes it on.
    """
    return response.status == 200 and "partial" in response.flags


def back_off(tries: int) -> float:
    """Seconds to wait after `tries` tries: doubled each time, with jitter so that many do not come back at once."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * random.uniform(0.5, 1.0))


def told_wait(header: str | None, now: datetime) -> float | None:
    """The seconds a `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date); None for any other."""
    if header is None:
        return None
    if header.isascii() and header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def redirected(request: Request, response: Response) -> Request:
    """The request that a redirect leads to: on the same host, never from https to http, not round and round.

    Raises:
        IgnoreRequest: for any other; the spider reports it.
    """
    location = (response.headers.get("Location") or b"").decode("latin-1")
    target = urljoin(response.url, location)
    here, there = urlsplit(response.url), urlsplit(target)
    allowed = there.netloc == here.netloc and (here.scheme, there.scheme) in _schemes()
    if not location or not allowed:
        raise IgnoreRequest(f"HTTP {response.status} leads to {target!r}: only redirects on the same host are followed")
    count = request.meta.get("redirects", 0) + 1
    if count > MAXIMUM_REDIRECTS:
        raise IgnoreRequest(f"more than {MAXIMUM_REDIRECTS} redirects in a row")
    return request.replace(url=target, meta={**request.meta, "redirects": count}, dont_filter=True)


def _schemes() -> Iterable[tuple[str, str]]:
    return {("http", "http"), ("http", "https"), ("https", "https")}


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc
