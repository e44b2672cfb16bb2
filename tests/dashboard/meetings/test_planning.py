"""Events: who sees them, answers, the calendar of the scheduler, files, and a time that all look at.

Tried through the pages: dashboard.meetings.apps, dashboard.meetings.files, dashboard.meetings.forms and
dashboard.meetings.views.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from icalendar import Calendar

from dashboard.community.contacts import block
from dashboard.community.models import MemberRole
from dashboard.community.organizations import change_member, create_organization, invite, join, membership
from dashboard.meetings.models import Guest, Meeting
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import CLOCK, ClientOf, rows_of

if TYPE_CHECKING:
    from django.test import Client

Browsers = dict[str, "Client"]
FORM = {
    "title": "Study", "starts": "2024-01-05T10:00", "minutes": "45", "zone": "Europe/Paris", "rule": "",
    "as_of": "2023-12-31T21:00", "text": "why", "people": [],
}  # fmt: skip
ACTS = "SELECT event_type_id, user_id FROM ops.events WHERE starts_with(event_type_id, 'event_') ORDER BY 1"
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:other
BEGIN:VEVENT
UID:{uid}
DTSTART{start}
SUMMARY:{title}
{more}END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def browsers(client_of: ClientOf) -> Browsers:
    """Ada and bob are contacts; cy is nobody's."""
    made = {name: client_of("viewer", name) for name in ("ada", "bob", "cy")}
    make_contacts(person("ada"), person("bob"))
    return made


def plan(browser: "Client", **changes: object) -> int:
    """Send the form; the status of the answer."""
    return int(browser.post("/events/new/", FORM | changes).status_code)


def calendar_file(uid: str = "a", start: str = ":20240110T100000Z", title: str = "Other", more: str = "") -> bytes:
    """A calendar of one event."""
    return EVENT.format(uid=uid, start=start, title=title, more=more).replace("\n", "\r\n").encode()


def own_zone(name: str, rule: str = "FREQ=YEARLY") -> str:
    """The definition of a time zone in a file, two hours before UTC."""
    return (
        f"BEGIN:VTIMEZONE\nTZID:{name}\nBEGIN:STANDARD\nDTSTART:20231201T000000\nTZOFFSETFROM:+0100\n"
        f"TZOFFSETTO:+0200\nRRULE:{rule}\nEND:STANDARD\nEND:VTIMEZONE\n"
    )


def read_file(browser: "Client", body: bytes) -> str:
    """Send a file; what the next page says."""
    form = {"file": SimpleUploadedFile("a.ics", body)}
    return str(browser.post("/events/file/", form, follow=True).content.decode())


def test_guests_see_it_and_answer_and_others_do_not(browsers: Browsers, site: str) -> None:
    assert plan(browsers["ada"], people=[person("bob").pk]) == 302
    [row] = Meeting.objects.all()
    # Ten o'clock in Paris in winter is nine of UTC.
    assert (row.starts_at, row.ends_at) == (
        datetime(2024, 1, 5, 9, tzinfo=UTC),
        datetime(2024, 1, 5, 9, 45, tzinfo=UTC),
    )
    path = f"/events/{row.pk}/"
    assert "Study" in browsers["bob"].get("/events/").content.decode()
    answer = {"act": "answer", "answer": "yes", "reminder": "60"}
    assert browsers["bob"].post(f"{path}act/", answer).status_code == 302
    assert browsers["cy"].get(path).status_code == browsers["cy"].post(f"{path}act/", answer).status_code == 404
    assert "Study" not in browsers["cy"].get("/events/").content.decode()
    browsers["bob"].post(f"{path}act/", {"act": "cancel"})  # it is ada's
    browsers["bob"].post(f"{path}act/", {"act": "answer", "answer": "never"})
    [guest] = Guest.objects.all()
    assert (guest.answer, guest.reminder_minutes) == ("yes", 60)
    browsers["ada"].post(f"{path}act/", {"act": "cancel"})
    assert "Study" not in browsers["bob"].get("/events/").content.decode()
    assert "Cancelled" in browsers["bob"].get(path).content.decode()
    ada, bob = f"person:{person('ada').pk}", f"person:{person('bob').pk}"
    assert rows_of(site, ACTS) == [("event_answered", bob), ("event_cancelled", ada), ("event_planned", ada)]


