"""When the companies of the sandbox file what with EDGAR.

The companies and their CIKs are real; the filings are invented (and say so): a report for each quarter, five weeks
after its end, and an 8-K of each month on a day that the seed draws, as long as the sandbox has bars of the company.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox.draws import draw
from sandbox.stocks import raw_bars

CIKS = {
    "0000320193": "AAPL",
    "0000051143": "IBM",
    "0000789019": "MSFT",
    "0001288776": "GOOG",
    "0001326801": "FB",
}
NEW_YORK = ZoneInfo("America/New_York")  # EDGAR writes this clock with a Z
QUARTER_ENDS = {1: (3, 31), 2: (6, 30), 3: (9, 30), 4: (12, 31)}


@dataclass(frozen=True)
class Filing:
    """One filing: its form, the last day it reports on, and when EDGAR took it in."""

    form: str
    period_end: date
    accepted: datetime


@lru_cache(maxsize=16)
def filings(seed: int, cik: str) -> tuple[Filing, ...]:
    """All filings of a company, oldest first."""
    bars = raw_bars(CIKS[cik])
    first, last = bars[0].session, bars[-1].session
    return tuple(
        sorted(
            (filing for filing in _all(seed, cik, first.year, last.year) if first <= filing.accepted.date() <= last),
            key=lambda filing: filing.accepted,
        )
    )


def _all(seed: int, cik: str, first_year: int, last_year: int) -> Iterator[Filing]:
    # The last report of a year is filed in the next.
    for year in range(first_year - 1, last_year + 1):
        for quarter, (month, day) in QUARTER_ENDS.items():
            end = date(year, month, day)
            yield Filing("10-K" if quarter == 4 else "10-Q", end, _accepted(seed, cik, end + timedelta(days=35)))
        for month in range(1, 13):
            event = date(year, month, 1 + draw(seed, cik, year, month) % 26)
            yield Filing("8-K", event, _accepted(seed, cik, event + timedelta(days=1)))


def _accepted(seed: int, cik: str, day: date) -> datetime:
    seconds = draw(seed, "accepted", cik, day) % 3_600
    return datetime(day.year, day.month, day.day, 20, 30, tzinfo=UTC) + timedelta(seconds=seconds)


def accession(cik: str, filing: Filing, place: int) -> str:
    """The number of a company's filing in that place, from 1."""
    return f"{cik}-{filing.accepted:%y}-{place:06d}"
