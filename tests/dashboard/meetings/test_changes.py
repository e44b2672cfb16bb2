"""An event is changed by who planned it, and those who are invited are told; answers and the event's id stay."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from icalendar import Calendar

from dashboard.meetings.models import Answer, Guest, Meeting
from dashboard.meetings.planning import times_of
from tests.dashboard.community.people import person
from tests.dashboard.conftest import rows_of
from tests.dashboard.meetings.test_places import NAMES, answers, people, say
from tests.dashboard.meetings.test_planning import FORM

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["people"]
ACTS = "SELECT value->'changed', value->'readers' FROM ops.events WHERE event_type_id = 'event_changed'"
CHANGED = {name: value for name, value in FORM.items() if name != "people"}


def change(people: dict[str, "Client"], name: str, **values: str) -> int:
    """Send the form; the status of the answer."""
    page = f"/events/{Meeting.objects.get().pk}/act/"
    return int(people[name].post(page, {**CHANGED, "capacity": "1", "act": "change", **values}).status_code)


def test_who_is_invited_is_told_what_changed_and_answers_stay(people: dict[str, "Client"], site: str) -> None:
    before = Meeting.objects.get()
    say("bob", Answer.YES)
    page = people["ada"].get(f"/events/{before.pk}/?change").content.decode()
    assert 'value="2024-01-05T10:00"' in page  # on the clocks of Paris, as it was typed
    assert change(people, "ada") == 302
    assert rows_of(site, ACTS) == []  # nothing is another one
    assert change(people, "ada", starts="2024-01-06T11:30", title="Study again") == 302
    row = Meeting.objects.get()
    assert (row.uid, row.title) == (before.uid, "Study again")
    assert row.starts_at == datetime(2024, 1, 6, 10, 30, tzinfo=UTC)  # Paris is an hour ahead in winter
    assert (row.ends_at - row.starts_at).total_seconds() == 45 * 60
    assert row.organization == before.organization
    assert answers() == {"bob": "yes"}
    [(names, readers)] = rows_of(site, ACTS)
    assert names == ["ends_at", "starts_at", "title"]
    assert sorted(readers) == sorted(person(name).pk for name in NAMES)
    assert "changed an event" in people["bob"].get("/community/").content.decode()


def test_only_who_planned_it_changes_it_and_what_is_no_event_is_refused(people: dict[str, "Client"]) -> None:
    event = f"/events/{Meeting.objects.get().pk}/"
    assert "Change this event" not in people["bob"].get(f"{event}?change").content.decode()
    assert change(people, "bob", title="Forged") == 302
    assert change(people, "ada", zone="Mars/Base", title="Forged") == 400
    assert change(people, "ada", rule="FREQ=SECONDLY", title="Forged") == 400
    assert Meeting.objects.get().title == "Study"
    people["ada"].post(f"{event}act/", {"act": "cancel"})
    assert change(people, "ada", title="Forged") == 302
    assert Meeting.objects.get().title == "Study"


def test_more_places_go_to_who_waits_and_fewer_take_none_away(people: dict[str, "Client"]) -> None:
    for name in NAMES[1:]:
        say(name, Answer.YES)
    assert change(people, "ada", capacity="2") == 302
    assert answers() == {"bob": "yes", "cy": "yes", "dave": "waiting"}
    assert change(people, "ada", capacity="1") == 302
    assert answers() == {"bob": "yes", "cy": "yes", "dave": "waiting"}
    say("bob", Answer.NO)
    assert answers()["dave"] == "waiting"
    assert change(people, "ada", capacity="") == 302
    assert Guest.objects.filter(answer="yes").count() == 2


def test_one_time_of_a_repeat_is_called_off_by_who_planned_it_on_pages_and_in_files(
    people: dict[str, "Client"],
) -> None:
    change(people, "ada", rule="FREQ=DAILY;COUNT=3")  # 10:00 of Paris on January 5, 6 and 7
    event, code = f"/events/{Meeting.objects.get().pk}/", "2024-01-06T09:00:00+00:00"
    assert code in people["ada"].get(event).content.decode()
    assert "Call this time off" not in people["bob"].get(event).content.decode()
    for name, begins in (
        ("bob", code),
        ("ada", "2024-01-06T09:00:01+00:00"),
        ("ada", "2024-01-06T09:00"),
        ("ada", "x"),
    ):
        people[name].post(f"{event}act/", {"act": "call_off", "begins": begins})
        assert Meeting.objects.get().called_off == []
    for _ in range(2):
        people["ada"].post(f"{event}act/", {"act": "call_off", "begins": code})
    row = Meeting.objects.get()
    assert row.called_off == [code]
    times = [begins for begins, _ in times_of(row, row.starts_at, datetime(2024, 2, 1, tzinfo=UTC))]
    assert [at.day for at in times] == [5, 7]
    assert code not in people["ada"].get(event).content.decode()
    [found] = Calendar.from_ical(people["bob"].get("/events/events.ics").content).walk("VEVENT")
    assert found.decoded("EXDATE").dts[0].dt == datetime(2024, 1, 6, 9, tzinfo=UTC)
    assert "called off one time of an event" in people["bob"].get("/community/").content.decode()
