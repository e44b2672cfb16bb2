"""Live trading: one person asks for a wallet, another approves. To revoke takes one, and to halt nobody's word."""

import json
from typing import Any
from uuid import UUID, uuid4

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.changes import related_accounts
from dashboard.accounts.models import User
from dashboard.community.approvers import rules_of
from dashboard.gateway import live_trading as gateway
from dashboard.gateway.live_trading import LiveRequest, LiveWallet, TooManyRequests
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.rate_limits import HOUR, too_many
from strades_pipelines.settings import settings

LARGEST_ID = 2**63 - 1
# What the database says (migrations 0059, 0063 and 0098), for the catalogue.
REFUSALS = (
    gettext_noop("the request has expired: ask again"),
    gettext_noop("one person alone waits for 60 s"),
    gettext_noop("the request was taken back"),
    gettext_noop("the wallet has changed since it was asked for: ask again"),
    gettext_noop("the owner of the wallet demands an approver with another role in an organization"),
    gettext_noop("the owner of the wallet demands another person than who asked"),
    # Why a wallet is halted or reducing, in its view trading.live_refusals.
    gettext_noop("live needs an approval: ask for it on the page Live of the dashboard"),
    gettext_noop("its limits have changed since live was approved: ask again on the page Live of the dashboard"),
    gettext_noop("its strategies have changed since live was approved: ask again on the page Live of the dashboard"),
    gettext_noop("its code has changed since live was approved: ask again on the page Live of the dashboard"),
    gettext_noop("live was approved less than a minute ago: wait, or cancel it on the page Live of the dashboard"),
    gettext_noop("one person approved live: another has to, or STRADES_LIVE_ONE_PERSON=true"),
)


class _ShownField(forms.JSONField):
    """What the page showed, as it comes back: any text, also one that is nested deeper than Python reads."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class RequestForm(forms.Form):
    """A request as the page's form sends it: limits, strategies and code are those that it showed."""

    key = forms.UUIDField()
    wallet = forms.CharField(max_length=200)
    limits = _ShownField(max_length=10_000, required=False)  # {} is empty to Django
    strategies = _ShownField(max_length=10_000, required=False)
    code = forms.CharField(max_length=64, required=False)
    reason = forms.CharField(max_length=300)


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The live wallets, what waits for an approval, and what an approval would change."""
    with snapshot():
        wallets, waiting = gateway.read_live_wallets(), gateway.read_live_requests()
    by_name = {wallet.wallet: wallet for wallet in wallets}
    context = {
        "wallets": [(wallet, json.dumps(wallet.limits), json.dumps(wallet.strategies), uuid4()) for wallet in wallets],
        "waiting": _waiting_rows([found for found in waiting if found.wallet in by_name], by_name, request),
        "is_one_person": settings().live_one_person,
    }
    return render(request, "trades/live.html", context)


@require_POST
def live_request(request: HttpRequest) -> HttpResponse:
    """Ask for a wallet."""
    form = RequestForm(request.POST)
    if (again := _reauthentication(request)) is not None:
        return again
    if not form.is_valid() or not all(isinstance(form.cleaned_data[name], dict) for name in ("limits", "strategies")):
        messages.error(request, _("Say why, in at most 300 letters. Nothing was asked for."))
        return redirect("live")
    given = form.cleaned_data
    key = given["key"]
    assert isinstance(key, UUID)
    shown = given["wallet"], given["limits"], given["strategies"], given["code"]
    try:
        is_asked = gateway.request_live(*shown, reason=given["reason"], by=_name(request), key=key)
    except TooManyRequests:
        return too_many(request, "live", HOUR)
    if is_asked:
        messages.success(request, _("Asked for. It lapses after 15 minutes."))
    else:
        messages.error(
            request, _("Its limits, strategies or code have changed since this page was opened. Look again, then ask.")
        )
    return redirect("live")


@require_POST
def live_approve(request: HttpRequest) -> HttpResponse:
    """Approve what another person asked for; or, where the setting lets one person, what one asked for himself."""
    found = _waiting(request)
    if (again := _reauthentication(request)) is not None:
        return again
    if found is None:
        messages.error(request, _("That request waits no more."))
    elif found.requested_by == _name(request) and not settings().live_one_person:
        messages.error(request, _("Another person has to approve what you asked for."))
    # Who approves alone types the name, so that it is no slip of the finger.
    elif found.requested_by == _name(request) and request.POST.get("name") != found.wallet:
        messages.error(request, _("Type the name of the wallet as it is written. Nothing was approved."))
    elif found.requested_by in _related_names(request):
        messages.error(
            request,
            _("One person may be behind your account and theirs, by how they were made. Another has to approve."),
        )
    elif refusal := gateway.approve_live(found.request_id, by=_name(request)):
        messages.error(request, _(refusal))
    else:
        messages.success(
            request,
            _("%(wallet)s trades with money in a minute. Until then it can be cancelled.") % {"wallet": found.wallet},
        )
    return redirect("live")


@require_POST
def live_revoke(request: HttpRequest) -> HttpResponse:
    """Revoke all requests and approvals of a wallet. Nobody is asked for a password: to stop waits for nothing."""
    request_id = parse_whole(request.POST.get("request", ""), LARGEST_ID)
    if request_id is not None and gateway.revoke_live(request_id, by=_name(request)):
        messages.success(request, _("Revoked: nothing new is sent."))
    else:
        messages.error(request, _("There is no such request. Nothing was revoked."))
    return redirect("live")


def _waiting_rows(
    waiting: list[LiveRequest], wallets: dict[str, LiveWallet], request: HttpRequest
) -> list[dict[str, Any]]:
    """What the page shows of each request that waits."""
    related = _related_names(request) if waiting else set()
    rules = rules_of([found.wallet for found in waiting])
    return [
        {
            "request": found,
            "wallet": wallets[found.wallet],
            "changes": wallets[found.wallet].differences(found),
            "is_own": found.requested_by == _name(request),
            "is_related": found.requested_by in related,
            "rule": rules.get(found.wallet),
            "may_approve": found.requested_by not in related
            and (found.requested_by != _name(request) or (settings().live_one_person and found.wallet not in rules))
            and (found.wallet not in rules or gateway.may_approve(found.wallet, by=_name(request))),
        }
        for found in waiting
    ]


def _waiting(request: HttpRequest) -> LiveRequest | None:
    request_id = parse_whole(request.POST.get("request", ""), LARGEST_ID)
    with snapshot():
        return next((one for one in gateway.read_live_requests() if one.request_id == request_id), None)


def _related_names(request: HttpRequest) -> set[str]:
    """Accounts behind which the same person may be, as requests name who asked."""
    assert isinstance(request.user, User)
    return {f"dashboard:{pseudo}" for pseudo in related_accounts(request.user.pseudo)}


def _name(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return f"dashboard:{request.user.pseudo}"


def _reauthentication(request: HttpRequest) -> HttpResponse | None:
    """The way to prove who one is, where the last time is longer ago than five minutes; it leads back to the page."""
    if not is_reauthentication_required(request, app="allauth.account"):
        return None
    messages.warning(request, _("Confirm who you are, then send it again. Nothing was done."))
    return redirect(f"{reverse('account_reauthenticate')}?next={reverse('live')}")
