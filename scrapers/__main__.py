"""`python -m scrapers`: fetch what the plan on standard input asks for, say what came of it on standard output.

One JSON line comes out; logs go to standard error. The answers go to this world's database, or to the one that
`STRADES_SPIDER_DATABASE` names (the process that starts a crawl has a connection already and knows where it leads).
"""

import json
import logging
import sys
from time import monotonic
from typing import Any

import psycopg

from scrapers.crawl_stats import CrawlStats, LogLines, is_logged
from scrapers.credentials import KeyMissing, read_keys
from scrapers.plan import Plan, PlanError, read_plan
from scrapers.redaction import redacted
from scrapers.store import Store
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import SettingsError, settings

logger = logging.getLogger("scrapers")
TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"


class CrawlError(Exception):
    """Why a crawl could not do its work, in one line."""


def main() -> int:
    """Run the crawl. Returns 0 when it did its work, failed requests included; 1 with one line when it could not."""
    log = _set_up_logging()
    try:
        plan = read_plan(sys.stdin.read())
        summary = run(plan, log)
    except (PlanError, CrawlError, SettingsError) as error:
        print(f"scrapers: {redacted(str(error))}", file=sys.stderr)
        return 1
    print(json.dumps(summary), flush=True)
    return 0


def run(plan: Plan, log: LogLines) -> dict[str, Any]:
    """Fetch all of `plan` into the database.

    Returns:
        The summary: `source, stored, not_modified, bytes, failed, seconds`; `source, busy` where another crawl of
        this source goes on: one at a time, or it would be asked twice as fast as its protocol allows.

    Raises:
        CrawlError: when the database cannot be reached or fails on the way, or the crawl was stopped before its end.
    """
    started, started_at = monotonic(), settings().now()
    try:
        read_keys(plan.auth)
    except KeyMissing as error:
        protocol = plan.requests[0].protocol if plan.requests else plan.source
        raise CrawlError(f"protocol {protocol}: {error}") from None
    try:
        connection = connect(settings().spider_database)
    except psycopg.OperationalError as error:
        raise CrawlError(f"cannot reach the database: {' '.join(str(error).split())}") from None
    with connection:
        if connection.execute(TRY_LOCK, [f"strades.crawl.{plan.source}"]).fetchone() != (True,):
            return {"source": plan.source, "busy": True}
        # No page waits for the disk. `Store.finish` does, for all: until then nothing says that they are stored, and
        # what a crash of the server takes the next run asks for.
        connection.execute("SET synchronous_commit = off")
        connection.commit()  # the lock is the session's
        crawl_stats = CrawlStats()
        crawl_stats.count("planned", len(plan.requests))
        store = Store(connection, plan, crawl_stats)
        if plan.requests:
            crawl(plan, store, crawl_stats)
        if crawl_stats.fatal is not None:
            raise CrawlError(crawl_stats.fatal)
        stored, kept = crawl_stats.total("stored"), crawl_stats.total("not_modified")
        logger.info("%s: %d stored, %d not modified, %d failed", plan.source, stored, kept, len(crawl_stats.failed))
        store.finish(started_at, log)
    if crawl_stats.finished_requests < len(plan.requests):
        raise CrawlError(
            f"stopped after {crawl_stats.finished_requests} of {len(plan.requests)} requests; what came is stored"
        )
    return {
        "source": plan.source,
        "stored": stored,
        "not_modified": kept,
        "bytes": crawl_stats.body_bytes,
        "failed": crawl_stats.failed,
        "seconds": round(monotonic() - started, 3),
    }


def crawl(plan: Plan, store: Store, crawl_stats: CrawlStats) -> None:
    """One crawler process with a spider for each kind in the plan; returns when all is answered."""
    from scrapy.crawler import AsyncCrawlerProcess

    from scrapers.settings import crawl_settings
    from scrapers.spiders.api import ApiSpider
    from scrapers.spiders.feed import FeedSpider
    from scrapers.spiders.file import FileSpider
    from scrapers.spiders.page import PageSpider

    process = AsyncCrawlerProcess(crawl_settings(plan))
    logging.getLogger("scrapy").setLevel(logging.WARNING)  # Scrapy sets it to DEBUG when the process is made
    kinds = {request.kind for request in plan.requests}
    for spider in (ApiSpider, FileSpider, FeedSpider, PageSpider):
        if spider.kind in kinds:
            process.crawl(spider, plan=plan, store=store, crawl_stats=crawl_stats)
    process.start()


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _set_up_logging() -> LogLines:
    to_stderr, to_database = logging.StreamHandler(sys.stderr), LogLines()
    to_stderr.addFilter(is_logged)
    to_stderr.setFormatter(_Plain("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [to_stderr, to_database]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)
    return to_database


if __name__ == "__main__":
    sys.exit(main())
