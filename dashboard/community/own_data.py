"""What is kept of a person: all of it as a file, and its erasure, after which a number stands for the name."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q

from dashboard.accounts.connections import end
from dashboard.accounts.models import ERASED, Connection, User
from dashboard.accounts.roles import Role
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused, profile_of
from dashboard.community.models import (
    Block,
    Contact,
    Digest,
    Member,
    Organization,
    OrganizationNote,
    WalletOwner,
    WalletShare,
)
from dashboard.community.organizations import change_member
from dashboard.gateway.commands import read_commands_by
from dashboard.meetings.models import Guest, Meeting
from dashboard.meetings.planning import cancel_meeting
from dashboard.messaging.models import Message, MessageVersion, Reader, Report, Thread
from dashboard.notations.models import Notation
from dashboard.scheduler.models import CalendarFeed
from dashboard.shop.personal_data import erase_shop_data, shop_data
from strades_pipelines.settings import settings

# What of a row is a person's own, by the name in the file.
ACCOUNT = ("pseudo", "email", "created_at", "country_code", "address", "name", "surname", "last_login", "role")
EVENT = ("title", "text", "starts_at", "rule", "called_off", "as_of", "capacity")
SHARE = ("owner__wallet", "person__pseudo", "organization__name", "level", "shared_at", "ended_at")
DIGEST = ("every", "address", "language", "chosen_at", "confirmed_at", "ended_at", "mails__period", "mails__sent_at")
COMMAND = ("kind", "scope", "name", "requested_at", "reason", "outcome")


def own_data(person: User) -> dict[str, Any]:
    """What is kept of a person and what he wrote, ready for JSON; times in UTC. Of others their names alone.

    Keys and passwords are not in it, nor commands for wallets that he does not see any more.
    """
    profile = profile_of(person)
    contacts = Contact.objects.filter(Q(asked_by=person) | Q(asked=person)).select_related("asked_by", "asked")
    shares = WalletShare.objects.order_by("pk")
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
            Message.objects.filter(author=person).order_by("pk").values("thread__title", "sent_at", "edited_at", "text")
        ),
        "messages before they were edited": list(
            MessageVersion.objects.filter(message__author=person).order_by("pk").values("text", "replaced_at")
        ),
        "reports": list(Report.objects.filter(reported_by=person).values("reported_at", "reason", "answer")),
        "events": list(Meeting.objects.filter(planned_by=person).values(*EVENT)),
        "answers": list(Guest.objects.filter(person=person).values("meeting__title", "answer", "reminder_minutes")),
        "digests": list(person.digests.order_by("pk").values(*DIGEST)),
        "notations": list(
            Notation.objects.filter(author=person)
            .order_by("pk")
            .values("kind", "subject", "written_at", "rating", "note", "tags")
        ),
        **shop_data(person),
        "wallets": list(WalletOwner.objects.filter(person=person).values("wallet", "owned_at", "ended_at")),
        "wallets shared": list(shares.filter(owner__person=person).values(*SHARE)),
        "wallets shared with me": list(shares.filter(person=person).values(*SHARE)),
        "threads started": list(Thread.objects.filter(started_by=person).order_by("pk").values("title", "started_at")),
        "sign-in by a provider": list(
            SocialAccount.objects.filter(user=person).values("provider", "uid", "date_joined", "last_login")
        ),
        "second factors": list(Authenticator.objects.filter(user=person).values("type", "created_at", "last_used_at")),
        "commands": [
            {name: getattr(row, name) for name in COMMAND} for row in read_commands_by(f"dashboard:{person.pseudo}")
        ],
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
    # Of two last admins who go at once the second one waits, and stays.
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
    Thread.objects.filter(started_by=person).update(title=ERASED)
    MessageVersion.objects.filter(message__author=person).update(text="")
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
        Organization.objects.filter(pk=member.organization_id).update(name=f"{ERASED}{uuid4()}")


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
    for identity in (EmailAddress, SocialAccount, Authenticator):  # who he is elsewhere, and by what he proves it
        identity.objects.filter(user=person).delete()
    end(Connection.objects.filter(user=person))
    Connection.objects.filter(user=person).update(ip=None, user_agent="")
