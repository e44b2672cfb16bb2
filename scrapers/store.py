"""Where answers go: bodies by their hash, and a row for every fetch, in one transaction a question.

A question of one page is one transaction. The pages of a longer one are kept together until the last is in: a question
of which only some pages are stored would look answered.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from scrapers.answers import Answer
from scrapers.crawl_stats import CrawlStats, LogLines
from scrapers.plan import Plan
from scrapers.redaction import without_secrets
from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ids import int63

INSERT_FETCH = """
    INSERT INTO rawsources.fetches (
        fetch_id, source, protocol, request_key, method, url, given, window_start, window_end, month, status, headers,
        etag, last_modified, fetched_at, answered_at, outcome, error, sha256, run_id
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
LAST_STORED = """
    SELECT sha256 FROM rawsources.fetches
    WHERE source = %s AND request_key = %s AND url = %s AND sha256 IS NOT NULL
    ORDER BY fetched_at DESC, fetch_id LIMIT 1
"""
INSERT_CHAIN = """
    INSERT INTO rawsources.protocols_storage AS known (id, time_gmt, software_version, action_chain)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET action_chain = known.action_chain || EXCLUDED.action_chain
"""
INSERT_LOG = """
    INSERT INTO rawsources.live_scrapper_logs_info (time_gmt, run_id, source, level, message)
    VALUES (%s, %s, %s, %s, %s)
"""


@dataclass
class Store:
    """The open database of one crawl."""

    connection: psycopg.Connection[Any]
    plan: Plan
    crawl_stats: CrawlStats
    held: dict[str, list[Answer]] = field(default_factory=dict)

    def keep(self, answer: Answer) -> None:
        """Take one answer in; it is committed, with the pages before it, when it is the last of its question."""
        pages = self.held.setdefault(answer.request.request_key, [])
        if answer.outcome == "failed":
            pages.clear()
        pages.append(answer)
        if answer.last:
            self._commit(self.held.pop(answer.request.request_key))

    def give_up(self, answer: Answer) -> None:
        """Count an answer that no row can hold as failed; nothing of its question is stored."""
        self.held.pop(answer.request.request_key, None)
        self._count(answer)
        self.crawl_stats.finished_requests += 1

    def _commit(self, pages: list[Answer]) -> None:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            written = [self._write(cursor, page) for page in pages]
            crash_point("fetch.body_stored")
        crash_point("fetch.page_committed")
        for page in written:
            self._count(page)
        self.crawl_stats.finished_requests += 1
        if self.crawl_stats.finished_requests == (len(self.plan.requests) + 1) // 2:
            crash_point("fetch.half_done")

    def _write(self, cursor: psycopg.Cursor[Any], page: Answer) -> Answer:
        request, url, sha256 = page.request, without_secrets(page.url), None
        if page.outcome == "stored":
            sha256 = keep_body(cursor, page.body)
        elif page.outcome == "not_modified":
            found = cursor.execute(LAST_STORED, [request.source, request.request_key, url]).fetchone()
            if found is None:
                error = "answered 304 (not modified), but no body of this question is stored: ask without its etag"
                page = replace(page, outcome="failed", etag=None, last_modified=None, error=error)
            sha256 = found and found[0]
        cursor.execute(INSERT_FETCH, self._row(page, url, sha256))
        return page

    def _row(self, page: Answer, url: str, sha256: bytes | None) -> list[Any]:
        request = page.request
        return [
            int63(request.source, request.request_key, url, page.fetched_at, page.outcome, sha256),
            request.source,
            request.protocol,
            request.request_key,
            request.method,
            url,
            Jsonb(dict(request.given or {})),
            request.window_start,
            request.window_end,
            request.month,
            page.status,
            Jsonb(page.lasting_headers),
            *_marks(page),
            page.fetched_at,
            page.answered_at,
            page.outcome,
            page.error,
            sha256,
            self.plan.run_id,
        ]

    def _count(self, page: Answer) -> None:
        self.crawl_stats.count(page.outcome)
        self.crawl_stats.body_bytes += len(page.body)
        if page.error is not None:
            self.crawl_stats.failed.append({"url": without_secrets(page.url), "error": page.error})

    def finish(self, started_at: datetime, log: LogLines) -> None:
        """Write the action chain and the log lines of the crawl; what was stored before is on the disk with them."""
        plan = self.plan
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = on")  # the log of the server is in the order of the commits
            chain = Jsonb(self.crawl_stats.action_chain)
            cursor.execute(INSERT_CHAIN, [f"{plan.run_id}/{plan.source}", started_at, software_version(), chain])
            rows = [(at, plan.run_id, plan.source, level, message) for at, level, message in log.lines]
            cursor.executemany(INSERT_LOG, rows)


def _marks(page: Answer) -> tuple[str | None, str | None]:
    """The etag and Last-Modified to ask with next time; a 304 that repeats neither confirms those it was asked with."""
    if page.outcome == "failed":
        return None, None
    etag, modified = page.etag, page.last_modified
    if page.outcome == "not_modified" and etag is None and modified is None:
        return page.request.etag, page.request.last_modified
    return etag, modified


def software_version() -> str:
    """The version of this project as installed."""
    try:
        return version("strades")
    except PackageNotFoundError:
        return "unknown"
