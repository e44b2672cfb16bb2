"""Organizations: members and what they may do, invitations, notes. Each change is an act that all members read."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused
from dashboard.community.models import (
    Level,
    Member,
    MemberInvitation,
    MemberRole,
    Organization,
    OrganizationNote,
    WalletShare,
    token_hash,
)
from strades_pipelines.settings import settings

MOST_ORGANIZATIONS, MOST_MEMBERS, MOST_INVITATIONS = 10, 200, 50


def membership(person: User, organization_id: int) -> Member | None:
    """The person's row in an organization, or None where he is in none of that number. One query."""
    found: Member | None = (
        Member.objects.filter(person=person, organization=organization_id, ended_at=None)
        .select_related("organization")
        .first()
    )
    return found


def organizations_of(person: User) -> list[Member]:
    """The memberships of a person, by the name of the organization."""
    rows = Member.objects.filter(person=person, ended_at=None).select_related("organization")
    return list(rows.order_by("organization__name"))


def member_ids(organization: Organization) -> list[int]:
    """Numbers of the accounts that are members now."""
    return list(organization.members.filter(ended_at=None).values_list("person", flat=True))


@transaction.atomic
def create_organization(person: User, name: str) -> Organization:
    """A new organization, which the person owns.

    Raises:
        Refused: `name`, where it is taken; `most`, where he made as many as one may.
    """
    now = settings().now()
    if Organization.objects.filter(name__iexact=name).exists():
        raise Refused("name")
    if Organization.objects.filter(created_by=person).count() >= MOST_ORGANIZATIONS:
        raise Refused("most")
    row = Organization(name=name, created_by=person, created_at=now)
    record_act(row, "group_created", by=person)
    joined = Member(organization=row, person=person, role=MemberRole.OWNER.value, joined_at=now)
    record_act(joined, "member_joined", by=person, value={"organization": row.pk})
    return row


def invite(owner: Member, role: MemberRole) -> str:
    """The token of a new invitation; only an owner makes one.

    Raises:
        Refused: too many wait.
    """
    now = settings().now()
    waiting = owner.organization.invitations.filter(used_at=None, expires_at__gt=now)
    if waiting.count() >= MOST_INVITATIONS:
        raise Refused("most")
    row, token = MemberInvitation.draft(owner.organization, role, owner.person, now)
    record_act(row, "member_invited", by=owner.person, value={"organization": owner.organization_id, "role": role})
    return token


def revoke_invitation(owner: Member, invitation_id: int) -> None:
    """End an invitation that nobody used; only an owner does. One that is over stays as it is.

    Raises:
        Refused: who asks is no owner.
    """
    if owner.role != MemberRole.OWNER:
        raise Refused("right")
    now = settings().now()
    with transaction.atomic():
        waiting = owner.organization.invitations.select_for_update().filter(used_at=None, expires_at__gt=now)
        row = waiting.filter(pk=invitation_id).first()
        if row is not None:
            row.expires_at = now
            value = {"organization": owner.organization_id, "role": row.role}
            record_act(row, "invitation_revoked", by=owner.person, value=value)


def open_invitations(organization: Organization) -> QuerySet[MemberInvitation]:
    """Invitations that can still be used: whoever made one owns the organization now."""
    owners = organization.members.filter(ended_at=None, role=MemberRole.OWNER.value).values("person")
    found: QuerySet[MemberInvitation] = organization.invitations.filter(
        used_at=None, expires_at__gt=settings().now(), created_by__in=owners
    )
    return found


def open_invitation(token: str) -> MemberInvitation | None:
    """The invitation of a token that can still be used."""
    found = MemberInvitation.objects.filter(token_hash=token_hash(token)).select_related("organization")
    row: MemberInvitation | None = found.first()
    return row if row is not None and open_invitations(row.organization).filter(pk=row.pk).exists() else None


@transaction.atomic
def join(person: User, token: str) -> Organization | None:
    """Use an invitation; None where it is used, too old or unknown, or its maker owns the organization no more.

    Of two people at once the database takes one.
    """
    found = MemberInvitation.objects.select_for_update(of=("self",)).filter(token_hash=token_hash(token), used_at=None)
    row = found.select_related("organization").first()
    now = settings().now()
    if row is None or row.expires_at <= now:
        return None
    organization: Organization = row.organization
    # All members are locked, as by `change_member`: who is removed in this moment invites nobody any more.
    members = list(organization.members.select_for_update().filter(ended_at=None))
    if row.created_by_id not in {one.person_id for one in members if one.role == MemberRole.OWNER}:
        return None
    if person.pk in {one.person_id for one in members}:
        return organization  # the invitation stays for somebody else
    if len(members) >= MOST_MEMBERS:
        return None
    row.used_by, row.used_at = person, now
    row.save()
    member = Member(organization=organization, person=person, role=row.role, joined_at=now)
    readers = [one.person_id for one in members]
    record_act(member, "member_joined", by=person, readers=readers, value={"organization": organization.pk})
    return organization


@transaction.atomic
def change_member(by: Member, member_id: int, role: MemberRole | None) -> None:
    """Give a member another role, or end the membership where `role` is None. Rights end with it at once.

    Who leaves takes his wallets along: what he shared with the organization ends.

    Raises:
        Refused: `right`, where `by` neither is an owner nor leaves himself; `last`, where nobody would own it.
    """
    # All rows of the organization are locked: of two owners who leave at once the second one is the last.
    rows = {row.pk: row for row in by.organization.members.select_for_update().filter(ended_at=None)}
    row = rows.get(member_id)
    mine = rows.get(by.pk)
    if row is None or mine is None:
        return
    leaves = row.pk == mine.pk and role is None
    if mine.role != MemberRole.OWNER and not leaves:
        raise Refused("right")
    owners = {number for number, other in rows.items() if other.role == MemberRole.OWNER}
    if role != MemberRole.OWNER and owners == {row.pk}:
        raise Refused("last")
    value = {"organization": by.organization_id, "person": row.person_id}
    readers = member_ids(by.organization)
    if role is None:
        row.ended_at = settings().now()
        record_act(row, "member_left", by=by.person, readers=readers, value=value)
        _end_shares(by.organization, row.person, by=by.person, readers=readers)
    else:
        row.role = role.value
        record_act(row, "member_changed", by=by.person, readers=readers, value={**value, "role": role})


def _end_shares(organization: Organization, leaver: User, *, by: User, readers: list[int]) -> None:
    shares = WalletShare.objects.filter(organization=organization, owner__person=leaver, ended_at=None)
    for share in shares.select_related("owner"):
        share.ended_at = settings().now()
        value = {"wallet": share.owner.wallet, "level": Level(share.level)}
        record_act(share, "wallet_unshared", by=by, readers=readers, value=value)


def share_note(member: Member, *, title: str, text: str, instruments: list[str], key: UUID | None = None) -> None:
    """Add a note or a selection of markets, once a form; a viewer only reads.

    Raises:
        Refused: the member is a viewer.
    """
    if member.role == MemberRole.VIEWER:
        raise Refused("right")
    row = OrganizationNote(
        organization=member.organization,
        author=member.person,
        title=title,
        text=text,
        instruments=instruments,
        written_at=settings().now(),
        key=key,
    )
    value = {"organization": member.organization_id}
    try:
        record_act(row, "note_shared", by=member.person, readers=member_ids(member.organization), value=value)
    except IntegrityError:
        # The form was sent twice; a refusal for another reason raises here.
        OrganizationNote.objects.get(key=key, author=member.person)
