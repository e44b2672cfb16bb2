"""Fresh or late: the last answer against the last time that the schedule asked for one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.gateway.agenda import Session, next_events
from dashboard.gateway.sources import GRACE, SourceAttempts, judge, last_tick, next_tick
from strades_pipelines.datamanager.sources import Website, load_sources
from strades_pipelines.settings import PROJECT

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)  # a Sunday
NEVER = SourceAttempts("x", None, None, None, None, 0)


@pytest.fixture(scope="module")
def yahoo() -> Website:
    """Fetched at 21:30 UTC on weekdays."""
    return load_sources(PROJECT / "Sources.json").website("yahoo")


@pytest.mark.parametrize(
    ("cron", "last", "following"),
    [
        ("30 21 * * 1-5", datetime(2026, 11, 27, 21, 30, tzinfo=UTC), datetime(2026, 11, 30, 21, 30, tzinfo=UTC)),
        ("*/5 * * * *", NOW, NOW + timedelta(minutes=5)),
        ("0 0 1 * *", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("0 0 29 2 *", None, None),
    ],
)
def test_ticks_before_and_after(cron: str, last: datetime | None, following: datetime | None) -> None:
    assert last_tick(cron, NOW) == last
    assert next_tick(cron, NOW) == following


@pytest.mark.parametrize(
    ("fetched_at", "state"),
    [
        (datetime(2026, 11, 27, 21, 30, 1, tzinfo=UTC), "fresh"),  # since Friday's: on Sunday nothing newer is due
        (datetime(2026, 11, 27, 21, 29, tzinfo=UTC), "late"),
        (None, "never"),
    ],
)
def test_a_weekend_makes_nothing_late(yahoo: Website, fetched_at: datetime | None, state: str) -> None:
    assert judge(yahoo, replace(NEVER, fetched_at=fetched_at), now=NOW).state == state


def test_a_run_has_a_moment_before_it_is_late(yahoo: Website) -> None:
    due = datetime(2026, 11, 30, 21, 30, tzinfo=UTC)
    friday = replace(NEVER, fetched_at=datetime(2026, 11, 27, 21, 31, tzinfo=UTC))
    assert judge(yahoo, friday, now=due + GRACE - timedelta(seconds=1)).state == "fresh"
    assert judge(yahoo, friday, now=due + GRACE).state == "late"


def test_a_source_that_is_not_in_use_is_neither(yahoo: Website) -> None:
    found = judge(replace(yahoo, fonctionnel=False), NEVER, now=NOW)
    assert (found.state, found.next_at) == ("off", None)


def test_what_is_due_at_one_instant_is_one_event_and_an_open_market_closes(yahoo: Website) -> None:
    sources = [judge(replace(yahoo, name=name), NEVER, now=NOW) for name in ("a", "b")]
    hour = timedelta(hours=1)
    sessions = [
        Session("XNYS", NOW.date(), NOW - hour, NOW + hour, True),
        Session("XTKS", NOW.date(), NOW + hour, NOW + 2 * hour, False),
    ]
    events = next_events(sources, sessions, now=NOW)
    assert [(event.kind, event.names) for event in events] == [
        ("close", ("XNYS",)),
        ("open", ("XTKS",)),
        ("fetch", ("a", "b")),
    ]
    assert events[0].is_half_day
