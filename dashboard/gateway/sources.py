"""When each source was last fetched, against its schedule in Sources.json."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dashboard.gateway.reading import read
from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.host_limits import QUERY as HOSTS
from strades_pipelines.datamanager.host_limits import HostRow
from strades_pipelines.datamanager.schedule_overrides import QUERY as OVERRIDES
from strades_pipelines.datamanager.schedule_overrides import ScheduleOverride, newest_overrides, schedule_of
from strades_pipelines.datamanager.sources import Website

# A run waits in a queue and works for a moment: what is late by less than this is not.
GRACE = timedelta(minutes=15)
LOOK_BACK = (timedelta(hours=2), timedelta(days=8), timedelta(days=62))
QUERY = """
    SELECT asked.source, last_try.fetched_at AS tried_at, last_try.outcome, last_try.error, answered.fetched_at,
        (
            SELECT count(*) FROM rawsources.fetches AS f
            WHERE f.source = asked.source AND f.outcome = 'failed' AND f.fetched_at > %(since)s
        ) AS failures
    FROM unnest(%(names)s::text[]) AS asked (source)
    LEFT JOIN LATERAL (
        SELECT f.fetched_at, f.outcome, f.error FROM rawsources.fetches AS f
        WHERE f.source = asked.source ORDER BY f.fetched_at DESC LIMIT 1
    ) AS last_try ON true
    LEFT JOIN LATERAL (
        SELECT f.fetched_at FROM rawsources.fetches AS f
        WHERE f.source = asked.source AND f.outcome <> 'failed' ORDER BY f.fetched_at DESC LIMIT 1
    ) AS answered ON true
"""


@dataclass(frozen=True)
class SourceAttempts:
    """The last attempt at a source, and the last one that was answered; failures of the last day."""

    source: str
    tried_at: datetime | None
    outcome: str | None
    error: str | None
    fetched_at: datetime | None
    failures: int


@dataclass(frozen=True)
class SourceHealth:
    """A source of Sources.json: `state` is fresh, late, never (not fetched yet) or off (not in use)."""

    website: Website
    attempts: SourceAttempts
    due_at: datetime | None
    next_at: datetime | None
    state: str


def read_hosts() -> list[HostRow]:
    """Every host that was ever asked, and whether it is asked now. One query."""
    return read(HostRow, HOSTS)


def read_sources(websites: Sequence[Website], *, now: datetime) -> list[SourceHealth]:
    """The health of each source, in the order of Sources.json, by the times that its schedule has now. Two queries."""
    names = [website.name for website in websites]
    found = {row.source: row for row in read(SourceAttempts, QUERY, names=names, since=now - timedelta(days=1))}
    newest = newest_overrides(read(ScheduleOverride, OVERRIDES))
    return [judge(website, found[website.name], newest.get(schedule_of(website.name)), now=now) for website in websites]


def judge(
    website: Website, attempts: SourceAttempts, override: ScheduleOverride | None = None, *, now: datetime
) -> SourceHealth:
    """Compare the last answer with the last time that the schedule asked for one."""
    if override is not None and not override.is_own:
        website = replace(website, schedule=override.cron)
    due_at = last_tick(website.schedule, now - GRACE)
    if override is not None and due_at is not None and due_at < override.requested_at:
        due_at = None  # by times that it did not have then
    if not website.fonctionnel:
        state = "off"
    elif attempts.fetched_at is None:
        state = "never"
    else:
        state = "late" if due_at is not None and attempts.fetched_at < due_at else "fresh"
    next_at = next_tick(website.schedule, now) if website.fonctionnel else None
    return SourceHealth(website, attempts, due_at, next_at, state)


def last_tick(cron: str, before: datetime) -> datetime | None:
    """The last time at or before `before` (UTC) that a schedule fired; None where that is two months ago."""
    end = before + timedelta(seconds=1)
    # The shortest first: two months of a schedule of each minute are 90,000 times.
    for span in LOOK_BACK:
        found = max(ticks(cron, before - span, end), default=None)
        if found is not None:
            return found
    return None


def next_tick(cron: str, after: datetime) -> datetime | None:
    """The next time after `after` (UTC) that a schedule fires; None where that is in more than two months."""
    # A time at `after` itself is not the next one.
    start = after + timedelta(microseconds=1)
    for span in LOOK_BACK:
        found = next(iter(sorted(ticks(cron, start, start + span))), None)
        if found is not None:
            return found
    return None
