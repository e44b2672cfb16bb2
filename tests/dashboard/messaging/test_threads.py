"""Threads: who reads and writes, unread, mentions, mute, blocks, reports, search, files, and bad input.

Tried through the pages: dashboard.messaging.apps, dashboard.messaging.forms and dashboard.messaging.views.
"""

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from dashboard.community.contacts import block, remove_contact
from dashboard.community.models import Level, MemberRole
from dashboard.community.organizations import change_member, create_organization, invite, join, membership
from dashboard.community.wallets import give_wallet, owner_of, share_wallet
from dashboard.messaging.models import LONGEST_MESSAGE, Message, Report, Thread
from dashboard.messaging.threads import MOST_SHOWN, send_message, start_thread, threads_of
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import ClientOf, decision_id, rows_of

if TYPE_CHECKING:
    from django.test import Client

Browsers = dict[str, "Client"]
TOLD = "SELECT value FROM ops.events WHERE event_type_id = 'message_sent' ORDER BY timestamp, id_event"


@pytest.fixture
def browsers(client_of: ClientOf) -> Browsers:
    """Ada, bob and cy are contacts of ada's; dave is nobody's; eve is an admin."""
    made = {name: client_of("viewer", name) for name in ("ada", "bob", "cy", "dave")}
    made["eve"] = client_of("admin", "eve")
    make_contacts(person("ada"), person("bob"))
    make_contacts(person("ada"), person("cy"))
    return made


@pytest.fixture
def thread(browsers: Browsers) -> Thread:
    """A thread of ada and bob."""
    found: Thread = start_thread(person("ada"), title="Plan", people=[person("bob")], organization=None)
    return found


def path(thread: Thread, end: str = "") -> str:
    """The address of a thread."""
    return f"/messages/{thread.pk}/{end}"


def send(browser: "Client", thread: Thread, text: str, key: str = "") -> int:
    """Send the form of the page; the status of the answer."""
    return int(browser.post(path(thread), {"key": key or uuid4(), "text": text}).status_code)


def unread(name: str) -> list[int]:
    """How many new messages each of a person's threads has."""
    found: Any = threads_of(person(name))
    return [row.unread for row in found]


def test_two_people_write_and_see_what_is_new(browsers: Browsers, thread: Thread) -> None:
    assert send(browsers["ada"], thread, "**hello** <b>bob</b>") == 302
    assert (unread("ada"), unread("bob")) == ([0], [1])
    assert "● 1 new" in browsers["bob"].get("/messages/").content.decode()
    page = browsers["bob"].get(path(thread)).content.decode()
    assert "<strong>hello</strong> &lt;b&gt;bob&lt;/b&gt;" in page
    assert unread("bob") == [0]
    for name in ("cy", "dave", "eve"):
        for address in (path(thread), path(thread, "messages.json")):
            assert browsers[name].get(address).status_code == 404
        assert send(browsers[name], thread, "x") == 404
        assert browsers[name].post(path(thread, "act/"), {"act": "mute"}).status_code == 404
    assert Message.objects.count() == 1


def test_a_form_sent_twice_is_one_message(browsers: Browsers, thread: Thread, site: str) -> None:
    key = str(uuid4())
    assert [send(browsers["ada"], thread, "once", key) for _ in range(2)] == [302, 302]
    assert Message.objects.count() == len(rows_of(site, TOLD)) == 1


def test_a_thread_is_started_with_contacts_alone(browsers: Browsers) -> None:
    form = {"title": "T", "people": [person("bob").pk, person("cy").pk]}
    assert browsers["ada"].post("/messages/new/", form).status_code == 302
    for wrong in (
        form | {"people": [person("dave").pk]},
        {"title": "T"},
        form | {"title": " "},
        form | {"title": "a\u202eb"},
        form | {"organization": "1"},
    ):
        assert browsers["ada"].post("/messages/new/", wrong).status_code == 400
    assert browsers["dave"].post("/messages/new/", form).status_code == 400
    assert Thread.objects.count() == 1


def test_an_organizations_thread_is_its_members_as_long_as_they_are(browsers: Browsers) -> None:
    desk = create_organization(person("ada"), "Desk")
    mine = membership(person("ada"), desk.pk)
    assert mine is not None
    join(person("dave"), invite(mine, MemberRole.VIEWER))
    made = start_thread(person("ada"), title="All", people=[], organization=desk)
    assert send(browsers["dave"], made, "here") == 302
    assert (unread("ada"), unread("dave")) == ([1], [0])
    assert browsers["bob"].get(path(made)).status_code == 404
    join(person("bob"), invite(mine, MemberRole.VIEWER))
    assert browsers["bob"].get(path(made)).status_code == 200
    theirs = membership(person("dave"), desk.pk)
    assert theirs is not None
    change_member(mine, theirs.pk, None)
    assert browsers["dave"].get(path(made)).status_code == 404
    assert "All" not in browsers["dave"].get("/messages/").content.decode()