def test_all_open_the_pages_as_of_the_time_that_it_pins(browsers: Browsers) -> None:
    plan(browsers["ada"], people=[person("bob").pk])
    page = browsers["bob"].get(f"/events/{Meeting.objects.get().pk}/").content.decode()
    links = re.findall(r'href="(/(?:news|statistics|reports)/\?as_of=[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        assert link.endswith("?as_of=2023-12-31T21%3A00")
        answer = browsers["bob"].get(link)
        assert answer.status_code == 200
        assert 'value="2023-12-31T21:00"' in answer.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""}, {"title": "a\u202eb"}, {"starts": "soon"}, {"starts": "1999-01-01T10:00"}, {"minutes": "-1"},
        {"minutes": "999999"}, {"zone": "Mars/Olympus"}, {"rule": "FREQ=SECONDLY"},
        {"rule": "FREQ=DAILY;COUNT=1000000"},
        {"as_of": "2099-01-01T00:00"}, {"people": ["999"]}, {"organization": "1"}, {"text": "x" * 4001},
    ],
)  # fmt: skip
def test_a_form_that_makes_no_sense_plans_nothing(browsers: Browsers, wrong: dict[str, object]) -> None:
    assert plan(browsers["ada"], **wrong) == 400
    assert plan(browsers["ada"], people=[person("cy").pk]) == 400  # no contact
    assert Meeting.objects.count() == 0


def test_an_event_is_planned_once_a_form(browsers: Browsers) -> None:
    [key] = re.findall(r'name="key" value="([^"]+)"', browsers["ada"].get("/events/new/").content.decode())
    for _ in range(2):
        assert plan(browsers["ada"], key=key) == 302
    assert Meeting.objects.count() == 1


def test_a_block_hides_a_guest_and_his_answer(browsers: Browsers) -> None:
    make_contacts(person("ada"), person("cy"))
    plan(browsers["ada"], people=[person("bob").pk, person("cy").pk])
    path = f"/events/{Meeting.objects.get().pk}/"
    assert f'name="id" value="{person("cy").pk}"' in browsers["bob"].get(path).content.decode()
    assert browsers["bob"].post("/contacts/act/", {"act": "block", "id": person("cy").pk}).status_code == 302
    assert ">cy<" not in browsers["bob"].get(path).content.decode()
    assert ">bob<" not in browsers["cy"].get(path).content.decode()


def test_an_organizations_event_is_its_members(browsers: Browsers) -> None:
    desk = create_organization(person("ada"), "Desk")
    mine = membership(person("ada"), desk.pk)
    assert mine is not None
    join(person("cy"), invite(mine, MemberRole.VIEWER))
    assert plan(browsers["ada"], organization=desk.pk) == 302
    assert "Study" in browsers["cy"].get("/events/").content.decode()
    assert "Study" not in browsers["bob"].get("/events/").content.decode()


