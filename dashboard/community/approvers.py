"""Who has to approve live trading of a wallet: a member of an organization, where its owner demands it.

That an approval keeps to it is the database's (SQL 0098). A change takes back what waits for an approval: nobody asks
under one rule and is approved under another.
"""

from django.db import transaction

from dashboard.accounts.models import User
from dashboard.community.acts import record_act
from dashboard.community.contacts import Refused
from dashboard.community.models import ApproverRule, MemberRole, Organization, WalletOwner
from dashboard.community.organizations import member_ids
from dashboard.community.wallets import manages, owned_name
from dashboard.gateway.live_trading import revoke_waiting
from strades_pipelines.settings import settings


def rule_of(owner: WalletOwner) -> ApproverRule | None:
    """The rule that counts for a wallet, or None."""
    found: ApproverRule | None = owner.approver_rules.filter(ended_at=None).select_related("organization").first()
    return found


def rules_of(wallets: list[str]) -> dict[str, ApproverRule]:
    """The rules that count, by the name of the wallet. One query."""
    names = {owned_name(wallet): wallet for wallet in wallets}
    rows = ApproverRule.objects.filter(ended_at=None, owner__ended_at=None, owner__wallet__in=names)
    return {names[row.owner.wallet]: row for row in rows.select_related("owner", "organization")}


def organizations_of_wallet(owner: WalletOwner) -> list[Organization]:
    """Organizations whose members a rule may demand: the owner, and those with which the wallet is shared."""
    shared = owner.shares.filter(ended_at=None, organization__isnull=False).values("organization")
    own = [] if owner.organization_id is None else [owner.organization_id]
    return list(Organization.objects.filter(pk__in=[*own, *shared.values_list("organization", flat=True)]))


@transaction.atomic
def demand_approver(by: User, owner: WalletOwner, *, organization: Organization, role: MemberRole) -> None:
    """Demand an approver of an organization; a rule of before ends.

    Raises:
        Refused: `right`, where the wallet is not his; `reach`, where the organization has nothing to do with it.
    """
    if not manages(by, owner):
        raise Refused("right")
    if organization not in organizations_of_wallet(owner):
        raise Refused("reach")
    _end(by, owner, is_told=False)
    row = ApproverRule(owner=owner, organization=organization, role=role.value, set_by=by, set_at=settings().now())
    value = {"wallet": owner.wallet, "role": role}
    record_act(row, "approver_demanded", by=by, readers=member_ids(organization), value=value)


@transaction.atomic
def end_demand(by: User, owner: WalletOwner) -> None:
    """Let anybody approve again who may.

    Raises:
        Refused: the wallet is not his.
    """
    if not manages(by, owner):
        raise Refused("right")
    _end(by, owner, is_told=True)


def _end(by: User, owner: WalletOwner, *, is_told: bool) -> None:
    WalletOwner.objects.select_for_update().get(pk=owner.pk)  # one after the other
    revoke_waiting(owner.wallet, by=f"dashboard:{by.pseudo}")
    row = rule_of(owner)
    if row is None:
        return
    row.ended_at = settings().now()
    if is_told:
        readers, value = member_ids(row.organization), {"wallet": owner.wallet}
        record_act(row, "approver_demand_ended", by=by, readers=readers, value=value)
    else:
        row.save()
