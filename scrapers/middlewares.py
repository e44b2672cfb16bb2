"""Between the spiders and the wire: the way into the sandbox, and not giving up at once."""

import asyncio
import logging
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, time
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
from scrapers.rate_limits import stated_rate_limit, usage_wait
from scrapers.redaction import without_secrets
from scrapers.request_url import set_url
from scrapers.spiders.base import spider_of
from strades_pipelines.datamanager.host_limits import FAILURE, OPEN_AT, TIMEOUT, HostLimits
from strades_pipelines.settings import settings

logger = logging.getLogger(__name__)

# 520 to 524 are Cloudflare's, of a host behind it that does not answer.
TRY_AGAIN_STATUS = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
TRY_AGAIN_ERRORS: tuple[type[Exception], ...] = (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    OSError,
)
HOST_FAILURES = {500, 502, 503, 504, 520, 521, 522, 523, 524}  # counted against the host
HOST_ERRORS = (CannotResolveHostError, DownloadConnectionRefusedError, DownloadTimeoutError)
PATIENCE_STATUS = {418, 429, 503}  # 418: Binance's ban of who went on after 429
NO_CONNECTION = "no connection to the host, again and again"
REDIRECT_STATUS = {301, 302, 303, 307, 308}
MAXIMUM_REDIRECTS = 5
MAY_BE_CUT = "the answer has no length and ended with its connection: it may have been cut"
FIRST_WAIT = 0.5  # seconds, doubled at every try
LONGEST_WAIT = 60.0
LONGEST_OBEYED_WAIT = 300.0  # a provider that wants us gone for longer gets its wish: a later run asks again


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
    """Sends a request when its host may be asked, retries what may succeed later, follows redirects within a host.

    How often that is, and for how long a host wants no request, all processes know together (`HostLimits`).
    """

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.started = monotonic()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Hold a request back until its host may be asked, then let it go on its way.

        Raises:
            IgnoreRequest: the host is not to be asked now, or the crawl's budget of time is spent.
        """
        plan, host = spider_of(self.crawler).plan, _host(request)
        rate, left = plan.rate, self._seconds_left()
        turn = self._limits.reserve(host, rate=rate.requests_per_second, burst=rate.burst, longest_wait=left)
        while turn.refusal is None and 0 < turn.wait <= self._seconds_left():
            await asyncio.sleep(turn.wait)  # meanwhile an answer may have asked for a pause
            left = self._seconds_left()
            turn = self._limits.renew(host, turn, rate=rate.requests_per_second, burst=rate.burst, longest_wait=left)
        if turn.refusal is not None:
            raise IgnoreRequest(f"not asked: {turn.refusal}")
        if turn.wait > 0 or self._seconds_left() <= 0:
            raise IgnoreRequest(
                f"not asked: the {plan.budget_seconds:g} s of this source are spent; the next run asks it"
            )
        request.meta["is_troubled"] = turn.is_troubled
        request.meta["download_timeout"] = min(plan.timeout_seconds, self._seconds_left())
        self._crawl_stats.count("requested")

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        """A response worth reading, or the request to send in its place.

        Raises:
            IgnoreRequest: its body may have been cut, or it told of a rate limit, each time it was asked for.
        """
        host = _host(request)
        if response.status in HOST_FAILURES:
            self._limits.fail(host, FAILURE, f"HTTP {response.status}, again and again")
        elif request.meta.get("is_troubled"):
            self._limits.answered(host)
        self._heed_usage(request, response)
        if response.status in REDIRECT_STATUS:
            return redirected(request, response)
        if "planned" in request.meta and may_be_cut(response):
            if (again := await self._again(request, MAY_BE_CUT, None)) is None:
                raise IgnoreRequest(MAY_BE_CUT)
            return again
        told = told_wait(_header(response, "Retry-After"), settings().now())
        if response.status in PATIENCE_STATUS and told is not None:
            self._limits.pause(host, told, f"the host wants to be left alone for {told:.0f} s")
        if response.status not in TRY_AGAIN_STATUS:
            return await self._unless_rate_limited(request, response)
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
        self._limits.pause(_host(request), back_off(request.meta.get("tries", 1)), reason)
        if (again := await self._again(request, reason, None)) is None:
            raise IgnoreRequest(reason)
        return again

    async def process_exception(self, request: Request, exception: Exception) -> Request | None:
        """The request once more where the connection failed; None leaves the error to the spider."""
        if not isinstance(exception, TRY_AGAIN_ERRORS):
            return None
        if isinstance(exception, HOST_ERRORS):
            is_timeout = isinstance(exception, DownloadTimeoutError)
            reason = f"the host did not answer {OPEN_AT // TIMEOUT} times in a row" if is_timeout else NO_CONNECTION
            if self._limits.fail(_host(request), TIMEOUT if is_timeout else FAILURE, reason):
                return None
        return await self._again(request, type(exception).__name__, None)

    def _heed_usage(self, request: Request, response: Response) -> None:
        """Pause the host where an answer's header says that its limit is nearly reached."""
        planned = request.meta.get("planned")
        usage = planned.usage_header if planned is not None else None
        if usage is None:
            return
        wait = usage_wait(_header(response, usage.name), usage, time())
        if wait is not None:
            self._limits.pause(_host(request), wait, f"{usage.name} is at the limit of {usage.limit}")

    def _seconds_left(self) -> float:
        return self.started + spider_of(self.crawler).plan.budget_seconds - monotonic()

    async def _again(self, request: Request, reason: str, told: float | None) -> Request | None:
        tries = request.meta.get("tries", 1)
        if tries > spider_of(self.crawler).plan.retries or (told or 0.0) > LONGEST_OBEYED_WAIT:
            return None
        wait = max(told or 0.0, back_off(tries))
        if wait >= self._seconds_left():
            return None
        logger.info("%s: %s, try %d in %.1f s", without_secrets(request.url), reason, tries + 1, wait)
        self._crawl_stats.count("retried")
        await asyncio.sleep(wait)
        # Otherwise Scrapy's filter of duplicates would drop it.
        return request.replace(meta={**request.meta, "tries": tries + 1}, dont_filter=True)

    @property
    def _crawl_stats(self) -> CrawlStats:
        return spider_of(self.crawler).crawl_stats

    @property
    def _limits(self) -> HostLimits:
        return HostLimits(spider_of(self.crawler).store.connection, LONGEST_OBEYED_WAIT)


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
    # A date with -0000 comes without a zone, and means UTC.
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


def _header(response: Response, name: str) -> str | None:
    found = response.headers.get(name)
    return found.decode("latin-1") if found else None


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc
