"""Organizations: invitations that work once and end, roles, the last owner, notes.

Tried through the pages: dashboard.community.organization_views.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from dashboard.community.contacts import Refused, block, directory, may_reach
from dashboard.community.models import Member, MemberInvitation, MemberRole, Organization, OrganizationNote
from dashboard.community.organizations import change_member, create_organization, invite, join, membership
from strades_pipelines.settings import settings
from tests.dashboard.community.people import person
from tests.dashboard.conftest import CLOCK, ClientOf, rows_of

if TYPE_CHECKING:
    from django.test import Client

READERS = "SELECT value -> 'readers' FROM ops.events WHERE event_type_id = 'member_joined' ORDER BY timestamp, id_event"


@pytest.fixture
def browsers(client_of: ClientOf) -> dict[str, "Client"]:
    """Three people, none of whom is listed."""
    return {name: client_of("viewer", name) for name in ("ada", "bob", "cy")}


def member(name: str) -> Member:
    """The membership of a person in the only organization."""
    found = membership(person(name), Organization.objects.get().pk)
    assert found is not None
    return found


@pytest.fixture
def desk(browsers: dict[str, "Client"]) -> Organization:
    """An organization of ada's."""
    found: Organization = create_organization(person("ada"), "Desk")
    return found


def test_an_owner_invites_by_a_link_that_one_person_uses_once(browsers: dict[str, "Client"]) -> None:
    browsers["ada"].post("/organizations/", {"name": "  The   Desk "})
    [desk] = Organization.objects.all()
    assert desk.name == "The Desk"
    page = f"/organizations/{desk.pk}/"
    assert browsers["bob"].get(page).status_code == 404
    browsers["ada"].post(f"{page}act/", {"act": "invite", "role": "analyst"})
    shown = browsers["ada"].get(page).content.decode()
    [link] = re.findall(r'id="invitation">http://[^/]+([^<]+)<', shown)
    assert link not in browsers["ada"].get(page).content.decode()  # once
    token = link.split("/")[3]
    assert token not in str(MemberInvitation.objects.values())
    assert "as an analyst" in browsers["bob"].get(link).content.decode()
    assert membership(person("bob"), desk.pk) is None  # a link that is opened joins nobody
    assert browsers["bob"].post(link).status_code == 302
    assert member("bob").role == "analyst"
    for answer in (browsers["cy"].get(link), browsers["cy"].post(link)):
        assert answer.status_code == 410
    assert browsers["bob"].get(page).status_code == 200
    assert directory(person("ada")) == [person("bob")]
    assert (may_reach(person("ada"), person("bob")), may_reach(person("ada"), person("cy"))) == (True, False)


def test_of_two_people_who_accept_at_once_one_joins(desk: Organization) -> None:
    token, barrier = invite(member("ada"), MemberRole.TRADER), Barrier(2)

    def accept(name: str) -> bool:
        who = person(name)
        barrier.wait(timeout=20)
        try:
            return join(who, token) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        joined = list(pool.map(accept, ["bob", "cy"]))
    assert sorted(joined) == [False, True]
    assert desk.members.count() == 2
    assert MemberInvitation.objects.get().used_by is not None


