"""The page that says who sees a wallet: its owner, and with whom it is shared."""

from collections.abc import Iterable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.community.approvers import demand_approver, end_demand, organizations_of_wallet, rule_of
from dashboard.community.contacts import Refused, contacts_of
from dashboard.community.forms import ApproverForm, OwnerForm, ShareForm
from dashboard.community.models import LEVELS, Level, Organization, WalletOwner
from dashboard.community.organization_views import reason
from dashboard.community.organizations import organizations_of
from dashboard.community.wallets import give_wallet, manages, owned_name, owner_of, share_wallet, unshare_wallet
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.gateway.records import read_label

LARGEST_ID = 2**63 - 1
MOST_ACCOUNTS = 500


@require_http_methods(["GET", "HEAD", "POST"])
def wallet_sharing(request: HttpRequest, name: str) -> HttpResponse:
    """Who sees a wallet. An admin gives it an owner; the owner shares it; others see its owner."""
    assert isinstance(request.user, User)
    with snapshot():
        if read_label("wallet", name) is None:
            raise Http404
    owner = owner_of(name)
    if request.method == "POST":
        try:
            _act(request, request.user, name, owner)
        except Refused as refused:
            messages.error(request, reason(str(refused)))
        return redirect("wallet_sharing", name)
    is_admin, is_manager = request.user.may(Role.ADMIN), owner is not None and manages(request.user, owner)
    shares = owner.shares.filter(ended_at=None).select_related("person", "organization") if owner else []
    context = {
        "wallet": name,
        "template": owned_name(name) if name != owned_name(name) else "",
        "owner": owner,
        "is_admin": is_admin,
        "is_manager": is_manager,
        "shares": [(row, LEVELS[Level(row.level)]) for row in shares] if is_manager or is_admin else [],
        "owner_form": _owner_form(owner, None) if is_admin else None,
        "share_form": _share_form(request.user, None) if is_manager else None,
        "rule": rule_of(owner) if owner else None,
        "approver_form": _approver_form(owner, None) if owner and is_manager else None,
    }
    return render(request, "community/wallet_sharing.html", context)


def _act(request: HttpRequest, person: User, wallet: str, owner: WalletOwner | None) -> None:
    """Carry out one form; show a message if it is invalid."""
    number = parse_whole(request.POST.get("share", ""), LARGEST_ID)
    act = request.POST.get("act", "")
    if act == "give" and person.may(Role.ADMIN):
        form = _owner_form(owner, request.POST)
        if form.is_valid():
            give_wallet(person, wallet, to=_receiver(form.cleaned_data["to"]))
            return
    elif act == "share" and owner is not None:
        form = _share_form(person, request.POST)
        if form.is_valid():
            to = _receiver(form.cleaned_data["to"])
            assert to is not None
            share_wallet(person, owner, to=to, level=form.cleaned_data["level"])
            return
    elif act == "unshare" and owner is not None and number is not None:
        unshare_wallet(person, owner, number)
        return
    elif act == "demand" and owner is not None:
        form = _approver_form(owner, request.POST)
        if form.is_valid():
            organization = Organization.objects.get(pk=form.cleaned_data["organization"])
            demand_approver(person, owner, organization=organization, role=form.cleaned_data["role"])
            return
    elif act == "end_demand" and owner is not None:
        end_demand(person, owner)
        return
    messages.error(request, _("Choose from the list."))


def _approver_form(owner: WalletOwner, data: object) -> ApproverForm:
    form = ApproverForm(data)
    form.fields["organization"].choices = [(one.pk, one.name) for one in organizations_of_wallet(owner)]
    return form


def _owner_form(owner: WalletOwner | None, data: object) -> OwnerForm:
    people = User.objects.filter(is_active=True).order_by("pseudo")[:MOST_ACCOUNTS]
    groups = Organization.objects.order_by("name")[:MOST_ACCOUNTS]
    form = OwnerForm(data, initial={"to": _code(owner) if owner else ""})
    form.fields["to"].choices = [("", _("nobody: it is open to everybody")), *_choices(people, groups)]
    return form


def _share_form(person: User, data: object) -> ShareForm:
    form = ShareForm(data)
    form.fields["to"].choices = _choices(contacts_of(person), [one.organization for one in organizations_of(person)])
    return form


def _choices(people: Iterable[User], groups: Iterable[Organization]) -> list[tuple[str, str]]:
    return [
        *((f"person:{one.pk}", one.pseudo) for one in people),
        *((f"organization:{one.pk}", one.name) for one in groups),
    ]


def _code(owner: WalletOwner) -> str:
    return f"person:{owner.person_id}" if owner.person_id else f"organization:{owner.organization_id}"


def _receiver(code: str) -> User | Organization | None:
    """The person or organization of a form's choice."""
    kind, _colon, number = code.partition(":")
    if not kind:
        return None
    found: User | Organization = (User if kind == "person" else Organization).objects.get(pk=int(number))
    return found
