"""Places of an event: of two who take the last one at once one gets it, and one that is given up goes to who waits."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from dashboard.community.models import Member, MemberRole
from dashboard.community.organizations import create_organization
from dashboard.meetings.models import Answer, Guest, Meeting
from dashboard.meetings.planning import answer_meeting
from strades_pipelines.settings import settings
from tests.dashboard.community.people import person
from tests.dashboard.conftest import ClientOf, rows_of
from tests.dashboard.meetings.test_planning import FORM

if TYPE_CHECKING:
    from django.test import Client

NAMES = ("ada", "bob", "cy", "dave")
GIVEN = "SELECT value->>'readers' FROM ops.events WHERE event_type_id = 'place_given' ORDER BY timestamp, id_event"


@pytest.fixture
def people(client_of: ClientOf) -> dict[str, "Client"]:
    """Four members of an organization of ada's, who plans an event of one place for it."""
    made = {name: client_of("viewer", name) for name in NAMES}
    desk = create_organization(person("ada"), "The Desk")
    for name in NAMES[1:]:
        role = MemberRole.VIEWER.value
        Member.objects.create(organization=desk, person=person(name), role=role, joined_at=settings().now())
    assert made["ada"].post("/events/new/", FORM | {"capacity": "1", "organization": desk.pk}).status_code == 302
    return made


def say(name: str, answer: Answer, reminder: int | None = None) -> Answer:
    """Answer the event; what it came to."""
    found: Answer = answer_meeting(person(name), Meeting.objects.get(), answer, reminder_minutes=reminder)
    return found


def answers() -> dict[str, str]:
    """What everybody has."""
    return dict(Guest.objects.values_list("person__pseudo", "answer"))


def test_of_two_who_take_the_last_place_at_once_one_gets_it(people: dict[str, "Client"]) -> None:
    for _ in range(5):
        Guest.objects.all().delete()
        barrier = Barrier(3)

        def come(name: str, barrier: Barrier = barrier) -> Answer:
            try:
                barrier.wait()
                return say(name, Answer.YES)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(come, NAMES[1:]))
        assert sorted(found) == ["waiting", "waiting", "yes"]
        assert sorted(answers().values()) == ["waiting", "waiting", "yes"]


def test_a_place_that_is_given_up_goes_to_who_waits_longest(people: dict[str, "Client"], site: str) -> None:
    assert [say(name, Answer.YES) for name in ("bob", "cy", "dave")] == ["yes", "waiting", "waiting"]
    assert say("cy", Answer.YES, reminder=10) == "waiting"  # a reminder costs no place in the line
    assert say("bob", Answer.YES) == "yes"
    assert say("bob", Answer.NO) == "no"
    assert answers() == {"bob": "no", "cy": "yes", "dave": "waiting"}
    assert say("dave", Answer.MAYBE) == "maybe"
    assert say("bob", Answer.YES) == "waiting"
    assert say("cy", Answer.MAYBE) == "maybe"
    assert answers()["bob"] == "yes"
    both = [sorted([person("bob").pk, person("cy").pk])] * 2
    assert [sorted(map(int, row.strip("[]").split(","))) for (row,) in rows_of(site, GIVEN)] == both


def test_who_left_the_organization_holds_no_place(people: dict[str, "Client"]) -> None:
    assert say("bob", Answer.YES) == "yes"
    Member.objects.filter(person=person("bob")).update(ended_at=settings().now())
    assert say("cy", Answer.YES) == "yes"


def test_the_page_says_how_many_places_are_taken_and_who_waits(people: dict[str, "Client"]) -> None:
    page = f"/events/{Meeting.objects.get().pk}/"
    for name, said in (("bob", "Saved."), ("cy", "No place is left: you are on the waiting list.")):
        answer = people[name].post(f"{page}act/", {"act": "answer", "answer": "yes"}, follow=True)
        assert said in answer.content.decode()
    shown = people["cy"].get(page).content.decode()
    assert "1 of 1 places taken" in shown
    assert "waiting" in shown
    assert people["dave"].post(f"{page}act/", {"act": "answer", "answer": "waiting"}).status_code == 302
    assert "dave" not in answers()
    assert people["ada"].post("/events/new/", FORM | {"capacity": "0"}).status_code == 400
