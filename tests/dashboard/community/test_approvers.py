"""Live trading of a wallet whose owner demands an approver of an organization: the matrix of who may approve."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dashboard.accounts.models import User
from dashboard.community.approvers import demand_approver, end_demand, rule_of
from dashboard.community.contacts import Refused
from dashboard.community.models import Level, Member, MemberRole, Organization
from dashboard.community.organizations import create_organization
from dashboard.community.wallets import give_wallet, owner_of, share_wallet
from dashboard.gateway.live_trading import approve_live
from dashboard.gateway.viewer import set_viewer
from strades_pipelines.settings import settings
from tests.brokerage.approvals import let_time_pass, request_live
from tests.brokerage.test_live_permissions import WALLET
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import ClientOf

if TYPE_CHECKING:
    from django.test import Client

Owner = psycopg.Connection[Any]
ROLE_REFUSED = "the owner of the wallet demands an approver with another role in an organization"
ALONE_REFUSED = "the owner of the wallet demands another person than who asked"
ORDER = (MemberRole.VIEWER, MemberRole.ANALYST, MemberRole.TRADER, MemberRole.OWNER)


@pytest.fixture
def clients(client_of: ClientOf) -> dict[str, "Client"]:
    """Browsers of ada, bob and eve, traders; root, an admin, has an account too."""
    client_of("admin", "root")
    return {name: client_of("trader", name) for name in ("ada", "bob", "eve")}


@pytest.fixture
def database(site: str, clients: object) -> Iterator[Owner]:
    """A live wallet, `money`, of ada's organization The Desk, read as by root, from whom none is hidden."""
    with psycopg.connect(site, autocommit=True) as opened:
        opened.execute(WALLET, ["live"])
        create_organization(person("ada"), "The Desk")
        give_wallet(person("root"), "money", to=desk())
        set_viewer(person("root").pk)
        yield opened


def desk() -> Organization:
    """The organization."""
    found: Organization = Organization.objects.get(name="The Desk")
    return found


def join(who: User, role: MemberRole, organization: Organization) -> None:
    """Make somebody a member with this role alone."""
    Member.objects.filter(organization=organization, person=who).delete()
    Member.objects.create(organization=organization, person=who, role=role.value, joined_at=settings().now())


def demand(role: MemberRole, organization: Organization | None = None) -> None:
    """Have ada demand an approver."""
    owner = owner_of("money")
    assert owner is not None
    demand_approver(person("ada"), owner, organization=organization or desk(), role=role)


@pytest.mark.parametrize("demanded", ORDER)
def test_who_has_the_role_or_one_above_it_approves_and_nobody_else(database: Owner, demanded: MemberRole) -> None:
    demand(demanded)
    for role in ORDER:
        join(person("bob"), role, desk())
        request = request_live(database, "money", by="dashboard:ada")
        is_fine = ORDER.index(role) >= ORDER.index(demanded)
        assert approve_live(request, by="dashboard:bob") == (None if is_fine else ROLE_REFUSED), role
    assert approve_live(request_live(database, "money"), by="dashboard:eve") == ROLE_REFUSED
    Member.objects.filter(person=person("bob")).update(ended_at=settings().now())
    assert approve_live(request_live(database, "money"), by="dashboard:bob") == ROLE_REFUSED


def test_who_asked_is_no_second_pair_of_eyes_where_one_person_is_enough_elsewhere(database: Owner) -> None:
    asked = request_live(database, "money", by="dashboard:ada")
    let_time_pass(database, 61)
    assert approve_live(asked, by="dashboard:ada") is None
    demand(MemberRole.VIEWER)
    asked = request_live(database, "money", by="dashboard:ada")
    let_time_pass(database, 61)
    assert approve_live(asked, by="dashboard:ada") == ALONE_REFUSED


def test_a_member_of_another_organization_is_none_and_one_that_it_is_shared_with_may_be_demanded(
    database: Owner,
) -> None:
    ada, eve = person("ada"), person("eve")
    make_contacts(ada, eve)
    other = create_organization(eve, "Elsewhere")
    demand(MemberRole.VIEWER)
    assert approve_live(request_live(database, "money"), by="dashboard:eve") == ROLE_REFUSED
    with pytest.raises(Refused, match="reach"):
        demand(MemberRole.OWNER, other)
    join(ada, MemberRole.ANALYST, other)
    owner = owner_of("money")
    assert owner is not None
    share_wallet(ada, owner, to=other, level=Level.VIEW)
    demand(MemberRole.OWNER, other)
    assert approve_live(request_live(database, "money"), by="dashboard:eve") is None
    join(person("bob"), MemberRole.OWNER, desk())
    assert approve_live(request_live(database, "money"), by="dashboard:bob") == ROLE_REFUSED


def test_a_change_takes_back_what_waits_and_only_an_owner_makes_it(database: Owner) -> None:
    join(person("bob"), MemberRole.TRADER, desk())
    waiting = request_live(database, "money")
    demand(MemberRole.TRADER)
    assert approve_live(waiting, by="dashboard:bob") == "the request was taken back"
    waiting, owner = request_live(database, "money"), owner_of("money")
    assert owner is not None
    with pytest.raises(Refused, match="right"):
        end_demand(person("bob"), owner)
    with pytest.raises(Refused, match="right"):
        demand_approver(person("bob"), owner, organization=desk(), role=MemberRole.VIEWER)
    end_demand(person("ada"), owner)
    assert rule_of(owner) is None
    assert approve_live(waiting, by="dashboard:eve") == "the request was taken back"
    assert approve_live(request_live(database, "money"), by="dashboard:eve") is None


def test_the_pages_say_who_approves(database: Owner, clients: dict[str, "Client"]) -> None:
    page, ada, bob = "/wallets/money/sharing/", clients["ada"], clients["bob"]
    join(person("bob"), MemberRole.VIEWER, desk())
    assert "Anybody who may, and not who asked." in ada.get(page).content.decode()
    ada.post(page, {"act": "demand", "organization": desk().pk, "role": "trader"})
    bob.post(page, {"act": "end_demand"})
    for client in (ada, bob):
        assert "at least a trader" in client.get(page).content.decode()
    request_live(database, "money", by="dashboard:ada")
    assert "Approve: trade with money" not in bob.get("/live/").content.decode()
    join(person("bob"), MemberRole.TRADER, desk())
    seen = bob.get("/live/").content.decode()
    assert "Approve: trade with money" in seen
    assert "The Desk" in seen
    ada.post(page, {"act": "end_demand"})
    assert "Anybody who may" in ada.get(page).content.decode()
