"""What a provider's stamp means, by the venue's calendar."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from strades_pipelines.ingestion.bars import Bars, GivenError, at_local_time, bar_times

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bar(stamp: str, interval: str, calendar: str, time_zone: str | None = None) -> tuple[str, str] | None:
    """Open and close of the bar of a stamp; None where it does not fit."""
    ticks = np.array([(datetime.fromisoformat(stamp) - EPOCH) // MICROSECOND])
    bars: Bars = bar_times(ticks, interval=interval, calendar=calendar, time_zone=time_zone, last_year=2026)
    if bars.misfit[0]:
        return None
    times = (EPOCH + timedelta(microseconds=int(edge[0])) for edge in (bars.opens, bars.closes))
    first, last = (f"{time:%Y-%m-%dT%H:%MZ}" for time in times)
    return first, last


@pytest.mark.parametrize(
    ("stamp", "interval", "calendar", "time_zone", "expected"),
    [
        ("2026-11-01T00:00Z", "1m", "24/7", None, ("2026-11-01T00:00Z", "2026-11-01T00:01Z")),
        ("2026-11-01T00:00:01Z", "1m", "24/7", None, None),
        ("2026-11-01T04:00Z", "4h", "24/7", None, ("2026-11-01T04:00Z", "2026-11-01T08:00Z")),
        ("2026-11-01T02:00Z", "4h", "24/7", None, None),
        # days of New York: winter, summer, the half day after Thanksgiving, a holiday, a Saturday
        ("2024-01-02T14:30Z", "1d", "XNYS", None, ("2024-01-02T14:30Z", "2024-01-02T21:00Z")),
        ("2024-07-02T13:30Z", "1d", "XNYS", None, ("2024-07-02T13:30Z", "2024-07-02T20:00Z")),
        ("2024-11-29T14:30Z", "1d", "XNYS", None, ("2024-11-29T14:30Z", "2024-11-29T18:00Z")),
        ("2024-07-04T13:30Z", "1d", "XNYS", None, None),
        ("2024-07-06T13:30Z", "1d", "XNYS", None, None),
        # a label before the opening is the day's; a stamp after it is not (a live row)
        ("2024-01-02T00:00Z", "1d", "XNYS", "UTC", ("2024-01-02T14:30Z", "2024-01-02T21:00Z")),
        ("2024-01-02T05:00Z", "1d", "XNYS", None, ("2024-01-02T14:30Z", "2024-01-02T21:00Z")),
        ("2024-01-02T00:00Z", "1d", "XNYS", None, None),  # still 1 January in New York
        ("2024-01-02T15:00Z", "1d", "XNYS", None, None),
        # a currency's day starts at midnight in London, the evening before in summer
        ("2024-07-01T23:00Z", "1d", "24/5", "Europe/London", ("2024-07-02T00:00Z", "2024-07-03T00:00Z")),
        # within a session, from its opening
        ("2024-01-02T14:30Z", "1h", "XNYS", None, ("2024-01-02T14:30Z", "2024-01-02T15:30Z")),
        ("2024-01-02T20:30Z", "1h", "XNYS", None, ("2024-01-02T20:30Z", "2024-01-02T21:00Z")),
        ("2024-01-02T15:00Z", "1h", "XNYS", None, None),
        ("2024-01-02T21:00Z", "1m", "XNYS", None, None),
        # a day labelled with an instant that is neither an opening nor a midnight of its zone: 08:00 in New York is
        # midnight of 4 January in Sydney, 07:00 the noon of UTC
        ("2024-01-03T13:00Z", "1d", "XNYS", None, None),
        ("2024-01-03T13:00Z", "1d", "XNYS", "Australia/Sydney", ("2024-01-04T14:30Z", "2024-01-04T21:00Z")),
        ("2024-01-03T12:00Z", "1d", "XNYS", "UTC", None),
        # a clock at which the venue opens on other days: Hong Kong's day began at 10:00 until 7 March 2011 and does at
        # 9:30 since, Seoul's begins at 10:00 instead of 9:00 on the first of a year
        ("2025-01-02T00:00Z", "1d", "XKRX", None, ("2025-01-02T01:00Z", "2025-01-02T06:30Z")),
        ("2005-01-04T01:30Z", "1d", "XHKG", None, ("2005-01-04T02:00Z", "2005-01-04T08:00Z")),
        # hours on both sides of a lunch break, and none in it: Shanghai 11:30 to 13:00, Hong Kong 12:00 to 13:00,
        # Tokyo 11:30 to 12:30 and, since 2024-11-05, to 15:30 (the exchanges' trading hours)
        ("2024-01-04T02:30Z", "1h", "XSHG", None, ("2024-01-04T02:30Z", "2024-01-04T03:30Z")),
        ("2024-01-04T05:00Z", "1h", "XSHG", None, ("2024-01-04T05:00Z", "2024-01-04T06:00Z")),
        ("2024-01-04T06:00Z", "1h", "XSHG", None, ("2024-01-04T06:00Z", "2024-01-04T07:00Z")),
        ("2024-01-04T03:30Z", "1h", "XHKG", None, ("2024-01-04T03:30Z", "2024-01-04T04:00Z")),
        ("2024-01-04T05:00Z", "1h", "XHKG", None, ("2024-01-04T05:00Z", "2024-01-04T06:00Z")),
        ("2024-01-04T04:30Z", "1h", "XHKG", None, None),
        ("2024-01-04T02:00Z", "1h", "XTKS", None, ("2024-01-04T02:00Z", "2024-01-04T02:30Z")),
        ("2024-01-04T03:30Z", "1h", "XTKS", None, ("2024-01-04T03:30Z", "2024-01-04T04:30Z")),
        ("2024-11-05T05:30Z", "1h", "XTKS", None, ("2024-11-05T05:30Z", "2024-11-05T06:30Z")),
        ("2024-01-04T03:30Z", "30m", "XSHG", None, None),
        ("2024-01-04T04:00Z", "30m", "XSHG", None, None),
        # Yahoo's firstTradeDate of AAPL, long before the years most bodies need
        ("1980-12-12T14:30Z", "1d", "XNYS", None, ("1980-12-12T14:30Z", "1980-12-12T21:00Z")),
    ],
)
def test_stamp_is_the_bar_of_its_calendar(
    stamp: str, interval: str, calendar: str, time_zone: str | None, expected: tuple[str, str] | None
) -> None:
    assert bar(stamp, interval, calendar, time_zone) == expected


@pytest.mark.parametrize(
    ("interval", "calendar", "time_zone", "match"),
    [
        ("1d", "NOPE", None, "a calendar of exchange_calendars, was 'NOPE'"),
        ("7d", "XNYS", None, "at most 1d"),
        ("1w", "24/7", None, "an interval such as"),
        ("1d", "XNYS", "Mars/Olympus", "a time zone such as"),
        ("1d", "XNYS", "../../etc/passwd", "a time zone such as"),
    ],
)
def test_unusable_interval_calendar_or_zone_is_named(
    interval: str, calendar: str, time_zone: str | None, match: str
) -> None:
    with pytest.raises(GivenError, match=match):
        bar("2024-01-02T15:00Z", interval, calendar, time_zone)


def test_local_time_follows_the_clocks_of_its_zone() -> None:
    days = np.array([date(2024, 3, 29), date(2024, 4, 2), date(1999, 1, 4)], "datetime64[D]")
    times = [EPOCH + timedelta(microseconds=int(tick)) for tick in at_local_time(days, "16:00", "Europe/Berlin")]
    assert [time.hour for time in times] == [15, 14, 15]