def test_who_muted_a_thread_is_told_where_he_is_mentioned(browsers: Browsers, thread: Thread, site: str) -> None:
    browsers["bob"].post(path(thread, "act/"), {"act": "mute"})
    ada, bob = person("ada").pk, person("bob").pk
    send(browsers["ada"], thread, "quiet, mail to a@bob.example")
    send(browsers["ada"], thread, "@BOB. look")
    browsers["bob"].post(path(thread, "act/"), {"act": "unmute"})
    send(browsers["ada"], thread, "loud")
    told = sorted((value["readers"], value["mentioned"]) for (value,) in rows_of(site, TOLD))
    assert told == sorted([([ada], []), ([ada, bob], [bob]), ([ada, bob], [])])


def test_after_a_block_nothing_is_sent_or_shown(browsers: Browsers, thread: Thread) -> None:
    send(browsers["ada"], thread, "secret word")
    block(person("bob"), person("ada"))
    assert send(browsers["ada"], thread, "more") == 400
    assert "secret word" not in browsers["bob"].get(path(thread)).content.decode()
    assert "secret word" not in browsers["bob"].get("/messages/?q=secret").content.decode()
    assert "secret word" not in browsers["bob"].get(path(thread, "messages.json")).content.decode()
    assert unread("bob") == [0]
    assert Message.objects.count() == 1


def test_who_is_no_contact_any_more_sends_nothing(browsers: Browsers, thread: Thread) -> None:
    remove_contact(person("bob"), person("ada"))
    assert (send(browsers["ada"], thread, "x"), send(browsers["bob"], thread, "x")) == (400, 400)
    assert "not each other" in browsers["ada"].get(path(thread)).content.decode()
    browsers["bob"].post(path(thread, "act/"), {"act": "leave"})
    assert browsers["bob"].get(path(thread)).status_code == 404
    assert browsers["ada"].get(path(thread)).status_code == 200


def test_the_part_that_is_read_again_holds_no_form_and_stays_the_same(browsers: Browsers, thread: Thread) -> None:
    send(browsers["ada"], thread, "an insult")
    row = Message.objects.get()
    address = f"{path(thread)}?about={row.pk}"
    first, again = (browsers["bob"].get(address, headers={"X-Strades-Part": "live"}) for _ in range(2))
    assert first.content == again.content
    assert b"<form" not in first.content
    assert 'id="about"' in browsers["bob"].get(address).content.decode()
    for name, number in (("ada", row.pk), ("bob", row.pk + 1)):  # one's own, and one that is not there
        assert 'id="about"' not in browsers[name].get(f"{path(thread)}?about={number}").content.decode()


def test_a_reported_message_is_hidden_once_with_a_reason(browsers: Browsers, thread: Thread, site: str) -> None:
    send(browsers["ada"], thread, "an insult")
    send(browsers["ada"], thread, "of no concern")
    row = Message.objects.order_by("id")[0]
    form = {"act": "report", "message": row.pk, "reason": "rude"}
    for _ in range(2):
        browsers["bob"].post(path(thread, "act/"), form)
    browsers["bob"].post(path(thread, "act/"), form | {"message": 10**6})
    browsers["bob"].post(path(thread, "act/"), form | {"reason": ""})
    [report] = Report.objects.all()
    assert browsers["ada"].get("/messages/reports/").status_code == 403
    page = browsers["eve"].get("/messages/reports/").content.decode()
    assert "an insult" in page
    assert "of no concern" not in page
    answer = {"report": report.pk, "answer": "against the rules", "act": "hide"}
    browsers["eve"].post("/messages/reports/", answer | {"answer": ""})
    assert Report.objects.get().answered_at is None
    browsers["eve"].post("/messages/reports/", answer)
    browsers["eve"].post("/messages/reports/", answer | {"act": "keep", "answer": "second"})
    report.refresh_from_db()
    assert (report.is_hidden, report.answer) == (True, "against the rules")
    for name in ("ada", "bob"):
        shown = browsers[name].get(path(thread)).content.decode()
        assert "an insult" not in shown
        assert "hidden or erased" in shown
        assert "an insult" not in browsers[name].get("/messages/?q=insult").content.decode().replace('"insult"', "")
        assert "answered a report" in browsers[name].get("/community/").content.decode()
        assert "An admin hid this message:" in shown
        assert "against the rules" in shown
    ada, bob, eve = (person(name).pk for name in ("ada", "bob", "eve"))
    told = rows_of(site, "SELECT value -> 'readers' FROM ops.events WHERE event_type_id = 'report_answered' ORDER BY 1")
    assert told == [([ada, eve],), ([bob, eve],)]  # the author is not told who reported it
    table = browsers["ada"].get("/data/ops/events/rows.csv").content.decode()
    assert "report_answered" in table
    assert "readers" not in table


def test_a_message_that_is_kept_says_why_to_its_two_people_alone(browsers: Browsers) -> None:
    made = start_thread(person("ada"), title="All", people=[person("bob"), person("cy")], organization=None)
    send(browsers["ada"], made, "plain words")
    form = {"act": "report", "message": Message.objects.get().pk, "reason": "rude"}
    browsers["bob"].post(path(made, "act/"), form)
    answer = {"report": Report.objects.get().pk, "answer": "no insult", "act": "keep"}
    browsers["eve"].post("/messages/reports/", answer)
    shown = {name: "no insult" in browsers[name].get(path(made)).content.decode() for name in ("ada", "bob", "cy")}
    assert shown == {"ada": True, "bob": True, "cy": False}


