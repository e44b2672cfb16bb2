"""Who owns a wallet, and with whom it is shared. What follows from it is row security of the database (0082).

A wallet without an owner is open to everybody, as all wallets were. An admin gives it an owner, or opens it again; the
owner, for an organization each of its owners, shares it with contacts and with organizations of his. A replay,
`NAME@HASH`, belongs to who owns NAME: it is one of many, and the next one has another hash.
"""

from django.db import transaction

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused, may_reach
from dashboard.community.models import Level, Member, MemberRole, Organization, WalletOwner, WalletShare
from dashboard.community.organizations import member_ids, membership
from strades_pipelines.settings import settings


def owned_name(wallet: str) -> str:
    """The name that has an owner, as `trading.owned_name` of the database."""
    return wallet.partition("@")[0]


def owner_of(wallet: str) -> WalletOwner | None:
    """The owner that counts, or None. One query."""
    found: WalletOwner | None = (
        WalletOwner.objects.filter(wallet=owned_name(wallet), ended_at=None)
        .select_related("person", "organization")
        .first()
    )
    return found


def manages(person: User, owner: WalletOwner) -> bool:
    """Whether a person says with whom the wallet is shared."""
    if owner.person_id is not None:
        return bool(owner.person_id == person.pk)
    found = Member.objects.filter(organization=owner.organization, person=person, ended_at=None)
    return bool(found.filter(role=MemberRole.OWNER.value).exists())


@transaction.atomic
def give_wallet(by: User, wallet: str, *, to: User | Organization | None) -> None:
    """Give a wallet an owner, or open it to everybody. What the owner before shared ends with him.

    Raises:
        Refused: who asks is no admin.
    """
    if not by.may(Role.ADMIN):
        raise Refused("right")
    wallet = owned_name(wallet)
    before = WalletOwner.objects.select_for_update().filter(wallet=wallet, ended_at=None).first()
    now = settings().now()
    if before is not None:
        before.ended_at = now
        readers = _people(before.person, before.organization)
        record_act(before, "wallet_opened_to_all", by=by, readers=readers, value={"wallet": wallet})
    if to is not None:
        person, organization = (to, None) if isinstance(to, User) else (None, to)
        row = WalletOwner(wallet=wallet, person=person, organization=organization, owned_at=now)
        record_act(row, "wallet_owned", by=by, readers=_people(person, organization), value={"wallet": wallet})


@transaction.atomic
def share_wallet(by: User, owner: WalletOwner, *, to: User | Organization, level: Level) -> None:
    """Let a contact, or an organization of one's own, see or operate a wallet; a share of before ends.

    Raises:
        Refused: `right`, where the wallet is not his to share; `reach`, where he may not share with them.
    """
    if not manages(by, owner):
        raise Refused("right")
    is_person = isinstance(to, User)
    if not (may_reach(by, to) if is_person else membership(by, to.pk) is not None):
        raise Refused("reach")
    now = settings().now()
    person, organization = (to, None) if is_person else (None, to)
    # The owner's row is the lock of all its shares.
    WalletOwner.objects.select_for_update().get(pk=owner.pk)
    WalletShare.objects.filter(owner=owner, person=person, organization=organization, ended_at=None).update(
        ended_at=now
    )
    row = WalletShare(owner=owner, person=person, organization=organization, level=level.value, shared_at=now)
    value = {"wallet": owner.wallet, "level": level}
    record_act(row, "wallet_shared", by=by, readers=_people(person, organization), value=value)


@transaction.atomic
def unshare_wallet(by: User, owner: WalletOwner, share_id: int) -> None:
    """End a share; what it let them see is gone with their next page.

    Raises:
        Refused: the wallet is not his to share.
    """
    if not manages(by, owner):
        raise Refused("right")
    row = WalletShare.objects.select_for_update().filter(pk=share_id, owner=owner, ended_at=None).first()
    if row is None:
        return
    row.ended_at = settings().now()
    readers = _people(row.person, row.organization)
    record_act(row, "wallet_unshared", by=by, readers=readers, value={"wallet": owner.wallet, "level": row.level})


def _people(person: User | None, organization: Organization | None) -> list[int]:
    return [person.pk] if person is not None else member_ids(organization) if organization is not None else []
