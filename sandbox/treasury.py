"""The Treasury's yield curve feed, in its shape, over synthetic yields: `home.treasury.gov/.../pages/xml`.

The yields are invented, and the feed's title says so: a level that wanders from month to month by the sandbox's seed,
and a slope. Weekdays only, served from 15:30 in New York on; the tenors begin when the Treasury began to publish them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.draws import uniform
from sandbox.world import Reply, World, http_date, strong_etag

HOST = "home.treasury.gov"
PATH = "resource-center/data-chart-center/interest-rates/pages/xml"
NEW_YORK = ZoneInfo("America/New_York")
FIRST = date(1990, 1, 2)
# Tenor: its part of the way from the short end to the long end, and its first day.
TENORS = {
    "1MONTH": (0.0, date(2001, 7, 31)),
    "1_5MONTH": (0.01, date(2025, 2, 18)),
    "2MONTH": (0.02, date(2018, 10, 16)),
    "3MONTH": (0.03, FIRST),
    "4MONTH": (0.04, date(2022, 10, 19)),
    "6MONTH": (0.07, FIRST),
    "1YEAR": (0.14, FIRST),
    "2YEAR": (0.27, FIRST),
    "3YEAR": (0.38, FIRST),
    "5YEAR": (0.55, FIRST),
    "7YEAR": (0.68, FIRST),
    "10YEAR": (0.8, FIRST),
    "20YEAR": (0.95, date(1993, 10, 1)),
    "30YEAR": (1.0, FIRST),
}
_HEAD = """<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<feed xml:base="https://home.treasury.gov/resource-center/data-chart-center/interest-rates/pages/xml" \
xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" \
xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns="http://www.w3.org/2005/Atom">
<title type="text">DailyTreasuryYieldCurveRateData (synthetic, Strades sandbox)</title>
"""


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): the entries of one month, as of the world's now."""
    if path != PATH or query.get("data") != "daily_treasury_yield_curve":
        return Reply(b"Page not found\n", "text/plain", 404)
    try:
        month = datetime.strptime(query.get("field_tdr_date_value_month", ""), "%Y%m").date()
    except ValueError:
        return Reply(b"field_tdr_date_value_month: expected YYYYMM\n", "text/plain", 400)
    days = [day for day in weekdays(month) if published(day) <= world.now()]
    body = "".join([_HEAD, *(_entry(world.seed, day) for day in days), "</feed>\n"]).encode()
    said = {"Last-Modified": http_date(published(days[-1]))} if days else {}
    return Reply(body, "application/xml", headers={"ETag": strong_etag(body), **said})


def published(day: date) -> datetime:
    """When a day's curve is out, UTC."""
    return datetime(day.year, day.month, day.day, 15, 30, tzinfo=NEW_YORK).astimezone(UTC)


def weekdays(month: date) -> Iterator[date]:
    """The weekdays of a month, from the first day there is."""
    day = month
    while day.month == month.month:
        if day.weekday() < 5 and day >= FIRST:
            yield day
        day += timedelta(days=1)


def curve(seed: int, day: date) -> dict[str, float | None]:
    """The yield of each tenor in percent; None before its first day."""
    short, long = (_level(seed, end, day) for end in ("short", "long"))
    return {
        tenor: round(short + (1.5 + long) * part, 2) if day >= first else None
        for tenor, (part, first) in TENORS.items()
    }


def _level(seed: int, end: str, day: date) -> float:
    """A value in [0, 4) that goes in straight lines from one month's draw to the next, with some noise each day."""
    number, part = day.year * 12 + day.month, (day.day - 1) / 31
    here, there = (4 * uniform(seed, "yield", end, number + step) for step in (0, 1))
    return here + (there - here) * part + 0.05 * uniform(seed, "yield", end, day)


def _entry(seed: int, day: date) -> str:
    cells = [
        f'<d:BC_{tenor} m:type="Edm.Double" m:null="true" />' if value is None
        else f'<d:BC_{tenor} m:type="Edm.Double">{value:g}</d:BC_{tenor}>'
        for tenor, value in curve(seed, day).items()
    ]  # fmt: skip
    return (
        '<entry><content type="application/xml"><m:properties>'
        f'<d:NEW_DATE m:type="Edm.DateTime">{day}T00:00:00</d:NEW_DATE>{"".join(cells)}'
        "</m:properties></content></entry>\n"
    )