def test_who_left_an_organization_reads_its_events_no_more(browsers: Browsers, site: str) -> None:
    desk = create_organization(person("ada"), "Desk")
    mine = membership(person("ada"), desk.pk)
    assert mine is not None
    join(person("cy"), invite(mine, MemberRole.OWNER))
    plan(browsers["ada"], organization=desk.pk)
    [row] = Meeting.objects.all()
    path = f"/events/{row.pk}/"
    answer = {"act": "answer", "answer": "yes", "reminder": "60"}
    for name in ("ada", "cy"):
        browsers[name].post(f"{path}act/", answer)
    theirs = membership(person("cy"), desk.pk)
    assert theirs is not None
    change_member(mine, theirs.pk, None)
    assert browsers["cy"].get(path).status_code == browsers["cy"].post(f"{path}act/", answer).status_code == 404
    for page in ("/events/", "/events/events.ics", "/agenda/?day=2024-01-05"):
        assert "Study" not in browsers["cy"].get(page).content.decode(), page
    assert ">cy<" not in browsers["ada"].get(path).content.decode()
    join(person("bob"), invite(mine, MemberRole.OWNER))
    theirs = membership(person("bob"), desk.pk)
    assert theirs is not None
    change_member(theirs, mine.pk, None)  # who planned it keeps his own words, and is told of no answer
    browsers["bob"].post(f"{path}act/", answer)
    shown = browsers["ada"].get(path).content.decode()
    assert "Study" in shown
    assert ">bob<" not in shown
    query = "SELECT value -> 'readers' FROM ops.events WHERE event_type_id = 'event_answered' AND user_id = 'person:%s'"
    assert rows_of(site, query % person("bob").pk) == [([person("bob").pk],)]


def test_after_a_block_an_event_is_gone(browsers: Browsers) -> None:
    plan(browsers["ada"], people=[person("bob").pk])
    block(person("bob"), person("ada"))
    assert "Study" not in browsers["bob"].get("/events/").content.decode()
    assert browsers["bob"].get(f"/events/{Meeting.objects.get().pk}/").status_code == 404


def test_the_agenda_and_the_feed_have_each_time_of_it(browsers: Browsers) -> None:
    plan(browsers["ada"], people=[person("bob").pk], rule="FREQ=WEEKLY;COUNT=3")
    assert "Study" in browsers["bob"].get("/agenda/?day=2024-01-12").content.decode()
    assert "Study" not in browsers["bob"].get("/agenda/?day=2024-01-13").content.decode()
    assert "Study" not in browsers["cy"].get("/agenda/?day=2024-01-12").content.decode()
    for name, count in (("bob", 2), ("cy", 0)):  # two of them within the fourteen days of a feed
        page = browsers[name].post("/calendar/new/", follow=True).content.decode()
        [address] = re.findall(r"http://[^<\"]+\.ics", page)
        body = browsers["cy"].get(address[address.index("/calendar/") :]).content
        shown = [event for event in Calendar.from_ical(body).walk("VEVENT") if event["SUMMARY"] == "Study"]
        assert len({str(event["UID"]) for event in shown}) == len(shown) == count


def test_what_is_saved_is_read_back_by_another(browsers: Browsers) -> None:
    plan(browsers["ada"], people=[person("bob").pk], rule="FREQ=WEEKLY;COUNT=3")
    [row] = Meeting.objects.all()
    browsers["bob"].post(f"/events/{row.pk}/act/", {"act": "answer", "answer": "maybe", "reminder": "10"})
    body = browsers["bob"].get("/events/events.ics").content
    event: Any
    [event] = Calendar.from_ical(body).walk("VEVENT")
    assert event["DTSTART"].dt == row.starts_at
    assert event["DTSTART"].params["TZID"] == "Europe/Paris"
    assert [alarm["TRIGGER"].dt for alarm in event.walk("VALARM")] == [timedelta(minutes=-10)]
    for _ in range(2):
        page = read_file(browsers["cy"], body)
    assert "0 events were taken in" in page
    [copy] = Meeting.objects.filter(planned_by=person("cy"))
    for name in ("uid", "title", "text", "starts_at", "ends_at", "zone", "rule", "as_of"):
        assert getattr(copy, name) == getattr(row, name), name
    assert copy.guests.count() == 0


