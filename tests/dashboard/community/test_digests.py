"""Mails about the feed: to a confirmed address alone, once a period, with links and no words; and what they lead to.

Through a real mail server; views of dashboard.community.digest_views, letters of dashboard.community.digest_letters.
"""

import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller

from dashboard.community.contacts import block
from dashboard.community.digests import choose_digest, digest_of, period_of, send_digests
from dashboard.community.models import Digest, DigestMail
from dashboard.meetings.models import Guest, Meeting
from dashboard.messaging.threads import send_message, start_thread
from strades_pipelines.defs.maintenance.digests import digest_job
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.alerting import send_letter
from strades_pipelines.system.child_environment import for_digests
from strades_pipelines.system.ports import free_port
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import CLOCK, ClientOf, home

if TYPE_CHECKING:
    from django.test import Client

SITE, ADDRESS = "http://127.0.0.1:1234", "ada@example.org"
SECRET = "zyxwv"  # in all that bob writes


@dataclass
class PostOffice:
    """A mail server: keeps what comes in, and does what `answer` says of a whole mail."""

    letters: list[EmailMessage] = field(default_factory=list)
    answer: Any = "250 kept"
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answer() if callable(self.answer) else self.answer
        if answer.startswith("250"):
            found = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.letters.append(found)
        return str(answer)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def send(self, letter: EmailMessage) -> None:
        send_letter(self.url, letter)


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A mail server that listens."""
    made = PostOffice(port=free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    yield made
    controller.stop()


@pytest.fixture
def browsers(client_of: ClientOf) -> dict[str, "Client"]:
    """Ada and bob are contacts; eve is nobody's."""
    made = {name: client_of("analyst", name) for name in ("ada", "bob", "eve")}
    make_contacts(person("ada"), person("bob"))
    return made


