"""A message is changed by its author, for a while; what stood before is kept and shown to admins alone."""

from datetime import timedelta

import pytest

from dashboard.community.contacts import Refused
from dashboard.messaging.models import Message, MessageVersion, Thread
from dashboard.messaging.threads import EDIT_TIME, MOST_EDITS, edit_message
from tests.dashboard.community.people import person
from tests.dashboard.conftest import rows_of
from tests.dashboard.messaging.test_threads import Browsers, browsers, path, send, thread

__all__ = ["browsers", "thread"]
ACTS = "SELECT event_type_id, value->>'readers' FROM ops.events WHERE event_type_id = 'message_edited'"


@pytest.fixture
def message(browsers: Browsers, thread: Thread) -> Message:
    """What ada wrote."""
    assert send(browsers["ada"], thread, "sell **all**") == 302
    found: Message = Message.objects.get()
    return found


def edit(browsers: Browsers, name: str, message: Message, text: str) -> str:
    """Send the form of an edit; the page after it."""
    fields = {"act": "edit", "message": message.pk, "text": text}
    return str(browsers[name].post(path(message.thread, "act/"), fields, follow=True).content.decode())


def test_readers_see_the_new_text_and_that_it_was_edited_and_admins_the_old_one(
    browsers: Browsers, message: Message, site: str
) -> None:
    ada, bob, eve = (browsers[name] for name in ("ada", "bob", "eve"))
    assert f"?edit={message.pk}#edit" in ada.get(path(message.thread)).content.decode()
    assert "sell **all**" in ada.get(path(message.thread), {"edit": message.pk}).content.decode()
    assert "sell **all**" not in bob.get(path(message.thread), {"edit": message.pk}).content.decode()
    edit(browsers, "ada", message, "buy one")
    seen = bob.get(path(message.thread)).content.decode()
    assert "buy one" in seen
    assert "edited" in seen
    assert "sell" not in seen
    assert "edited" in bob.get(path(message.thread, "messages.json")).json()["messages"][0]
    bob.post(path(message.thread, "act/"), {"act": "report", "message": message.pk, "reason": "it said another thing"})
    reported = eve.get("/messages/reports/").content.decode()
    assert "buy one" in reported
    assert "sell **all**" in reported
    assert rows_of(site, ACTS) == [("message_edited", f"[{person('ada').pk}]")]


def test_only_its_author_changes_a_message_for_a_while_and_while_it_is_shown(
    browsers: Browsers, message: Message
) -> None:
    assert "can be changed for 15 minutes" in edit(browsers, "bob", message, "forged")
    assert browsers["cy"].post(path(message.thread, "act/"), {"act": "edit"}).status_code == 404
    sent = message.sent_at
    for values in ({"sent_at": sent - EDIT_TIME - timedelta(seconds=1)}, {"hidden_at": sent}):
        Message.objects.update(**values)
        assert "can be changed for 15 minutes" in edit(browsers, "ada", message, "too late")
        Message.objects.update(sent_at=sent, hidden_at=None)
    assert Message.objects.get().text == "sell **all**"
    assert not MessageVersion.objects.exists()


def test_the_same_text_is_no_edit_bad_text_is_refused_and_there_is_an_end(browsers: Browsers, message: Message) -> None:
    edit(browsers, "ada", message, "sell **all**")
    edit(browsers, "ada", message, "x" * 8001)
    edit(browsers, "ada", message, " ")
    assert Message.objects.get().edited_at is None
    for number in range(MOST_EDITS):
        edit_message(person("ada"), message.thread, message.pk, f"text {number}")
    with pytest.raises(Refused, match="edit"):
        edit_message(person("ada"), message.thread, message.pk, "one more")
    kept = [row.text for row in MessageVersion.objects.all()]
    assert kept == ["sell **all**", *(f"text {number}" for number in range(MOST_EDITS - 1))]