def test_a_file_of_another_program_is_taken_in(browsers: Browsers) -> None:
    body = calendar_file("x@y", ";VALUE=DATE:20240110", "All\\, day \u202eoff", "DURATION:P1D\nRRULE:FREQ=YEARLY\n")
    assert "1 event was taken in" in read_file(browsers["ada"], body)
    [row] = Meeting.objects.all()
    assert (row.title, row.rule, row.starts_at) == ("All, day off", "FREQ=YEARLY", datetime(2024, 1, 10, tzinfo=UTC))
    assert row.ends_at - row.starts_at == timedelta(days=1)


@pytest.mark.parametrize(
    "more",
    ["RRULE:FREQ=DAILY;COUNT=1000000\n", "RRULE:FREQ=SECONDLY\n", "RDATE:20240111T100000Z\n",
     "DTEND:20990101T000000Z\n",
     "EXDATE:20240110T100000Z\n", "DTEND:20230101T000000Z\n"],
)  # fmt: skip
def test_an_event_that_cannot_be_had_is_left_out_and_named(browsers: Browsers, more: str) -> None:
    page = read_file(browsers["ada"], calendar_file(more=more))
    assert "Left out, for their times or repeats: 1." in page
    assert Meeting.objects.count() == 0


@pytest.mark.parametrize("begin", ["BEGIN:VTIMEZONE", "be gin;x=y:vtimezone", "\u000bBEGIN:VTIME\n ZONE"])
def test_a_zone_that_a_file_defines_is_not_worked_out(browsers: Browsers, begin: str) -> None:
    """One that changes each second would take minutes."""
    zone = own_zone("Odd", "FREQ=SECONDLY").replace("BEGIN:VTIMEZONE", begin).replace("\n", "\r\n").encode()
    body = calendar_file(start=";TZID=Odd:20240110T100000").replace(b"PRODID:other\r\n", b"PRODID:other\r\n" + zone)
    started = time.process_time()
    assert "Left out, for their times or repeats: 1." in read_file(browsers["ada"], body)
    assert time.process_time() - started < 1
    assert Meeting.objects.count() == 0


def test_no_file_decides_a_time_of_another(browsers: Browsers) -> None:
    zone = own_zone("Custom").replace("\n", "\r\n").encode()
    body = calendar_file(start=";TZID=Custom:20240110T100000")
    read_file(browsers["ada"], body.replace(b"PRODID:other\r\n", b"PRODID:other\r\n" + zone))
    assert "Left out" in read_file(browsers["bob"], body)
    assert Meeting.objects.count() == 0


def test_a_zone_with_a_windows_name_is_known(browsers: Browsers) -> None:
    zone = own_zone("W. Europe Standard Time").replace("\n", "\r\n").encode()
    body = calendar_file(start=";TZID=W. Europe Standard Time:20240110T100000")
    read_file(browsers["ada"], body.replace(b"PRODID:other\r\n", b"PRODID:other\r\n" + zone))
    [row] = Meeting.objects.all()
    assert (row.zone, row.starts_at) == ("Europe/Berlin", datetime(2024, 1, 10, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"<html>", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR", b"BEGIN:VEVENT\r\n" * 2000, b"A" * 210_000,
     calendar_file() * 201, b"END:VCALENDAR"],
    ids=["empty", "bytes", "html", "no event", "open", "long", "201 calendars", "end"],
)  # fmt: skip
def test_a_file_that_is_no_calendar_is_refused(browsers: Browsers, body: bytes) -> None:
    assert "no iCalendar file" in read_file(browsers["ada"], body)
    assert Meeting.objects.count() == 0


def test_a_thousand_events_keep_no_page_busy(browsers: Browsers) -> None:
    ada = person("ada")
    rows = [
        Meeting(
            uid=str(number), title=f"m{number}", starts_at=CLOCK - timedelta(days=5000), zone="Europe/Paris",
            ends_at=CLOCK - timedelta(days=5000), rule="FREQ=DAILY", planned_by=ada, planned_at=CLOCK,
        )
        for number in range(100)
    ]  # fmt: skip
    Meeting.objects.bulk_create(rows)
    assert browsers["ada"].get("/events/").status_code == 200
