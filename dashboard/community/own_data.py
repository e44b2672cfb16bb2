"""What is kept of a person: all of it as a file, and its erasure, after which a number stands for the name."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from dashboard.accounts.connections import end
from dashboard.accounts.models import ERASED, Connection, User
from dashboard.accounts.roles import Role
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused, profile_of
from dashboard.community.models import Block, Contact, Digest, Member, OrganizationNote, WalletOwner, WalletShare
from dashboard.community.organizations import change_member
from dashboard.meetings.models import Guest, Meeting
from dashboard.meetings.planning import cancel_meeting
from dashboard.messaging.models import Message, Reader, Report
from dashboard.notations.models import Notation
from dashboard.scheduler.models import CalendarFeed
from dashboard.shop.personal_data import erase_shop_data, shop_data
from strades_pipelines.settings import settings

# What of a row is a person's own, by the name in the file.
ACCOUNT = ("pseudo", "email", "created_at", "country_code", "address", "name", "surname", "last_login", "role")


def own_data(person: User) -> dict[str, Any]:
    """All that is kept of a person and that he wrote, ready for JSON; times in UTC. Of others their names alone."""
    profile = profile_of(person)
    contacts = Contact.objects.filter(Q(asked_by=person) | Q(asked=person)).select_related("asked_by", "asked")
    document = {
        "account": {name: getattr(person, name) for name in ACCOUNT},
        "profile": {"listed": profile.is_listed, "about": profile.about},
        "connections": list(person.connections.values("started_at", "last_seen_at", "ended_at", "ip", "user_agent")),
        "changes of the account": list(person.changes.order_by("sequence").values("at", "by", "what", "address")),
        "contacts": [
            {
                "with": row.other(person).pseudo,
                "asked": row.asked_at,
                "accepted": row.accepted_at,
                "ended": row.ended_at,
            }
            for row in contacts.order_by("pk")
        ],
        "blocks": list(Block.objects.filter(blocked_by=person).values("blocked__pseudo", "blocked_at", "ended_at")),
        "organizations": list(person.memberships.values("organization__name", "role", "joined_at", "ended_at")),
        "notes": list(
            OrganizationNote.objects.filter(author=person).values("title", "text", "instruments", "written_at")
        ),
        "messages": list(
            Message.objects.filter(author=person).order_by("pk").values("thread__title", "sent_at", "text")
        ),
        "reports": list(Report.objects.filter(reported_by=person).values("reported_at", "reason", "answer")),
        "events": list(Meeting.objects.filter(planned_by=person).values("title", "text", "starts_at", "rule", "as_of")),
        "answers": list(Guest.objects.filter(person=person).values("meeting__title", "answer", "reminder_minutes")),
        "digests": list(
            person.digests.order_by("pk").values(
                "every",
                "address",
                "language",
                "chosen_at",
                "confirmed_at",
                "ended_at",
                "mails__period",
                "mails__sent_at",
            )
        ),
        "notations": list(
            Notation.objects.filter(author=person)
            .order_by("pk")
            .values("kind", "subject", "written_at", "rating", "note")
        ),
        **shop_data(person),
        "wallets": list(WalletOwner.objects.filter(person=person).values("wallet", "owned_at", "ended_at")),
    }
    return {name: _plain(value) for name, value in document.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


@transaction.atomic
def erase(person: User) -> None:
    """Erase who a person is and what he wrote; acts, audit and rows of others stay with `erased-NUMBER` for the name.

    Raises:
        Refused: `owner`, where an organization with other members would have none; `wallet`, where he owns a wallet;
            `admin`, where he is the last admin.
    """
    now = settings().now()
    admins = User.objects.select_for_update().filter(role=Role.ADMIN.value, is_active=True)
    if person.role == Role.ADMIN and {one.pk for one in admins} == {person.pk}:
        raise Refused("admin")
    if WalletOwner.objects.filter(person=person, ended_at=None).exists():
        raise Refused("wallet")
    for member in Member.objects.filter(person=person, ended_at=None).select_related("organization", "person"):
        _leave(member, at=now)
    _end_relations(person, at=now)
    for meeting in Meeting.objects.filter(planned_by=person, cancelled_at=None):
        cancel_meeting(person, meeting)
    Meeting.objects.filter(planned_by=person).update(title=ERASED, text="")
    Message.objects.filter(author=person).update(text="", hidden_at=now)
    Report.objects.filter(reported_by=person).update(reason=ERASED)
    OrganizationNote.objects.filter(author=person).update(title=ERASED, text="", instruments=[])
    Notation.objects.filter(author=person).update(note="", tags=[], rating=None)
    Digest.objects.filter(person=person, ended_at=None).update(ended_at=now)
    Digest.objects.filter(person=person).update(address="")
    erase_shop_data(person)
    CalendarFeed.objects.filter(user=person, revoked_at=None).update(revoked_at=now)
    profile = profile_of(person)
    profile.is_listed, profile.about = False, ""
    record_act(profile, "status_updated", by=person)
    _close_account(person)


def _leave(member: Member, *, at: datetime) -> None:
    if member.organization.members.filter(ended_at=None).exclude(pk=member.pk).exists():
        try:
            change_member(member, member.pk, None)
        except Refused:
            raise Refused("owner") from None
    elif WalletOwner.objects.filter(organization=member.organization, ended_at=None).exists():
        raise Refused("wallet")
    else:  # it was his alone, and ends with him
        Member.objects.filter(pk=member.pk).update(ended_at=at)


def _end_relations(person: User, *, at: datetime) -> None:
    Contact.objects.filter(Q(asked_by=person) | Q(asked=person), ended_at=None).update(ended_at=at)
    Block.objects.filter(blocked_by=person, ended_at=None).update(ended_at=at)
    WalletShare.objects.filter(person=person, ended_at=None).update(ended_at=at)
    Reader.objects.filter(person=person, ended_at=None).update(ended_at=at)


def _close_account(person: User) -> None:
    person.pseudo, person.is_active = f"{ERASED}{person.pk}", False
    person.email = person.country_code = person.address = person.name = person.surname = ""
    person.set_unusable_password()
    person.save()
    end(Connection.objects.filter(user=person))
    Connection.objects.filter(user=person).update(ip=None, user_agent="")
