"""Counters of one crawl by step, for its summary, its stored action chain and its log."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scrapers.redaction import one_line
from strades_pipelines.settings import settings

MAXIMUM_LOG_LINES = 2_000


@dataclass
class CrawlStats:
    """The steps of one crawl: one entry per kind of step, ordered by first occurrence."""

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    body_bytes: int = 0
    finished_requests: int = 0
    fatal: str | None = None  # why the crawl failed as a whole

    def count(self, step: str, number: int = 1) -> None:
        """Add `number` to a step: planned, requested, retried, stored, not_modified or failed."""
        now = instant(settings().now())
        entry = self.steps.setdefault(step, {"op": step, "count": 0, "first_at": now, "last_at": now})
        entry["count"] += number
        entry["last_at"] = now

    def total(self, step: str) -> int:
        """The count of a step; 0 if it never happened."""
        return int(self.steps.get(step, {}).get("count", 0))

    @property
    def action_chain(self) -> list[dict[str, Any]]:
        """The steps as stored with the crawl."""
        return list(self.steps.values())


def is_logged(record: logging.LogRecord) -> bool:
    """Whether a record is logged: from INFO for our code, from WARNING for libraries."""
    ours = record.name.split(".")[0] == "scrapers"
    return record.levelno >= (logging.INFO if ours else logging.WARNING)


class LogLines(logging.Handler):
    """Collect the log lines for the database, with secrets redacted."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.addFilter(is_logged)
        self.lines: list[tuple[datetime, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record as (time, level, message)."""
        if len(self.lines) < MAXIMUM_LOG_LINES:
            self.lines.append((settings().now(), record.levelname, one_line(record.getMessage(), 1_000)))


def instant(moment: datetime) -> str:
    """A time as ISO 8601, UTC, with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
