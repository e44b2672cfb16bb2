"""Calendars are built from the first day that is known of them, whatever years are asked for."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import exchange_calendars
import pytest

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, CalendarError, sessions
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.verdicts import BodyRefused

OHLC = ("open", "high", "low", "close")
NAMES = sorted(set(exchange_calendars.get_calendar_names(include_aliases=False)) - {ALWAYS_OPEN})


@pytest.mark.parametrize("name", NAMES)
def test_every_calendar_has_the_sessions_of_a_year(name: str) -> None:
    found = sessions(name, 2024, 2024)
    assert 200 < len(found.dates) <= 366
    assert (found.opens < found.closes).all()


@pytest.mark.parametrize(
    ("name", "first"),
    [
        # The first business day of the year, or of the exchange, that exchange_calendars documents as its first.
        ("XTKS", date(1997, 1, 6)),
        ("XSES", date(1986, 1, 2)),
        ("XSHG", date(1990, 12, 3)),  # the exchange opened on the 19th
        ("XBOM", date(1997, 1, 1)),
        ("AIXK", date(2017, 1, 4)),
        ("XSAU", date(2021, 1, 3)),
    ],
)
def test_a_calendar_that_begins_later_than_asked_begins_with_its_own_first_day(name: str, first: date) -> None:
    found = sessions(name, 1962, 2024)
    assert found.dates[0].astype(date) == first
    assert found.dates[-1].astype(date).year == 2024


def test_bars_of_tokyo_find_their_sessions(shared_data: Path) -> None:
    body = (shared_data / "cases/ingestion/tokyo.json").read_bytes()
    given = {"symbol": "9999.T", "calendar": "XTKS", "interval": "1d"}
    found = document(load_protocol("yahoo_chart"), body, given=given, fetched_at=datetime(2026, 11, 22, tzinfo=UTC))
    # 09:00 in Tokyo, UTC+9, on 7, 8 and 11 March 2024; it closed at 15:00.
    assert [each["open_time"] for each in found["records"]] == [f"2024-03-{day:02}T00:00:00Z" for day in (7, 8, 11)]
    assert found["records"][0]["close_time"] == "2024-03-07T06:00:00Z"
    assert found["rejects"] == []


def test_years_of_which_nothing_is_known_are_refused_in_one_line() -> None:
    with pytest.raises(CalendarError, match=r"^expected a calendar of exchange_calendars, was 'XTKS' \(.*\)$"):
        sessions("XTKS", 1970, 1980)


@pytest.mark.parametrize(
    ("exchange", "calendar", "expected"),
    [
        ("JPX", "XTKS", "XTKS"),
        ("CMX", None, "unknown"),
        ("CCC", "24/7", "24/7"),
        ("PNK", None, None),  # New York's sessions
        (None, None, None),
    ],
)
def test_an_answer_of_another_exchange_than_an_instrument_is_taken_to_have_is_refused(
    exchange: str | None, calendar: str | None, expected: str | None
) -> None:
    """Bitcoin's days end at midnight UTC: as New York's they would be final, and known, hours before."""
    document_ = {"timestamp": [1709130600], "indicators": {"quote": [{name: [1.0] for name in OHLC}]}}
    meta = {"symbol": "X", "currency": "USD", "dataGranularity": "1d", "exchangeTimezoneName": "UTC"}
    result = document_ | {"meta": meta | ({"exchangeName": exchange} if exchange else {})}
    body = json.dumps({"chart": {"result": [result], "error": None}}).encode()
    yahoo, now = load_protocol("yahoo_chart"), datetime(2026, 11, 22, tzinfo=UTC)
    given = {"symbol": "X", "interval": "1d", "currency": "USD", "calendar": "XNYS", "assumed": "calendar"}
    if expected is None:
        assert len(document(yahoo, body, given=given, fetched_at=now)["records"]) == 1
        return
    with pytest.raises(BodyRefused, match=rf"calendar XNYS, .*, was {exchange} \({expected}\): give the instrument"):
        document(yahoo, body, given=given, fetched_at=now)
    stated = {name: word for name, word in given.items() if name != "assumed"} | {"calendar": calendar or "CMES"}
    document(yahoo, body, given=stated, fetched_at=now)
