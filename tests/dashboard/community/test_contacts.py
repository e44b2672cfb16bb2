"""Contacts: asked, accepted, ended, blocked; who may find and reach whom; vCard files.

Tried through the pages: dashboard.community.contact_views, dashboard.community.forms,
dashboard.community.vcards and dashboard.bad_files.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from dashboard.accounts.models import User
from dashboard.community import contacts as rules
from dashboard.community.contacts import (
    Refused,
    answer_request,
    block,
    contacts_of,
    directory,
    may_reach,
    open_requests,
    remove_contact,
    request_contact,
    save_profile,
    unblock,
)
from dashboard.community.models import Contact, MemberRole
from dashboard.community.organizations import create_organization, invite, join, membership
from tests.dashboard.community.people import person
from tests.dashboard.conftest import ClientOf, rows_of

if TYPE_CHECKING:
    from django.test import Client

KINDS = "SELECT event_type_id FROM ops.events WHERE event_type_id <> 'status_updated' ORDER BY event_type_id"
NAMES = ("ada", "bob", "cy")
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Bob;;;;\r\nFN:{}\r\nEMAIL:x@example.org\r\nEND:VCARD\r\n"


@pytest.fixture
def browsers(client_of: ClientOf) -> dict[str, "Client"]:
    """Three people who are listed."""
    made = {name: client_of("viewer", name) for name in NAMES}
    for name in NAMES:
        save_profile(person(name), is_listed=True, about=f"about {name}")
    return made


def names(people: list[User]) -> list[str]:
    """Their names."""
    return [one.pseudo for one in people]


def act(browser: "Client", what: str, number: int) -> int:
    """Press a button of the page; the status of the answer."""
    return int(browser.post("/contacts/act/", {"act": what, "id": number}).status_code)


def test_a_request_is_accepted_once_and_both_are_contacts(browsers: dict[str, "Client"], site: str) -> None:
    ada, bob = person("ada"), person("bob")
    assert act(browsers["ada"], "request", bob.pk) == 302
    [row] = open_requests(bob)
    assert act(browsers["ada"], "accept", row.pk) == 302  # nobody accepts for another
    assert (contacts_of(ada), may_reach(ada, bob)) == ([], False)
    for _ in range(2):
        act(browsers["bob"], "accept", row.pk)
    assert (names(contacts_of(ada)), names(contacts_of(bob))) == (["bob"], ["ada"])
    assert (may_reach(ada, bob), may_reach(bob, ada), may_reach(ada, person("cy"))) == (True, True, False)
    assert [kind for (kind,) in rows_of(site, KINDS)] == ["friend_added", "friend_requested"]
    assert '<b translate="no">bob</b>' in browsers["ada"].get("/contacts/").content.decode()
    act(browsers["ada"], "remove", bob.pk)
    assert (contacts_of(bob), may_reach(bob, ada)) == ([], False)


def test_who_asks_the_one_that_asked_accepts(browsers: dict[str, "Client"]) -> None:
    request_contact(person("ada"), person("bob"))
    request_contact(person("bob"), person("ada"))
    assert names(contacts_of(person("ada"))) == ["bob"]
    assert Contact.objects.count() == 1


def test_of_two_who_ask_each_other_at_once_one_row_stands(browsers: dict[str, "Client"]) -> None:
    barrier = Barrier(2)

    def ask(pair: tuple[str, str]) -> None:
        one, other = map(person, pair)
        barrier.wait(timeout=20)
        try:
            request_contact(one, other)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, [("ada", "bob"), ("bob", "ada")]))
    assert Contact.objects.filter(ended_at=None).count() == 1
    assert names(contacts_of(person("ada"))) == ["bob"]


def test_a_block_hides_both_ways_until_it_is_taken_back(browsers: dict[str, "Client"]) -> None:
    ada, bob = person("ada"), person("bob")
    request_contact(ada, bob)
    answer_request(bob, open_requests(bob)[0].pk, accepts=True)
    assert act(browsers["bob"], "block", ada.pk) == 302
    for one, other in ((ada, bob), (bob, ada)):
        assert other not in directory(one)
        assert (contacts_of(one), open_requests(one), may_reach(one, other)) == ([], [], False)
        assert act(browsers[one.pseudo], "request", other.pk) == 404
    assert ">bob<" not in browsers["ada"].get("/contacts/").content.decode()
    assert act(browsers["ada"], "unblock", bob.pk) == 404  # it is not hers to take back
    assert act(browsers["bob"], "unblock", ada.pk) == 302
    assert bob in directory(ada)
    assert contacts_of(ada) == []
    block(bob, ada)
    block(bob, ada)
    unblock(bob, ada)
    remove_contact(bob, ada)  # there is none: nothing happens


def test_who_is_not_listed_is_found_by_nobody(browsers: dict[str, "Client"]) -> None:
    save_profile(person("bob"), is_listed=False, about="hidden")
    assert names(directory(person("ada"))) == ["cy"]
    assert names(directory(person("bob"))) == ["ada", "cy"]
    assert act(browsers["ada"], "request", person("bob").pk) == 404
    assert names(directory(person("ada"), "about C")) == ["cy"]
    User.objects.filter(pseudo="cy").update(is_active=False)
    assert directory(person("ada")) == []


def test_requests_of_a_day_are_counted(browsers: dict[str, "Client"], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_REQUESTS", 1)
    request_contact(person("ada"), person("bob"))
    with pytest.raises(Refused):
        request_contact(person("ada"), person("cy"))
    page = browsers["ada"].post("/contacts/act/", {"act": "request", "id": person("cy").pk}, follow=True)
    assert "too many requests" in page.content.decode()


UNSEEN = "\u00ad\u034f\u061c\u115f\u180e\u200c\u200d\u2063\u2800\u3164\ufe0f\U000e0041"


@pytest.mark.parametrize("about", ["\u202egpj.exe", "a\u200bb", "x\u2066y", *(f"a{one}b" for one in UNSEEN)])
def test_letters_that_cannot_be_seen_are_refused_in_a_name(browsers: dict[str, "Client"], about: str) -> None:
    page = browsers["ada"].post("/community/profile/", {"about": about}, follow=True).content.decode()
    assert "Use letters that can be seen." in page
    assert person("ada").profile.about == "about ada"


@pytest.mark.parametrize("length", [150, 151])
def test_the_length_of_a_text_is_that_of_what_is_stored(browsers: dict[str, "Client"], length: int) -> None:
    """One letter of Devanagari is two in NFC: such a text was too long for its column."""
    page = browsers["ada"].post("/community/profile/", {"about": "\u0958" * length}, follow=True)
    assert page.status_code == 200
    assert (person("ada").profile.about == "\u0915\u093c" * length) == (length == 150)


def test_words_of_who_is_not_listed_find_nobody(browsers: dict[str, "Client"]) -> None:
    """Bob is found by ada as a member of an organization; what he once wrote of himself he shows no more."""
    desk = create_organization(person("ada"), "Desk")
    mine = membership(person("ada"), desk.pk)
    assert mine is not None
    join(person("bob"), invite(mine, MemberRole.VIEWER))
    save_profile(person("bob"), is_listed=False, about="hidden words")
    assert names(directory(person("ada"), "hidden")) == []
    assert names(directory(person("ada"), "ob")) == ["bob"]


def test_everybody_of_the_directory_is_found_by_number(
    browsers: dict[str, "Client"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_LISTED", 0)  # whoever stands behind the first of the list
    assert act(browsers["ada"], "request", person("bob").pk) == 302
    assert act(browsers["ada"], "block", person("cy").pk) == 302


def test_contacts_are_a_vcard_file_that_is_read_back(browsers: dict[str, "Client"]) -> None:
    ada, bob = person("ada"), person("bob")
    request_contact(ada, bob)
    answer_request(bob, open_requests(bob)[0].pk, accepts=True)
    answer = browsers["ada"].get("/contacts/contacts.vcf")
    assert answer["Content-Type"] == "text/vcard; charset=utf-8"
    lines = answer.content.decode().split("\r\n")
    assert lines[0] == "BEGIN:VCARD"
    assert {"FN:bob", "VERSION:4.0", "END:VCARD"} <= set(lines)
    assert "EMAIL" not in answer.content.decode()
    remove_contact(ada, bob)
    page = read_file(browsers["ada"], answer.content)
    assert page.status_code == 200
    assert "1 card was read" in page.content.decode()
    assert ">bob<" in page.content.decode()
    assert ">cy<" not in page.content.decode()
    assert open_requests(bob) == []


def read_file(browser: "Client", body: bytes) -> "Client":
    """Send a file, as the form does."""
    answer: Client = browser.post("/contacts/file/", {"file": SimpleUploadedFile("a.vcf", body)})
    return answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"BEGIN:VCARD\r\nEND:VCARD",
        b"<script>",
        b"FN:bob",
        CARD.format("x").encode() * 501,
        b"A" * 210_000,
    ],
    ids=["empty", "bytes", "nobody", "html", "no card", "501 cards", "too long"],
)
def test_a_file_that_is_none_is_refused(browsers: dict[str, "Client"], body: bytes) -> None:
    page = read_file(browsers["ada"], body)
    assert page.status_code == 400
    assert "vcard" in page.content.decode().lower()


def test_a_folded_card_of_another_program_is_read(browsers: dict[str, "Client"]) -> None:
    folded = "BEGIN:VCARD\r\nVERSION:3.0\r\nitem1.FN;CHARSET=UTF-8:b\r\n ob\r\nEND:VCARD\r\n"
    assert ">bob<" in read_file(browsers["ada"], folded.encode()).content.decode()
