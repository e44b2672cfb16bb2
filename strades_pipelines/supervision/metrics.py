"""Read what is measured of an installation from its tables, Dagster's, and its folders; Dagster need not run.

A part that cannot be read has no samples, and `strades_read_failed` is 1 for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from strades_pipelines.database.backup_chains import chains, taken_at
from strades_pipelines.database.connection import embedded_server
from strades_pipelines.database.sizes import read_disk
from strades_pipelines.datamanager.cron import longest_wait
from strades_pipelines.datamanager.schedule_overrides import schedule_of
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.streams.states import FRESH
from strades_pipelines.ingestion.streams.stream_sources import wanted_streams
from strades_pipelines.settings import settings
from strades_pipelines.supervision.metric_definitions import (
    DAGSTER_METRICS,
    OVERDUE,
    READ_FAILED,
    SOURCE_AGE,
    STREAM_REPORT_AGE,
    WORLD_METRICS,
    Metric,
)
from strades_pipelines.supervision.watchdog import Ticker, open_read_only, read_tickers

SETTLED_WITHIN = timedelta(minutes=5)  # a venue that answers settles an order within seconds


@dataclass(frozen=True)
class Sample:
    """A value of a metric."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_metrics(world_url: Callable[[], str], dagster_url: Callable[[], str]) -> list[Sample]:
    """All samples, now. A part that fails costs only its own."""
    now, real_now = settings().now(), datetime.now(UTC)
    samples: list[Sample] = []

    def read(part: str, source: Callable[[], Iterator[Sample]]) -> None:
        try:
            samples.extend(source())
            failed = 0
        except (psycopg.Error, OSError, ValueError):
            failed = 1
        samples.append(Sample(READ_FAILED.name, {"part": part}, failed))

    def of_sources() -> Iterator[Sample]:
        sources = load_sources(settings().sources)
        names = [site.name for site in sources.websites if site.fonctionnel]
        yield from _queried(
            world_url(), (STREAM_REPORT_AGE,), {**times, "streamed": sorted(wanted_streams(settings().sources))}
        )
        found = list(_queried(world_url(), (SOURCE_AGE,), {**times, "sources": names}))
        yield from found
        ages = {each.labels["source"]: each.value for each in found}
        yield from overdue_sources(sources, read_tickers(dagster_url(), world_url()), ages, real_now)

    times = {"now": now, "real_now": real_now, "fresh": FRESH, "settled": SETTLED_WITHIN}
    read("world", lambda: _queried(world_url(), WORLD_METRICS, times))
    read("sources", of_sources)  # apart: a Sources.json that cannot be used hides no order
    read("dagster", lambda: _queried(dagster_url(), DAGSTER_METRICS, times))
    read("files", lambda: _file_samples(real_now))
    return samples


def _queried(url: str, metrics: tuple[Metric, ...], parameters: Mapping[str, Any]) -> Iterator[Sample]:
    """The samples of queries; of a table that is not made yet (dbt's) none."""
    with open_read_only(url) as connection:
        for metric in metrics:
            try:
                rows = connection.execute(metric.query.encode(), parameters).fetchall()
            except psycopg.errors.UndefinedTable:
                continue
            for *labels, value in rows:
                if value is not None:
                    yield Sample(metric.name, dict(zip(metric.labels, labels, strict=True)), float(value))


def overdue_sources(
    sources: Sources, tickers: list[Ticker], ages: Mapping[str, float], real_now: datetime
) -> Iterator[Sample]:
    """How overdue each source is whose schedule runs: 0 for one that answers when it is asked.

    Args:
        ages: seconds since each source's last good answer, by the world's clock; a source without one is not in it.
        real_now: UTC.
    """
    running = {ticker.name: ticker for ticker in tickers if ticker.cron is not None}
    for site in sources.websites:
        ticker = running.get(schedule_of(site.name))
        if ticker is None or ticker.cron is None:
            continue
        served = timedelta.max if ticker.since is None else max(real_now - ticker.since, timedelta())
        age = timedelta(seconds=ages[site.name]) if site.name in ages else served
        if min(age, served) == timedelta.max:
            continue  # nobody knows since when it runs, and it never answered
        late = min(age, served) - longest_wait(ticker.cron)
        yield Sample(OVERDUE.name, {"source": site.name}, max(late.total_seconds(), 0.0))


def _file_samples(real_now: datetime) -> Iterator[Sample]:
    archive = settings().archive
    yield Sample("strades_disk_free_ratio", {"folder": "home"}, 1 - read_disk(settings().home).used_share)
    statuses = embedded_server().data / "pg_wal" / "archive_status"
    if archive is not None and statuses.is_dir():
        yield Sample("strades_wal_unarchived_seconds", {}, _oldest_waiting(statuses, real_now))
    found = [] if archive is None else chains(archive)
    if found:
        age = real_now - taken_at(found[-1][-1])
        yield Sample("strades_base_backup_age_seconds", {}, age.total_seconds())
    if archive is not None:  # last: one that cannot be reached hides none of the others
        yield Sample("strades_disk_free_ratio", {"folder": "archive"}, 1 - read_disk(archive).used_share)


def _oldest_waiting(statuses: Path, real_now: datetime) -> float:
    """For how many seconds the oldest segment waits.

    PostgreSQL counts only a try that ended with an exit code up to 125: not one that hangs, nor one whose program is
    gone (127) or was killed, whereupon the archiver itself ends.
    """
    waiting = []
    for path in statuses.glob("*.ready"):
        with suppress(FileNotFoundError):  # archived meanwhile
            waiting.append(path.stat().st_mtime)
    return max(0.0, real_now.timestamp() - min(waiting)) if waiting else 0.0