@pytest.fixture
def at(site: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the clock."""

    def move(moment: datetime) -> None:
        monkeypatch.setenv("STRADES_SANDBOX_NOW", moment.isoformat())
        settings.cache_clear()

    return move


def text_of(letter: EmailMessage) -> str:
    return str(letter.get_content())


def link_of(letter: EmailMessage, purpose: str) -> str:
    """The path of a link in a mail."""
    found = re.search(rf"{SITE}(/digest/{purpose}/\S+)", text_of(letter))
    assert found is not None
    return found[1]


def confirmed(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any, every: str = "day"
) -> None:
    """Ada chooses mails and confirms the address, without a session, half a minute after the clock's time."""
    at(CLOCK + timedelta(seconds=30))
    browsers["ada"].post("/community/digest/", {"every": every, "address": ADDRESS})
    assert send_digests(office.send, site=SITE) == 1
    assert client_of(None).post(link_of(office.letters.pop(), "confirm")).status_code == 200


def write(text: str, to: str = "ada") -> None:
    """Bob writes to ada."""
    thread = start_thread(person("bob"), title=SECRET, people=[person(to)], organization=None)
    send_message(person("bob"), thread, text=text, key=uuid4())


def test_nothing_but_a_question_goes_to_an_address_that_is_not_confirmed(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    write(SECRET)
    assert send_digests(office.send, site=SITE) == 0  # it is off
    for form in ({"every": "day", "address": "no"}, {"every": "day"}, {"every": "hour", "address": ADDRESS}):
        browsers["ada"].post("/community/digest/", form)
        assert digest_of(person("ada")) is None, form
    browsers["ada"].post("/community/digest/", {"every": "day", "address": ADDRESS})
    assert [send_digests(office.send, site=SITE) for _ in range(2)] == [1, 0]
    [letter] = office.letters
    assert letter["To"] == ADDRESS
    assert "The account ada" in text_of(letter)
    anybody, link = client_of(None), link_of(letter, "confirm")
    assert anybody.get(link).status_code == 200  # what reads mails for others follows links
    assert Digest.objects.get().confirmed_at is None
    for forged in (link[:-2] + "/", link.replace("confirm", "stop"), "/digest/confirm/%00/", "/digest/confirm/9:x/"):
        assert anybody.post(forged).status_code == 404, forged
    at(CLOCK + timedelta(days=7))
    assert anybody.post(link).status_code == 404  # a week is over
    at(CLOCK + timedelta(days=6))
    assert anybody.post(link).status_code == 200
    assert Digest.objects.get().confirmed_at == CLOCK + timedelta(days=6)


def test_a_mail_has_who_did_what_with_links_and_no_words_once_a_period(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write(f"@ada {SECRET}")
    assert send_digests(office.send, site=SITE) == 0  # not on the day itself
    at(CLOCK + timedelta(days=1))
    assert [send_digests(office.send, site=SITE) for _ in range(3)] == [1, 0, 0]
    [letter] = office.letters
    body = text_of(letter)
    assert letter["Subject"] == "[strades sandbox] 2 things that concern you"
    assert f"bob mentioned you in a message: {SITE}/messages/" in body
    assert "accepted" not in body  # it was before
    assert SECRET not in letter.as_string()
    assert letter["List-Unsubscribe"] == f"<{SITE}{link_of(letter, 'stop')}>"
    at(CLOCK + timedelta(days=2))
    assert send_digests(office.send, site=SITE) == 0  # nothing new
    write("more")
    at(CLOCK + timedelta(days=3))
    assert send_digests(office.send, site=SITE) == 1
    assert "bob sent a message" in text_of(office.letters[1])
    assert "mentioned" not in text_of(office.letters[1])


def test_who_reads_it_is_told_only_what_concerns_him_and_nothing_of_who_is_blocked(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at, "week")
    choose_digest(person("eve"), every="day", address="eve@example.org", language="fr")
    Digest.objects.filter(person=person("eve")).update(confirmed_at=CLOCK)
    at(CLOCK + timedelta(minutes=1))
    write(SECRET)
    at(CLOCK + timedelta(days=1))
    assert send_digests(office.send, site=SITE) == 0  # eve's feed is empty, ada's week is not over
    at(CLOCK + timedelta(days=7))
    make_contacts(person("eve"), person("bob"))
    at(CLOCK + timedelta(days=8))
    assert send_digests(office.send, site=SITE) == 2
    by_address = {letter["To"]: text_of(letter) for letter in office.letters}
    assert "/messages/" in by_address[ADDRESS]
    assert "/messages/" not in by_address["eve@example.org"]
    assert "bob a accepté un contact" in by_address["eve@example.org"]
    at(CLOCK + timedelta(days=9))
    write("x", to="eve")
    block(person("eve"), person("bob"))
    at(CLOCK + timedelta(days=14))
    assert send_digests(office.send, site=SITE) == 0


def test_events_to_be_reminded_of_stand_in_the_feed_and_the_mail(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at)
    begins = CLOCK + timedelta(days=1, hours=20)
    row = Meeting.objects.create(
        uid="x", title=SECRET, starts_at=begins, ends_at=begins + timedelta(hours=1), zone="UTC",
        planned_by=person("bob"), planned_at=CLOCK,
    )  # fmt: skip
    guest = Guest.objects.create(meeting=row, person=person("ada"), answer="yes", reminder_minutes=60)
    assert "You wanted to be reminded" not in browsers["ada"].get("/community/").content.decode()
    at(CLOCK + timedelta(days=1))
    assert send_digests(office.send, site=SITE) == 1
    assert f"An event begins {begins:%Y-%m-%d %H:%M} UTC: {SITE}/events/{row.pk}/" in text_of(office.letters[0])
    assert SECRET not in office.letters[0].as_string()
    for moment, is_shown in ((begins - timedelta(minutes=61), False), (begins - timedelta(minutes=60), True)):
        at(moment)
        assert (SECRET in browsers["ada"].get("/community/").content.decode()) is is_shown, moment
    Guest.objects.filter(pk=guest.pk).update(answer="no")
    assert SECRET not in browsers["ada"].get("/community/").content.decode()


def test_a_link_ends_the_mails_without_a_session(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write("x")
    at(CLOCK + timedelta(days=1))
    send_digests(office.send, site=SITE)
    anybody, link = client_of(None), link_of(office.letters[0], "stop")
    assert "Send no more mails to ada@example.org?" in anybody.get(link).content.decode()
    assert digest_of(person("ada")) is not None
    assert "No more mails are sent." in anybody.post(link).content.decode()
    assert digest_of(person("ada")) is None
    assert anybody.post(link).status_code == 404
    write("y")
    at(CLOCK + timedelta(days=2))
    assert send_digests(office.send, site=SITE) == 0


@pytest.mark.parametrize("answer", ["550 no", "451 later"])
def test_a_mail_that_was_refused_is_due_still(
    answer: str, browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write("x")
    at(CLOCK + timedelta(days=1))
    office.answer = answer
    assert send_digests(office.send, site=SITE) == 0
    office.answer = "250 kept"
    assert [send_digests(office.send, site=SITE) for _ in range(2)] == [1, 0]


class Hangs(socketserver.StreamRequestHandler):
    """A mail server that takes a whole mail and is gone before it answers."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            self.wfile.write({b"DATA": b"354 go on\r\n"}.get(line.strip().upper(), b"250 yes\r\n"))
            if line.strip().upper() == b"DATA":
                while self.rfile.readline().strip() != b".":
                    pass
                return


def test_a_mail_that_may_be_out_is_not_sent_again_and_what_it_told_stands_in_the_next_one(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any
) -> None:
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write("x")
    at(CLOCK + timedelta(days=1))
    with socketserver.TCPServer(("127.0.0.1", 0), Hangs) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert send_digests(partial(send_letter, f"smtp://127.0.0.1:{server.server_address[1]}"), site=SITE) == 0
        thread.join()
    assert send_digests(office.send, site=SITE) == 0
    at(CLOCK + timedelta(days=2))
    assert send_digests(office.send, site=SITE) == 1
    assert "bob sent a message" in text_of(office.letters[0])


def test_a_process_that_is_killed_sends_none_twice(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any, site: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write("x")
    later = CLOCK + timedelta(days=1)
    at(later)
    monkeypatch.setenv("STRADES_ALERT_SMTP", office.url)
    settings.cache_clear()
    children: list[subprocess.Popen[bytes]] = []

    def kill() -> str:
        children[0].send_signal(signal.SIGKILL)
        children[0].wait()
        return "250 kept"

    office.answer = kill
    command = [sys.executable, "-m", "dashboard", "digests"]
    environment = {**for_digests(os.environ, site), "STRADES_HOME": str(home())}
    children.append(subprocess.Popen(command, env=environment, cwd=PROJECT))
    assert children[0].wait(60) == -signal.SIGKILL
    assert len(office.letters) == 1
    office.answer = "250 kept"
    assert digest_job.execute_in_process().success  # the next run, in a process of its own
    assert len(office.letters) == 1
    assert DigestMail.objects.filter(period=period_of("day", later), sent_at=None).count() == 1


def test_a_run_without_a_mail_server_fails_and_leaves_what_is_due(
    browsers: dict[str, "Client"], office: PostOffice, client_of: ClientOf, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed(browsers, office, client_of, at)
    at(CLOCK + timedelta(minutes=1))
    write("x")
    at(CLOCK + timedelta(days=1))
    monkeypatch.setenv("STRADES_ALERT_SMTP", f"smtp://me:geheim@127.0.0.1:{free_port()}")
    settings.cache_clear()
    result = digest_job.execute_in_process(raise_on_error=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    told = str(failure.event_specific_data)
    assert "STRADES_ALERT_SMTP" in told
    assert "geheim" not in told
    assert send_digests(office.send, site=SITE) == 1


def test_a_period_is_a_day_or_a_week_of_iso_8601() -> None:
    # ISO 8601: 2024-12-30 is the Monday of week 1 of 2025; 2027-01-03 the Sunday of week 53 of 2026.
    assert period_of("day", datetime(2024, 12, 30, tzinfo=UTC)) == "2024-12-30"
    assert period_of("week", datetime(2024, 12, 30, tzinfo=UTC)) == "2025-W01"
    assert period_of("week", datetime(2027, 1, 3, 23, 59, tzinfo=UTC)) == "2026-W53"
