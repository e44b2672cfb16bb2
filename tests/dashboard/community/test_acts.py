"""An act is its row and one event, or neither; who it does not concern reads nothing of it.

Tried through the pages: dashboard.community.apps, dashboard.community.feed and dashboard.community.words.
"""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError

from dashboard.accounts.models import User
from dashboard.community.acts import count_own, read_feed, record_act
from dashboard.community.models import Block, Organization
from dashboard.gateway.viewer import set_viewer
from tests.dashboard.community.people import person
from tests.dashboard.conftest import CLOCK, ClientOf, rows_of

EVENTS = "SELECT event_type_id, user_id, platform_id, value, timestamp FROM ops.events ORDER BY timestamp, id_event"


@pytest.fixture
def ada(client_of: ClientOf) -> User:
    """The one who does things; bob and cy look on."""
    for name in ("ada", "bob", "cy"):
        client_of("viewer", name)
    found: User = User.objects.get(pseudo="ada")
    return found


def feed_of(name: str) -> list[str]:
    """The kinds of acts that a person reads."""
    set_viewer(person(name).pk)
    return [act.kind for act in read_feed(until=CLOCK, most=50)]


def test_an_act_leaves_its_row_and_one_event(ada: User, site: str) -> None:
    row = Organization(name="Desk", created_by=ada, created_at=CLOCK)
    record_act(row, "group_created", by=ada, readers=[person("bob").pk], value={"organization": 7})
    assert Organization.objects.get().name == "Desk"
    [event] = rows_of(site, EVENTS)
    readers = sorted([ada.pk, person("bob").pk])
    value = {"row": f"organizations/{row.pk}", "organization": 7, "readers": readers}
    assert event == ("group_created", f"person:{ada.pk}", "strades", value, CLOCK)


def test_a_kind_that_nobody_described_leaves_neither(ada: User, site: str) -> None:
    with pytest.raises(IntegrityError, match="events_event_type_id_fkey"):
        record_act(Organization(name="Desk", created_by=ada, created_at=CLOCK), "nonsense", by=ada)
    assert Organization.objects.count() == 0
    assert rows_of(site, EVENTS) == []


def test_a_row_that_is_refused_leaves_no_event(ada: User, site: str) -> None:
    def block() -> Block:
        return Block(blocked_by=ada, blocked=person("bob"), blocked_at=CLOCK)

    record_act(block(), "person_blocked", by=ada)
    with pytest.raises(IntegrityError, match="one_block_of_a_person"):
        record_act(block(), "person_blocked", by=ada)
    assert len(rows_of(site, EVENTS)) == Block.objects.count() == 1


def test_an_act_is_read_by_whom_it_concerns_alone(ada: User) -> None:
    bob = person("bob")
    record_act(Organization(name="Desk", created_by=ada, created_at=CLOCK), "group_created", by=ada, readers=[bob.pk])
    assert (feed_of("ada"), feed_of("bob"), feed_of("cy")) == (["group_created"], ["group_created"], [])
    set_viewer(None)
    assert read_feed(until=CLOCK, most=50) == []
    set_viewer(ada.pk)
    assert count_own(ada) == [("group_created", 1)]
    set_viewer(bob.pk)
    assert count_own(bob) == []


def test_every_page_counts_the_acts_of_others_until_they_were_seen(ada: User, client_of: ClientOf) -> None:
    bob, browser = person("bob"), client_of(None)
    browser.force_login(bob)
    record_act(Organization(name="Desk", created_by=ada, created_at=CLOCK), "group_created", by=ada, readers=[bob.pk])
    record_act(Organization(name="Own", created_by=bob, created_at=CLOCK), "group_created", by=bob)
    assert ">1 new</span>" in browser.get("/markets/").content.decode()
    assert "created an organization" in browser.get("/community/").content.decode()
    browser.post("/community/seen/")
    assert " new</span>" not in browser.get("/markets/").content.decode()


def test_the_table_of_events_in_the_data_manager_shows_no_act_of_others(
    ada: User, client_of: ClientOf, traded: psycopg.Connection[Any]
) -> None:
    record_act(Organization(name="Desk", created_by=ada, created_at=CLOCK), "group_created", by=ada)
    dave = client_of("viewer", "dave")
    mine = client_of(None)
    mine.force_login(ada)
    path = "/data/ops/events/rows.csv"
    assert "group_created" in mine.get(path).content.decode()
    assert "group_created" not in dave.get(path).content.decode()


def test_the_pages_add_no_event_of_a_wallet(ada: User, site: str) -> None:
    statement = """
        INSERT INTO ops.events SELECT 'x', %s, 'strades', 'order_filled', '{}', now()
    """
    with psycopg.connect(site, autocommit=True) as owner:
        owner.execute("SET SESSION AUTHORIZATION strades_dashboard")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement, ["paper"])
        for change in ("DELETE FROM ops.events", "UPDATE ops.events SET value = '{}'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(change)
