"""What an act is called on the pages: the sentence after the name of who did it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.accounts.models import User
from dashboard.community.acts import Act

ACTS = {
    "group_created": gettext_lazy("created an organization"),
    "member_invited": gettext_lazy("invited somebody to an organization"),
    "member_joined": gettext_lazy("joined an organization"),
    "member_changed": gettext_lazy("changed a member's role"),
    "member_left": gettext_lazy("ended a membership"),
    "invitation_revoked": gettext_lazy("revoked an invitation to an organization"),
    "note_shared": gettext_lazy("shared a note with an organization"),
    "friend_requested": gettext_lazy("asked to be a contact"),
    "friend_added": gettext_lazy("accepted a contact"),
    "friend_removed": gettext_lazy("ended a contact or declined a request"),
    "person_blocked": gettext_lazy("blocked a person"),
    "person_unblocked": gettext_lazy("took a block back"),
    "status_updated": gettext_lazy("changed their profile"),
    "wallet_owned": gettext_lazy("gave a wallet an owner"),
    "wallet_opened_to_all": gettext_lazy("ended the ownership of a wallet"),
    "wallet_shared": gettext_lazy("shared a wallet"),
    "wallet_unshared": gettext_lazy("ended the sharing of a wallet"),
    "approver_demanded": gettext_lazy("demands an approver of an organization for a wallet"),
    "approver_demand_ended": gettext_lazy("no longer demands an approver of an organization for a wallet"),
    "thread_started": gettext_lazy("started a thread"),
    "message_sent": gettext_lazy("sent a message"),
    "message_edited": gettext_lazy("edited a message"),
    "place_given": gettext_lazy("made a place free at an event, which the first one waiting got"),
    "message_reported": gettext_lazy("reported a message"),
    "report_answered": gettext_lazy("answered a report"),
    "event_planned": gettext_lazy("planned an event"),
    "event_changed": gettext_lazy("changed an event"),
    "event_time_cancelled": gettext_lazy("called off one time of an event"),
    "event_cancelled": gettext_lazy("cancelled an event"),
    "event_answered": gettext_lazy("answered an invitation to an event"),
    "item_uploaded": gettext_lazy("put a bundle into the shop as a draft"),
    "verification_requested": gettext_lazy("asked for a bundle to be verified"),
    "installation_requested": gettext_lazy("asked for a bundle to be installed"),
    "item_published": gettext_lazy("published a bundle"),
    "item_withdrawn": gettext_lazy("withdrew a bundle"),
    "item_requested": gettext_lazy("asked for a bundle"),
    "item_granted": gettext_lazy("granted a bundle"),
    "item_declined": gettext_lazy("declined a request for a bundle"),
    "credits_given": gettext_lazy("gave credits for the shop"),
    "item_reported": gettext_lazy("reported a bundle"),
    "item_hidden": gettext_lazy("hid a bundle"),
    "item_shown": gettext_lazy("showed a hidden bundle again"),
}
# By the name in an act's value, the page that it leads to; of several the first one counts.
PAGES = (
    ("thread", "thread"),
    ("meeting", "meeting"),
    ("wallet", "wallet"),
    ("organization", "organization"),
    ("item", "shop_item"),
)
# Of a row that is itself what a page shows.
PAGES_OF_TABLES = {"organizations": "organization", "shop_items": "item"}
CONTACT_ACTS = ("friend_requested", "friend_added")


@dataclass(frozen=True)
class Line:
    """An act as a line of the feed. `url` is empty where it leads nowhere."""

    person_id: int
    who: str
    did: str
    what: str
    url: str
    at: datetime


def feed_lines(acts: Iterable[Act], hidden: set[int], *, viewer: int) -> list[Line]:
    """The lines of acts, without those of `hidden` people. One query, for the names.

    Args:
        viewer: number of the account that reads them, which a message may mention.
    """
    shown = [act for act in acts if act.person_id not in hidden]
    names = dict(User.objects.filter(pk__in={act.person_id for act in shown}).values_list("pk", "pseudo"))
    return [_line(act, names, viewer) for act in shown]


def _line(act: Act, names: Mapping[int, str], viewer: int) -> Line:
    what, url = _page(act.kind, act.value)
    is_mentioned = viewer in act.value.get("mentioned", ())
    did = _("mentioned you in a message") if is_mentioned else word_of_act(act.kind)
    return Line(act.person_id, names.get(act.person_id, _("somebody")), did, what, url, act.at)


def word_of_act(kind: str) -> str:
    """The sentence of a kind; of one without a sentence its code."""
    return str(ACTS.get(kind, kind))


def _page(kind: str, value: Mapping[str, Any]) -> tuple[str, str]:
    if kind in CONTACT_ACTS:
        return _("your contacts"), reverse("contacts")
    table, _slash, key = str(value.get("row", "")).partition("/")
    found = {**value, PAGES_OF_TABLES[table]: key} if table in PAGES_OF_TABLES else value
    for name, page in PAGES:
        if name in found:
            text = str(found[name]) if name == "wallet" else _("open it")
            return text, reverse(page, args=[found[name]])
    return "", ""