def test_a_block_hides_two_people_in_a_thread_of_more(browsers: Browsers, site: str) -> None:
    """Cy and bob are no contacts of each other's; ada's thread has both."""
    made = start_thread(person("ada"), title="All", people=[person("bob"), person("cy")], organization=None)
    cy = person("cy")
    dave = {"act": "block", "id": person("dave").pk}
    assert browsers["bob"].post("/contacts/act/", dave).status_code == 404  # they share nothing
    send(browsers["cy"], made, "of cy")
    of_cy = Message.objects.get()
    page = browsers["bob"].get(f"{path(made)}?about={of_cy.pk}").content.decode()
    assert f'name="id" value="{cy.pk}"' in page
    assert browsers["bob"].post("/contacts/act/", {"act": "block", "id": cy.pk}).status_code == 302
    send(browsers["cy"], made, "@bob more of cy")
    ada, bob = person("ada").pk, person("bob").pk
    told = sorted((value["readers"], value["mentioned"]) for (value,) in rows_of(site, TOLD))
    assert told == sorted([([ada, bob, cy.pk], []), ([ada, cy.pk], [])])
    page = browsers["bob"].get(path(made)).content.decode()
    assert "of cy" not in page
    assert "ada, bob</span>" in page


def test_a_thread_is_started_once_a_form(browsers: Browsers) -> None:
    page = browsers["ada"].get("/messages/new/").content.decode()
    [key] = re.findall(r'name="key" value="([^"]+)"', page)
    form = {"title": "Once", "people": [person("bob").pk], "key": key}
    assert len({browsers["ada"].post("/messages/new/", form)["Location"] for _ in range(2)}) == 1
    assert Thread.objects.count() == 1


def test_messages_are_found_and_saved(browsers: Browsers, thread: Thread) -> None:
    send(browsers["ada"], thread, "The Needle")
    send(browsers["bob"], thread, "hay <i>é</i>")
    page = browsers["bob"].get("/messages/?q=needle").content.decode()
    assert "The Needle" in page
    assert "hay" not in page
    assert "The Needle" not in browsers["cy"].get("/messages/?q=needle").content.decode()
    answer = browsers["bob"].get(path(thread, "messages.json"))
    said = [(one["by"], one["text"]) for one in json.loads(answer.content)["messages"]]
    assert said == [("ada", "The Needle"), ("bob", "hay <i>é</i>")]
    assert "attachment" in answer["Content-Disposition"]


def test_older_messages_are_paged_without_gap_or_repeat(browsers: Browsers, thread: Thread) -> None:
    for number in range(MOST_SHOWN * 2 + 3):
        send_message(person("ada"), thread, text=f"nr{number}.", key=uuid4())
    address, seen = path(thread), list[str]()
    for _ in range(3):
        page = browsers["bob"].get(address).content.decode()
        seen = re.findall(r"nr(\d+)\.", page) + seen
        older = re.findall(r'href="(\?before=\d+)"', page)
        address = path(thread) + (older[0] if older else "")
    assert seen == [str(number) for number in range(MOST_SHOWN * 2 + 3)]


def test_a_card_is_shown_to_who_may_see_its_wallet(
    traded: psycopg.Connection[Any], browsers: Browsers, thread: Thread
) -> None:
    decision = decision_id(traded)
    give_wallet(person("eve"), "paper", to=person("ada"))
    send(browsers["ada"], thread, f"why {decision} and wallet:paper?")
    mine = unescape(browsers["ada"].get(path(thread)).content.decode())
    assert f'href="/decisions/{decision}/"' in mine
    assert "gateio:BTC_USDT" in mine
    theirs = browsers["bob"].get(path(thread)).content.decode()
    assert theirs.count("you may not see it, or it is not there") == 2
    assert "BTC_USDT" not in theirs
    owner = owner_of("paper")
    assert owner is not None
    share_wallet(person("ada"), owner, to=person("bob"), level=Level.VIEW)
    assert "gateio:BTC_USDT" in browsers["bob"].get(path(thread)).content.decode()


@pytest.mark.parametrize("text", ["", "  \u202e\u200b ", "x" * (LONGEST_MESSAGE + 1), "nul\0"])
def test_what_is_no_message_is_refused(browsers: Browsers, thread: Thread, text: str) -> None:
    assert send(browsers["ada"], thread, text) == 400
    assert Message.objects.count() == 0


def test_a_message_of_ten_megabytes_is_refused_before_it_is_read(browsers: Browsers, thread: Thread) -> None:
    assert send(browsers["ada"], thread, "x" * 10 * 2**20) in (400, 413)
    assert Message.objects.count() == 0


def test_more_than_twenty_messages_a_minute_are_refused(browsers: Browsers, thread: Thread) -> None:
    answers = [send(browsers["ada"], thread, f"{number}") for number in range(21)]
    assert answers == [302] * 20 + [429]
    assert send(browsers["bob"], thread, "mine") == 302
    assert Message.objects.count() == 21
