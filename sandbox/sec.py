"""EDGAR's submissions, in their shape, over synthetic filings: `data.sec.gov/submissions/CIK<10 digits>.json`.

The companies and their CIKs are real; the filings are invented (and say so): a report for each quarter, five weeks
after its end, and an 8-K of each month on a day that the seed draws, as long as the sandbox has bars of the company.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox.draws import draw
from sandbox.stocks import SYMBOLS, raw_bars
from sandbox.world import Reply, World, json_reply, strong_etag

HOST = "data.sec.gov"
CIKS = {
    "0000320193": "AAPL",
    "0000051143": "IBM",
    "0000789019": "MSFT",
    "0001288776": "GOOG",
    "0001326801": "FB",
}
NEW_YORK = ZoneInfo("America/New_York")  # EDGAR writes this clock with a Z
MOST_RECENT = 1_000
QUARTER_ENDS = {1: (3, 31), 2: (6, 30), 3: (9, 30), 4: (12, 31)}


@dataclass(frozen=True)
class Filing:
    """One filing: its form, the last day it reports on, and when EDGAR took it in."""

    form: str
    period_end: date
    accepted: datetime


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): the filings accepted by now, newest first."""
    cik = path.removeprefix("submissions/CIK").removesuffix(".json")
    if path != f"submissions/CIK{cik}.json" or cik not in CIKS:
        return Reply(b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>\n", "application/xml", 404)
    filed = [filing for filing in filings(world.seed, cik) if filing.accepted <= world.now()]
    reply = json_reply(submissions(cik, filed))
    return Reply(reply.body, reply.content_type, headers={"ETag": strong_etag(reply.body)})


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


def submissions(cik: str, known: list[Filing]) -> dict[str, object]:
    """EDGAR's document of a company: what is recent, in columns, newest first.

    Args:
        known: all that was filed by now, oldest first; its place in it is in a filing's accession number.
    """
    symbol = CIKS[cik]
    recent = list(enumerate(known, 1))[::-1][:MOST_RECENT]
    filed = [filing for _, filing in recent]
    name, exchange, _ = SYMBOLS[symbol]
    numbers = [f"{cik}-{filing.accepted:%y}-{place:06d}" for place, filing in recent]
    return {
        "cik": cik.lstrip("0"),
        "entityType": "operating",
        "name": f"{name} (synthetic filings, Strades sandbox)",
        "tickers": [symbol],
        "exchanges": [exchange],
        "filings": {
            "recent": {
                "accessionNumber": numbers,
                "filingDate": [f"{filing.accepted.astimezone(NEW_YORK):%Y-%m-%d}" for filing in filed],
                "reportDate": [f"{filing.period_end}" for filing in filed],
                "acceptanceDateTime": [
                    f"{filing.accepted.astimezone(NEW_YORK):%Y-%m-%dT%H:%M:%S}.000Z" for filing in filed
                ],
                "form": [filing.form for filing in filed],
                "primaryDocument": [f"{symbol.lower()}-{filing.period_end:%Y%m%d}.htm" for filing in filed],
                "primaryDocDescription": [f"{filing.form} (synthetic)" for filing in filed],
            },
            "files": [],
        },
    }
