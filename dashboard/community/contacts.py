"""Who is whose contact, who blocks whom, and who is in the directory. Each change is an act."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.community.models import Block, Contact, Level, Member, Profile, WalletShare
from dashboard.gateway.installation import FEED_DAYS
from strades_pipelines.settings import settings

MOST_REQUESTS, REQUEST_DAYS = 30, timedelta(days=1)
MOST_LISTED = 200


class Refused(Exception):
    """What somebody asked for is not done; the text says why, to him."""


def pair_of(one: User, other: User) -> str:
    """The key of two people."""
    return ":".join(map(str, sorted((one.pk, other.pk))))


def blocked_people(person: User) -> set[int]:
    """Accounts that this person blocks, or that block him: neither is shown to the other. One query."""
    found = Block.objects.filter(Q(blocked_by=person) | Q(blocked=person), ended_at=None)
    return {number for pair in found.values_list("blocked_by", "blocked") for number in pair} - {person.pk}


def contacts_of(person: User) -> list[User]:
    """Accepted contacts by name, without who blocks or is blocked."""
    rows = Contact.objects.filter(Q(asked_by=person) | Q(asked=person), ended_at=None, accepted_at__isnull=False)
    hidden = blocked_people(person)
    found = [row.other(person) for row in rows.select_related("asked_by", "asked")]
    return sorted((one for one in found if one.pk not in hidden and one.is_active), key=lambda one: one.pseudo)


def open_requests(person: User) -> list[Contact]:
    """Requests that wait for this person, or for the answer of another, oldest first."""
    rows = Contact.objects.filter(Q(asked_by=person) | Q(asked=person), ended_at=None, accepted_at=None)
    hidden = blocked_people(person)
    found = rows.select_related("asked_by", "asked").order_by("asked_at")
    return [row for row in found if row.other(person).pk not in hidden]


def listed_people(person: User) -> QuerySet[User]:
    """Who wants to be found, and members of the person's organizations; without blocked people."""
    shared = Member.objects.filter(person=person, ended_at=None).values("organization")
    colleagues = Member.objects.filter(organization__in=shared, ended_at=None).values("person")
    found = User.objects.filter(Q(profile__is_listed=True) | Q(pk__in=colleagues), is_active=True)
    hidden: QuerySet[User] = found.exclude(pk=person.pk).exclude(pk__in=blocked_people(person))
    return hidden


def directory(person: User, words: str = "") -> list[User]:
    """The first MOST_LISTED of the listed people by name; by what somebody wrote only who shows it is found."""
    found = listed_people(person)
    if words:
        found = found.filter(Q(pseudo__icontains=words) | Q(profile__is_listed=True, profile__about__icontains=words))
    return list(found.select_related("profile").order_by("pseudo")[:MOST_LISTED])


def may_reach(person: User, other: User) -> bool:
    """Whether two people may write to each other: contacts, or members of one organization, and no block."""
    if other.pk in blocked_people(person) or not other.is_active:
        return False
    shared = Member.objects.filter(person=person, ended_at=None).values("organization")
    return bool(
        Contact.objects.filter(pair=pair_of(person, other), ended_at=None, accepted_at__isnull=False).exists()
        or Member.objects.filter(person=other, organization__in=shared, ended_at=None).exists()
    )


def request_contact(person: User, other: User) -> None:
    """Ask another person; where he asked already, accept.

    Raises:
        Refused: too many requests today.
    """
    now = settings().now()
    waiting = Contact.objects.filter(pair=pair_of(person, other), ended_at=None).first()
    if waiting is not None:
        if waiting.asked_by_id == other.pk and waiting.accepted_at is None:
            answer_request(person, waiting.pk, accepts=True)
        return
    if Contact.objects.filter(asked_by=person, asked_at__gt=now - REQUEST_DAYS).count() >= MOST_REQUESTS:
        raise Refused("requests")
    row = Contact(pair=pair_of(person, other), asked_by=person, asked=other, asked_at=now)
    try:
        record_act(row, "friend_requested", by=person, readers=[other.pk])
    except IntegrityError:  # the other one asked in the same moment: both want to
        request_contact(person, other)


@transaction.atomic
def answer_request(person: User, contact_id: int, *, accepts: bool) -> None:
    """Accept or decline a request that waits for this person; once: a second answer changes nothing."""
    found = Contact.objects.select_for_update().filter(pk=contact_id, asked=person, accepted_at=None, ended_at=None)
    row = found.first()
    if row is None:
        return
    now = settings().now()
    if accepts:
        row.accepted_at = now
        record_act(row, "friend_added", by=person, readers=[row.asked_by_id])
    else:
        row.ended_at = now
        record_act(row, "friend_removed", by=person)


@transaction.atomic
def remove_contact(person: User, other: User) -> None:
    """End a contact or a request, and what the two share of wallets."""
    now = settings().now()
    row = Contact.objects.select_for_update().filter(pair=pair_of(person, other), ended_at=None).first()
    if row is not None:
        row.ended_at = now
        record_act(row, "friend_removed", by=person)
    _end_shares(person, other, at=now)


@transaction.atomic
def block(person: User, other: User) -> None:
    """Hide two people from each other; ends what they share. Blocked once more is no act."""
    if Block.objects.filter(blocked_by=person, blocked=other, ended_at=None).exists():
        return
    remove_contact(person, other)
    record_act(Block(blocked_by=person, blocked=other, blocked_at=settings().now()), "person_blocked", by=person)


@transaction.atomic
def unblock(person: User, other: User) -> None:
    """Take a block back."""
    row = Block.objects.select_for_update().filter(blocked_by=person, blocked=other, ended_at=None).first()
    if row is not None:
        row.ended_at = settings().now()
        record_act(row, "person_unblocked", by=person)


def save_profile(person: User, *, is_listed: bool, about: str) -> None:
    """Keep what a person shows to others."""
    row = profile_of(person)
    row.is_listed, row.about = is_listed, about
    record_act(row, "status_updated", by=person)


def profile_of(person: User) -> Profile:
    """The profile of a person; where there is none it is made, and of the feed nothing was seen yet."""
    defaults = {"seen_at": settings().now() - FEED_DAYS}
    found: Profile = Profile.objects.get_or_create(person=person, defaults=defaults)[0]
    return found


def _end_shares(person: User, other: User, *, at: datetime) -> None:
    for owner, reader in ((person, other), (other, person)):
        for row in WalletShare.objects.filter(owner__person=owner, owner__ended_at=None, person=reader, ended_at=None):
            row.ended_at = at
            record_act(row, "wallet_unshared", by=person, value={"wallet": row.owner.wallet, "level": Level(row.level)})
