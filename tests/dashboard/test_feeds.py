"""The calendar feed: a valid file behind a token that can be revoked; and the writer against another's reader."""

import logging
import re
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from dashboard.accounts.models import User
from dashboard.logs import OnceAMinute
from dashboard.scheduler import feeds
from dashboard.scheduler.icalendar import CalendarEvent, escape, fold, write_calendar
from dashboard.scheduler.models import CalendarFeed
from tests.dashboard.conftest import CLOCK, ClientOf

HOSTILE = "x\r\nATTENDEE:mailto:eve@evil.example\n;,\\ é" + "é" * 60


def made(client: Client) -> str:
    """Make an address; returns its path, which is shown once."""
    client.post("/calendar/new/")
    found = re.findall(r"http://127\.0\.0\.1(/calendar/[\w-]+\.ics)", client.get("/calendar/").content.decode())
    assert client.get("/calendar/").content.decode().count(".ics") == 0
    return str(found[0])


def test_a_feed_is_read_without_a_session_until_it_is_revoked(
    client_of: ClientOf, connection: psycopg.Connection[Any]
) -> None:
    connection.execute(
        "INSERT INTO ops.ticks VALUES (%s, %s, 'planned', NULL, false), ('later', %s, 'planned', NULL, false)",
        [HOSTILE, CLOCK + timedelta(hours=1), CLOCK + timedelta(days=90)],
    )
    connection.commit()
    owner, anybody = client_of("viewer", "ada"), Client(SERVER_NAME="127.0.0.1")
    path = made(owner)
    answer = anybody.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    [event] = [one for one in Calendar.from_ical(answer.content).walk("VEVENT") if "ATTENDEE" in str(one["SUMMARY"])]
    assert event["SUMMARY"] == f"schedule: {HOSTILE}".replace("\r\n", "\n")
    assert event.decoded("DTSTART") == CLOCK + timedelta(hours=1)
    assert "later" not in answer.content.decode()
    token = path.removeprefix("/calendar/").removesuffix(".ics")
    assert CalendarFeed.objects.get().token_hash not in path
    assert not CalendarFeed.objects.filter(token_hash=token).exists()
    User.objects.filter(pseudo="ada").update(is_active=False)
    assert anybody.get(path).status_code == 404
    User.objects.filter(pseudo="ada").update(is_active=True)
    feed = CalendarFeed.objects.get()
    assert client_of("admin", "eve").post(f"/calendar/{feed.pk}/revoke/").status_code == 404
    assert owner.post(f"/calendar/{feed.pk}/revoke/").status_code == 302
    assert anybody.get(path).status_code == 404
    assert anybody.get("/calendar/%00.ics").status_code == 404


def test_no_request_writes_a_key_into_the_log(
    client_of: ClientOf, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(client_of("viewer"))
    anybody, log = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False), StringIO()
    [console] = [handler for handler in logging.getLogger("django").handlers if handler.filters]
    assert isinstance(console, logging.StreamHandler)
    before = console.setStream(log)
    statuses = []
    for address in (path, "/invitation/Zx0-secret_1/", "/organizations/join/Zx0-secret_2/"):
        anybody.head(address)
        for method, options in (
            ("PROPFIND", {}),
            ("POST", {}),
            ("POST", {"headers": {"sec-fetch-site": "cross-site"}}),
            ("GET", {"SERVER_NAME": "evil.example"}),
        ):
            forget(console)
            statuses.append(anybody.generic(method, address, **options).status_code)
    monkeypatch.setattr(feeds, "write_calendar", None)
    forget(console)
    statuses.append(anybody.get(path).status_code)
    console.setStream(before or sys.stderr)
    token = path.removeprefix("/calendar/").removesuffix(".ics")
    assert {400, 403, 405, 500} <= set(statuses)
    assert "Internal Server Error: /calendar/***" in log.getvalue()
    assert "Method Not Allowed (PROPFIND): /calendar/***" in log.getvalue()
    assert token not in log.getvalue()
    assert "secret" not in log.getvalue()


def forget(handler: logging.Handler) -> None:
    """Have the next line of each kind pass, as a minute later."""
    for one in handler.filters:
        if isinstance(one, OnceAMinute):
            one._last.clear()


def test_schedules_of_each_minute_leave_the_sessions_to_come_their_place(
    client_of: ClientOf, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_EVENTS", 10)
    connection.execute(
        "INSERT INTO ops.ticks SELECT 'minutely', %s + n * interval '1 minute', 'planned', NULL, false "
        "FROM generate_series(-60, 60) AS n",
        [CLOCK],
    )
    opens = CLOCK + timedelta(days=13)
    connection.execute(
        "INSERT INTO records.sessions (calendar, session_date, open_time, close_time, is_half_day) "
        "VALUES ('XTEST', %s, %s, %s, false)",
        [opens.date(), opens, opens + timedelta(hours=6)],
    )
    connection.commit()
    events = Calendar.from_ical(client_of("viewer").get(made(client_of("viewer", "ada"))).content).walk("VEVENT")
    times = [event.decoded("DTSTART") for event in events]
    assert opens in times
    assert times.count(CLOCK) == 1
    assert len([time for time in times if CLOCK <= time < opens]) == 10


def test_tokens_cannot_be_guessed_at_any_rate(client_of: ClientOf) -> None:
    client_of("viewer")
    anybody = Client(SERVER_NAME="127.0.0.1")
    answers = [anybody.get(f"/calendar/guess{n}.ics").status_code for n in range(32)]
    assert answers == [404] * 30 + [429] * 2


@given(summary=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200), cut=st.text(max_size=40))
def test_what_is_written_is_what_another_program_reads(summary: str, cut: str) -> None:
    at = datetime(2024, 1, 2, 0, 30, tzinfo=UTC)
    written = write_calendar([CalendarEvent("a@b", at, at + timedelta(hours=1), summary, cut, "run")], name="x", now=at)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert written.count(b"\n") == written.count(b"\r\n") == written.count(b"\r")
    [event] = Calendar.from_ical(written).walk("VEVENT")
    assert str(event["SUMMARY"]) == summary
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (at, at + timedelta(hours=1))


def test_a_letter_is_never_cut_in_two() -> None:
    pieces = list(fold("SUMMARY:" + "é" * 100))
    assert [piece.decode() for piece in pieces]
    assert escape("a\r\nb;c,d\\") == "a\\nb\\;c\\,d\\\\"
