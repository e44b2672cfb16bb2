"""How old a wallet's decisions are when its source's schedule allows them: an age limit below that refuses them all.

A decision's age counts from when its bar became available: when the decision was stored, but at most one interval after
the bar's close (`due_decisions.Due.available_at`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, sessions
from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument, Sources, Website
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.strategy.events import moment

# Four weeks hold every weekday and a long weekend; a minute wallet's week is enough, and quick to walk through.
DAILY_STRETCH, INTRADAY_STRETCH = timedelta(weeks=4), timedelta(weeks=1)
LONGEST_GAP = timedelta(days=32)  # of a schedule
# From the tick of a schedule to the decision: the fetch, the work on it, and the sensor that launches the trade.
WORK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many of the decisions on an instrument's bars would be older than the wallet accepts."""

    instrument: str
    decisions: int
    stale: int
    longest: timedelta

    @property
    def is_hopeless(self) -> bool:
        """Whether none can ever become an order."""
        return self.decisions == self.stale


def ages(closes: Iterable[datetime], fetches: Sequence[datetime], interval: timedelta) -> list[timedelta]:
    """Ages of decisions when they are first made, one for each bar that a fetch follows.

    Args:
        closes: of the bars, UTC.
        fetches: when a source is asked, UTC, in order.
    """
    found = []
    for close in closes:
        place = bisect_right(fetches, close)
        if place < len(fetches):
            found.append(max(timedelta(0), fetches[place] + WORK - (close + interval)))
    return found


def bar_closes(calendar: str, interval: timedelta, start: datetime, end: datetime) -> list[datetime]:
    """When bars of `interval` close in [start, end): with the calendar's sessions, or round the clock."""
    if calendar == ALWAYS_OPEN:
        return _every(interval, start, end)
    known = sessions(calendar, start.year, end.year)
    if interval >= timedelta(days=1):
        return [close for close in map(moment, known.closes.tolist()) if start <= close < end]
    return [
        close
        for opened, closed in ((moment(opens), moment(closes)) for opens, closes in known.stretches())
        if start <= closed < end
        # The last bar closes with the session, and `_every` leaves its end out.
        for close in _every(interval, opened + interval, closed + timedelta(microseconds=1))
    ]


def outlooks(template: WalletTemplate, sources: Sources, *, now: datetime) -> tuple[list[Outlook], list[str]]:
    """The outlook for each instrument of a wallet by its sources' schedules, and a line for each that has none."""
    found, problems = [], []
    interval = interval_length(template.interval)
    stretch = DAILY_STRETCH if interval >= timedelta(days=1) else INTRADAY_STRETCH
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for name in template.instruments:
        series = _series(name, template.interval, sources)
        running = [(site, one) for site, one in series if one.end_date is None or one.end_date > now]
        if not running:
            said = (
                f"its bars end at {max(str(one.end_date)[:10] for _, one in series)}"
                if series
                else "nothing fetches it"
            )
            problems.append(f"{name} {template.interval}: {said}")
            continue
        fetches = sorted({at for site, _ in running for at in ticks(site.schedule, end - stretch, end + LONGEST_GAP)})
        closes = bar_closes(_calendar(*running[0]), interval, end - stretch, end)
        waits = ages(closes, fetches, interval)
        stale = sum(wait > template.max_age for wait in waits)
        found.append(Outlook(name, len(waits), stale, max(waits, default=timedelta(0))))
    return found, problems


def _series(name: str, interval: str, sources: Sources) -> list[tuple[Website, Instrument]]:
    """The series of a listing, `VENUE:SYMBOL`, with bars of that interval, each with the website that has it."""
    return [
        (site, one)
        for site in sources.websites
        if site.fonctionnel
        for one in sources.instruments_of(site)
        if f"{site.venue}:{one.symbol}" == name and one.interval == interval
    ]


def _calendar(site: Website, instrument: Instrument) -> str:
    return instrument.calendar or load_protocol(site.protocol).calendar or ALWAYS_OPEN


def _every(step: timedelta, start: datetime, end: datetime) -> list[datetime]:
    return [start + number * step for number in range(-(-(end - start) // step))]