def test_an_invitation_ends_after_a_week(desk: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    token = invite(member("ada"), MemberRole.VIEWER)
    monkeypatch.setenv("STRADES_SANDBOX_NOW", (CLOCK + timedelta(days=7)).isoformat())
    settings.cache_clear()
    assert join(person("bob"), token) is None
    assert join(person("bob"), "nonsense") is None


def test_who_owns_it_no_more_invites_nobody(desk: Organization, browsers: dict[str, "Client"]) -> None:
    """Else a removed owner, who made a link before, walks back in by it."""
    join(person("bob"), invite(member("ada"), MemberRole.OWNER))
    links = [invite(member("bob"), role) for role in (MemberRole.OWNER, MemberRole.VIEWER)]
    change_member(member("ada"), member("bob").pk, MemberRole.TRADER)
    assert join(person("cy"), links[1]) is None
    change_member(member("ada"), member("bob").pk, None)
    for name in ("bob", "cy"):
        for answer in (browsers[name].get, browsers[name].post):
            assert answer(f"/organizations/join/{links[0]}/").status_code == 410
    assert Member.objects.filter(ended_at=None).count() == 1
    assert "open until" not in browsers["ada"].get(f"/organizations/{desk.pk}/").content.decode()


def test_an_owner_revokes_an_invitation(desk: Organization, browsers: dict[str, "Client"], site: str) -> None:
    token = invite(member("ada"), MemberRole.VIEWER)
    join(person("cy"), invite(member("ada"), MemberRole.VIEWER))
    page = f"/organizations/{desk.pk}/"
    assert 'value="revoke"' not in browsers["cy"].get(page).content.decode()
    [number] = re.findall(r'name="invitation" value="(\d+)"', browsers["ada"].get(page).content.decode())
    form = {"act": "revoke", "invitation": number}
    assert "does not allow it" in browsers["cy"].post(f"{page}act/", form, follow=True).content.decode()
    for wrong in ("", "x", str(10**30), "999999"):
        browsers["ada"].post(f"{page}act/", form | {"invitation": wrong})
    for _ in range(2):
        browsers["ada"].post(f"{page}act/", form)
    assert join(person("bob"), token) is None
    assert 'value="revoke"' not in browsers["ada"].get(page).content.decode()
    revoked = "SELECT value ->> 'role' FROM ops.events WHERE event_type_id = 'invitation_revoked'"
    assert rows_of(site, revoked) == [("viewer",)]


def test_all_members_read_who_joins(desk: Organization, site: str) -> None:
    join(person("bob"), invite(member("ada"), MemberRole.VIEWER))
    expected = [[person("ada").pk], [person("ada").pk, person("bob").pk]]
    assert sorted(readers for (readers,) in rows_of(site, READERS)) == expected


def test_only_an_owner_manages_and_the_last_one_stays(desk: Organization, browsers: dict[str, "Client"]) -> None:
    join(person("bob"), invite(member("ada"), MemberRole.TRADER))
    path = f"/organizations/{desk.pk}/act/"
    ada, bob = member("ada").pk, member("bob").pk
    for form in (
        {"act": "invite", "role": "owner"},
        {"act": "change", "member": ada, "role": "viewer"},
        {"act": "end", "member": ada},
        {"act": "change", "member": bob, "role": "owner"},
    ):
        browsers["bob"].post(path, form)
    assert (member("ada").role, member("bob").role, MemberInvitation.objects.count()) == ("owner", "trader", 1)
    with pytest.raises(Refused, match="last"):
        change_member(member("ada"), member("ada").pk, None)
    with pytest.raises(Refused, match="last"):
        change_member(member("ada"), member("ada").pk, MemberRole.VIEWER)
    browsers["ada"].post(path, {"act": "change", "member": member("bob").pk, "role": "owner"})
    assert browsers["ada"].post(path, {"act": "end", "member": member("ada").pk})["Location"] == "/organizations/"
    assert membership(person("ada"), desk.pk) is None
    assert browsers["ada"].get(f"/organizations/{desk.pk}/").status_code == 404
    assert browsers["ada"].post(path, {"act": "invite", "role": "owner"}).status_code == 404


def test_of_two_owners_who_leave_at_once_one_stays(desk: Organization) -> None:
    join(person("bob"), invite(member("ada"), MemberRole.OWNER))
    rows, barrier = [member("ada"), member("bob")], Barrier(2)

    def leave(row: Member) -> bool:
        barrier.wait(timeout=20)
        try:
            change_member(row, row.pk, None)
        except Refused:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, rows)) == [False, True]
    assert desk.members.filter(ended_at=None).count() == 1


def test_notes_are_written_by_members_who_are_more_than_viewers(
    desk: Organization, browsers: dict[str, "Client"]
) -> None:
    join(person("bob"), invite(member("ada"), MemberRole.VIEWER))
    path = f"/organizations/{desk.pk}/act/"
    note = {"act": "note", "title": "Plan", "text": "<script>alert(1)</script>\u202e", "instruments": " v:A, v:B,v:A "}
    browsers["bob"].post(path, note)
    assert OrganizationNote.objects.count() == 0
    browsers["ada"].post(path, note)
    browsers["ada"].post(path, note | {"instruments": "nonsense"})
    [row] = OrganizationNote.objects.all()
    assert (row.text, row.instruments) == ("<script>alert(1)</script>", ["v:A", "v:B"])
    page = browsers["bob"].get(f"/organizations/{desk.pk}/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page


def test_a_note_is_shared_once_a_form(desk: Organization, browsers: dict[str, "Client"]) -> None:
    page = f"/organizations/{desk.pk}/"
    [key] = re.findall(r'name="key" value="([^"]+)"', browsers["ada"].get(page).content.decode())
    for _ in range(2):
        browsers["ada"].post(f"{page}act/", {"act": "note", "title": "Once", "text": "x", "key": key})
    assert OrganizationNote.objects.count() == 1


def test_who_is_blocked_is_shown_to_an_owner_alone(desk: Organization, browsers: dict[str, "Client"]) -> None:
    for name in ("bob", "cy"):
        join(person(name), invite(member("ada"), MemberRole.ANALYST))
    page = f"/organizations/{desk.pk}/"
    browsers["cy"].post(f"{page}act/", {"act": "note", "title": "Of cy", "text": "x"})
    block(person("bob"), person("cy"))
    block(person("ada"), person("cy"))
    shown = browsers["bob"].get(page).content.decode()
    assert re.findall(r">cy<|by cy|Of cy", shown) == []
    shown = browsers["ada"].get(page).content.decode()
    assert "Of cy" not in shown
    assert f'name="member" value="{member("cy").pk}"' in shown  # whom she may still remove


def test_a_name_is_taken_once_whatever_its_case(desk: Organization, browsers: dict[str, "Client"]) -> None:
    answer = browsers["bob"].post("/organizations/", {"name": "DESK"})
    assert answer.status_code == 400
    assert "exists" in answer.content.decode()
    assert Organization.objects.count() == 1
