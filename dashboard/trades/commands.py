"""Halt, resume, flatten: a form writes a row of trading.commands, and the page of the command displays the outcome.

The dashboard carries nothing out: `strades up` and `strades trade` do. A halt or flatten is in force from its row on.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.accounts.models import User
from dashboard.gateway import commands as gateway
from dashboard.gateway.commands import HaltInForce, TradingWallet
from dashboard.gateway.reading import parse_whole, snapshot
from strades_pipelines.brokerage.command_log import ALL, Scope
from strades_pipelines.settings import settings

SHOWN_COMMANDS = 25
LARGEST_ID = 2**63 - 1
SOON, REFRESH_SECONDS, SLOW_REFRESH_SECONDS = timedelta(seconds=20), 2, 15


class CommandForm(forms.Form):
    """What a command is about, and why. The key makes the form one command, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    scope = forms.ChoiceField(label=gettext_lazy("What"))
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        help_text=gettext_lazy("Kept with your name and the time; everybody sees it."),
    )

    def __init__(self, data: object, *, scopes: Sequence[Scope], initial: dict[str, object]) -> None:
        super().__init__(data, initial=initial)
        self.fields["scope"].choices = [(encode(scope), describe(scope)) for scope in scopes]
        self.fields["reason"].widget.attrs |= {"autofocus": True, "autocomplete": "off"}


def encode(scope: Scope) -> str:
    """A scope as the address and the form name it."""
    return scope.kind if scope == ALL else f"{scope.kind}:{scope.name}"


def describe(scope: Scope) -> str:
    """A scope in words."""
    if scope == ALL:
        return str(_("Everything that trades"))
    word = _("Wallet") if scope.kind == "wallet" else _("Strategy")
    return f"{word} {scope.name}"


@require_http_methods(["GET", "HEAD", "POST"])
def halt(request: HttpRequest) -> HttpResponse:
    """Ask for a halt."""
    with snapshot():
        wallets, in_force = gateway.read_trading_wallets(), gateway.read_halts()
    return _asked(request, "halt", scopes_to_halt(wallets), in_force)


@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: HttpRequest) -> HttpResponse:
    """Ask to end one of the halts in force."""
    with snapshot():
        in_force = gateway.read_halts()
    return _asked(request, "resume", list(dict.fromkeys(found.scope for found in in_force)), in_force)


@require_http_methods(["GET", "HEAD", "POST"])
def flatten(request: HttpRequest) -> HttpResponse:
    """Ask to halt a wallet, cancel its orders and close its positions."""
    with snapshot():
        wallets, in_force = gateway.read_trading_wallets(), gateway.read_halts()
    return _asked(request, "flatten", [Scope("wallet", wallet.wallet) for wallet in wallets], in_force)


def scopes_to_halt(wallets: Sequence[TradingWallet]) -> list[Scope]:
    """Everything, each strategy, each wallet."""
    strategies = sorted({name for wallet in wallets for name in wallet.strategies})
    return [
        ALL,
        *(Scope("strategy", strategy) for strategy in strategies),
        *(Scope("wallet", wallet.wallet) for wallet in wallets),
    ]


def _asked(request: HttpRequest, kind: str, scopes: Sequence[Scope], in_force: Sequence[HaltInForce]) -> HttpResponse:
    wanted = request.GET.get("scope", "")
    if wanted and wanted not in map(encode, scopes):
        raise Http404
    data = request.POST if request.method == "POST" else None
    form = CommandForm(data, scopes=scopes, initial={"key": uuid4(), "scope": wanted})
    status = 200
    if data is not None:
        status = 400
        if form.is_valid():
            scope = next(scope for scope in scopes if encode(scope) == form.cleaned_data["scope"])
            command = ask(request, kind, scope, form.cleaned_data)
            if command is not None:
                return redirect("command", command.request_key)
            status = 409
            form.add_error(None, _("This form was used for something else before; open it again."))
    return render(request, "trades/ask.html", {"form": form, "kind": kind, "in_force": in_force}, status=status)


def ask(
    request: HttpRequest, kind: str, scope: Scope, given: dict[str, object], *, intent_id: str = ""
) -> gateway.Command | None:
    """Ask with the key and reason of a form; None where the key is that of another command."""
    assert isinstance(request.user, User)
    key, reason = given["key"], str(given["reason"])
    assert isinstance(key, UUID)
    by = f"dashboard:{request.user.pseudo}"
    return gateway.ask(kind, scope, by=by, at=settings().now(), reason=reason, key=key, intent_id=intent_id)


@require_safe
def command(request: HttpRequest, key: UUID) -> HttpResponse:
    """The outcome of a command; the page reloads itself while the command waits."""
    with snapshot():
        found = gateway.read_command(key)
    if found is None:
        raise Http404
    is_slow = found.state == "waits" and settings().now() - found.requested_at > SOON
    context = {"command": found, "scope": describe(Scope(found.scope, found.name)), "is_slow": is_slow}
    response = render(request, "trades/command.html", context)
    if found.state == "waits":
        response["Refresh"] = str(SLOW_REFRESH_SECONDS if is_slow else REFRESH_SECONDS)
    return response


@require_safe
def commands(request: HttpRequest) -> HttpResponse:
    """What was asked for, newest first, page by page."""
    asked = request.GET.get("before", "")
    before = parse_whole(asked, LARGEST_ID)
    if asked and before is None:
        raise Http404
    with snapshot():
        rows = gateway.read_commands(before=before, most=SHOWN_COMMANDS + 1)
        in_force = gateway.read_halts()
    context = {
        "rows": [(row, describe(Scope(row.scope, row.name))) for row in rows[:SHOWN_COMMANDS]],
        "older": rows[SHOWN_COMMANDS - 1].command_id if len(rows) > SHOWN_COMMANDS else None,
        "in_force": in_force,
        "before": before,
    }
    return render(request, "trades/commands.html", context)
