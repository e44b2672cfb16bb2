"""Dates of feeds: RFC 822, RFC 2822, RFC 3339 and W3CDTF to the instant; whatever is not understood is no date."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strades_pipelines.ingestion.feed_dates import ZONE_HOURS, read_feed_date

OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2049, 12, 31), timezones=OFFSETS)
RFC_822 = "Tue, 05 Mar 2024 16:05:00 "
RFC_3339 = "2024-03-05T16:05:00"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06Z"),  # RFC 2822 A.1.1
        ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z"),  # RFC 2822 A.6.2
        ("Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01Z"),  # RSS 2.0, pubDate
        ("Mon, 3 Jan 05 10:00 EDT", "2005-01-03T14:00:00Z"),  # RFC 822 5.1: EDT is -4 hours
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"),  # RFC 3339 5.8
        ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),  # RFC 3339 5.8
        ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"),  # RFC 3339 5.8
        ("1997-07-16T19:20+01:00", "1997-07-16T18:20:00Z"),  # W3C NOTE-datetime
        ("2003-12-13t18:30:02z", "2003-12-13T18:30:02Z"),  # RFC 3339 5.6: lower case too
        (RFC_822 + "-0000", "2024-03-05T16:05:00Z"),  # RFC 2822 3.3: UTC
        (RFC_3339 + "-00:00", "2024-03-05T16:05:00Z"),  # RFC 3339 4.3: UTC
        ("Wed, 05 Mar 2024 16:05:00 GMT", "2024-03-05T16:05:00Z"),  # a Tuesday, told by its date
        (f"\n {RFC_822}EST\t", "2024-03-05T21:05:00Z"),
    ],
)
def test_a_date_of_a_standard_is_the_instant_that_the_standard_says(text: str, instant: str) -> None:
    assert read_feed_date(text) == datetime.fromisoformat(instant)


@given(INSTANTS)
def test_a_date_with_all_its_parts_comes_back_exactly(instant: datetime) -> None:
    assert read_feed_date(instant.isoformat()) == instant
    whole = instant.replace(microsecond=0)
    assert read_feed_date(format_datetime(whole)) == whole
    assert read_feed_date(format_datetime(whole.astimezone(UTC), usegmt=True)) == whole


@pytest.mark.parametrize(
    "text",
    [
        "05-03-2024 14:00:00",  # day and month, or month and day
        "03/05/2024 14:00 GMT",
        "2024-03-05",
        "Tue, 05 Mar 2024",
        RFC_822.strip(),
        RFC_3339,
        RFC_822 + "HST",
        RFC_822 + "CET",
        RFC_822 + "BST",
        RFC_822 + "A",  # RFC 2822 4.3: the letters were given the wrong way round, and say nothing
        RFC_822 + "GMT+1",
        RFC_822 + "+1",
        RFC_822 + "+01000",
        RFC_822 + "+0160",
        RFC_822 + "+1500",
        RFC_822 + "-1201",
        RFC_822 + "EST or so",
        "Die, 05 Mar 2024 16:05:00 GMT",
        "Tue, 05 Mar 124 16:05:00 GMT",
        "Thu, 30 Feb 2024 16:05:00 GMT",
        "Tue, 05 Mar 2024 24:00:00 GMT",
        "Tue, 05 Mär 2024 16:05:00 GMT",
        "2024-03-05T16Z",
        "2024-065T16:05:00Z",
        "2024-03-05T16:05:00.Z",
        "1709654700",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٤-03-05T16:05:00Z",
        "today",
        "",
    ],
)
def test_a_date_of_which_a_part_is_not_understood_is_none(text: str) -> None:
    assert read_feed_date(text) is None


@given(st.sampled_from([RFC_822, RFC_3339]), st.text(st.characters(codec="ascii"), max_size=8))
def test_a_mangled_zone_is_no_date(stamp: str, zone: str) -> None:
    assume(zone.strip().upper() not in ZONE_HOURS)
    assume(not (zone.strip()[:1] in tuple("+-") and zone.strip()[1:].replace(":", "").isdigit()))
    assume(not zone.startswith("."))
    assert read_feed_date(stamp + zone) is None


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9]{1,4}-?[0-9]{0,2}[ T:.Z+0-9-]{0,24}\Z"))
def test_any_text_is_an_instant_in_utc_or_none(text: str) -> None:
    found = read_feed_date(text)
    assert found is None or found.utcoffset() == timedelta(0)


@given(INSTANTS, st.integers(1, 10**9 - 1))
def test_a_fraction_finer_than_a_microsecond_is_never_early(instant: datetime, nanoseconds: int) -> None:
    whole = instant.replace(microsecond=0)
    found = read_feed_date(f"{whole.replace(tzinfo=None).isoformat()}.{nanoseconds:09}Z")
    assert found is not None
    late = found - whole.replace(tzinfo=UTC) - timedelta(microseconds=nanoseconds // 1000)
    assert late == timedelta(microseconds=1 if nanoseconds % 1000 else 0)
