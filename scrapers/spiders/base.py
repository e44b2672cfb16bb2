"""What all spiders share: a request for each question, an answer for each page, a failure for whatever goes wrong."""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Request, Response

from scrapers.answers import Answer
from scrapers.crawl_stats import CrawlStats
from scrapers.headers import RawHeaders, readable_headers, sendable
from scrapers.plan import Plan, PlannedRequest
from scrapers.redaction import one_line, secrets_of, without_secrets
from scrapers.store import Store
from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import masked_bytes

logger = logging.getLogger(__name__)

LONGEST_ERROR = 200  # characters of an error line, with what an error page says
LOOKED_AT = 20_000  # bytes of an error page


class AnswerSpider(Spider):
    """Asks the questions of one kind in a plan. Items are `Answer`s, one a page, never one a row."""

    kind: str

    def __init__(self, plan: Plan, store: Store, crawl_stats: CrawlStats) -> None:
        super().__init__()
        self.plan, self.store, self.crawl_stats = plan, store, crawl_stats

    async def start(self) -> AsyncIterator[Request]:
        """A request for the first page of each question of this spider's kind."""
        for planned in self.plan.requests:
            if planned.kind == self.kind:
                yield self.request_for(planned, page=1)

    def request_for(self, planned: PlannedRequest, *, page: int, value: str | None = None) -> Request:
        """The HTTP request for a page; only the first is conditional.

        Args:
            value: what asks for the page, None for the first.
        """
        headers = dict(planned.headers or {})
        if page == 1 and planned.etag:
            headers["If-None-Match"] = planned.etag
        if page == 1 and planned.last_modified:
            headers["If-Modified-Since"] = planned.last_modified
        url = planned.page_url(value)
        meta = {
            "planned": planned,
            "page": page,
            "page_value": value,
            "page_url": url,
            "handle_httpstatus_all": True,
            # By the real host: in the sandbox all requests go to one.
            "download_slot": planned.host,
            "download_maxsize": planned.max_bytes,
        }
        return Request(
            # Pages of a question that has begun come first: they wait in memory until the last one is in.
            url,
            self.answered,
            planned.method,
            headers,
            meta=meta,
            errback=self.failed,
            dont_filter=True,
            priority=page,
        )

    def answered(self, response: Response) -> Iterator[Answer | Request]:
        """The answer of a response, and the request for the page after it, where there is one."""
        asked = response.request
        assert asked is not None  # Scrapy sets it on every response of a downloader
        if response.status not in (200, 304):
            page = response.body[:LOOKED_AT].decode("utf-8", "replace")  # cut when its secrets are out, not before
            yield self._failure(asked, f"HTTP {response.status}: {page}", response)
            return
        try:
            following = self.following(response)
        except ValueError as error:
            yield self._failure(asked, str(error), response)
            return
        outcome = "stored" if response.status == 200 else "not_modified"
        yield self._answer(asked, response, outcome=outcome, body=masked_bytes(response.body), last=following is None)
        if following is not None:
            yield following

    def following(self, response: Response) -> Request | None:
        """The request for the page after this one, or None after the last.

        Raises:
            ValueError: when there are more pages than can be meant.
        """
        return None

    def failed(self, failure: Any) -> Iterator[Answer]:
        """The answer of a request that never got a response."""
        request: Request = failure.request
        yield self._failure(request, explained(failure.value, request), None)

    def _failure(self, request: Request, reason: str, response: Response | None) -> Answer:
        tries = request.meta.get("tries", 1)
        planned: PlannedRequest = request.meta["planned"]
        secrets = secrets_of(planned.url, planned.headers or {})
        error = one_line(reason, LONGEST_ERROR, secrets=secrets) + (f" (after {tries} tries)" if tries > 1 else "")
        logger.warning("%s failed: %s", without_secrets(request.meta["page_url"]), error)
        return self._answer(request, response, outcome="failed", error=error)

    def _answer(self, request: Request, response: Response | None, **fields: Any) -> Answer:
        found = () if response is None else response.headers.items()
        headers: RawHeaders = {name.lower(): list(values) for name, values in found}
        now = settings().now()
        return Answer(
            request=request.meta["planned"],
            url=request.meta["page_url"],
            fetched_at=request.meta.get("sent_at", now),
            answered_at=None if response is None else now,
            status=None if response is None else response.status,
            headers=readable_headers(headers),
            etag=sendable(headers, b"etag"),
            last_modified=sendable(headers, b"last-modified"),
            **fields,
        )


def spider_of(crawler: Crawler) -> AnswerSpider:
    """The spider of a crawler, which Scrapy sets before it makes the first request."""
    assert isinstance(crawler.spider, AnswerSpider)
    return crawler.spider


def explained(error: Exception, request: Request) -> str:
    """Why there was no response, in words a user can act on."""
    planned: PlannedRequest = request.meta["planned"]
    if isinstance(error, IgnoreRequest):
        return str(error)
    if isinstance(error, DownloadTimeoutError):
        return f"no whole answer within {request.meta['download_timeout']:.3g} s"
    if isinstance(error, ResponseDataLossError):
        return "the connection ended before the whole body had come"
    if isinstance(error, DownloadCancelledError):
        return f"the body is larger than {planned.max_bytes} bytes (max_bytes of its protocol)"
    if isinstance(error, CannotResolveHostError):
        return f"the host {planned.host} is not known to this machine's name service"
    if isinstance(error, DownloadConnectionRefusedError) and settings().world == "sandbox":
        return f"nothing answers at {settings().sandbox_url}: is the sandbox running (python -m sandbox)?"
    return f"{type(error).__name__}: {error}"
