"""Start: what has to be right before the day begins, each with the way to mend it, and the way on.

Paper wallets trade whenever `strades up` or `strades trade` runs. So Start leads to the resume of a paper wallet that
is halted, or else to the assets of the day; a live wallet is started by neither.
"""

from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urlencode

from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.access import allowed
from dashboard.gateway.choices import ChoosingWallet, read_choices, read_choosing_wallets
from dashboard.gateway.commands import read_halts
from dashboard.gateway.reading import snapshot
from dashboard.gateway.sources import SourceHealth, read_sources
from dashboard.middleware import TIME_ZONE_COOKIE
from strades_pipelines.brokerage.command_log import Scope
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings


@dataclass(frozen=True)
class Check:
    """Something that should be right: whether it is, how it stands, and where it is mended."""

    title: str
    is_good: bool
    detail: str
    address: str
    action: str


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The page."""
    now = settings().now()
    websites = load_sources(settings().sources).websites
    with snapshot():
        sources = read_sources(websites, now=now)
        wallets = read_choosing_wallets()
        chosen = read_choices(now.astimezone(UTC).date(), now=now)
        halts = read_halts()
    paper = [wallet for wallet in wallets if wallet.mode == "paper"]
    checks = [*_person(request), *_data(sources), *_wallets(paper), _choice(paper, len(chosen))]
    halted = [wallet.wallet for wallet in paper if Scope("wallet", wallet.wallet) in {halt.scope for halt in halts}]
    if halted and allowed(request.user, "resume"):
        onward = f"{reverse('resume')}?{urlencode({'scope': f'wallet:{halted[0]}'})}"
    else:
        onward = reverse("choice")
    context = {
        "checks": checks,
        "good": sum(check.is_good for check in checks),
        "paper": paper,
        "halted": halted,
        "wider": [halt for halt in halts if halt.kind != "wallet"],
        "onward": onward,
    }
    return render(request, "choice/start.html", context)


def _person(request: HttpRequest) -> list[Check]:
    zone = request.COOKIES.get(TIME_ZONE_COOKIE, "")
    has_factor = is_mfa_enabled(request.user)
    return [
        Check(
            _("Second factor"),
            has_factor,
            _("set up") if has_factor else _("without one you can halt, and neither resume nor choose"),
            reverse("mfa_index" if has_factor else "mfa_activate_totp"),
            _("Set one up"),
        ),
        Check(
            _("Time zone"),
            bool(zone),
            zone or _("times are in UTC until you choose one"),
            reverse("settings"),
            _("Choose one"),
        ),
    ]


def _data(sources: list[SourceHealth]) -> list[Check]:
    used = [source for source in sources if source.state != "off"]
    fresh = [source for source in used if source.state == "fresh"]
    behind = [source.website.name for source in used if source.state != "fresh"]
    return [
        Check(
            _("One source works"),
            bool(fresh),
            _("%(fresh)d of %(used)d sources are fresh") % {"fresh": len(fresh), "used": len(used)},
            reverse("states"),
            _("See the states"),
        ),
        Check(
            _("Data is fresh"),
            bool(used) and not behind,
            _("late or not fetched yet: %(names)s") % {"names": ", ".join(behind)} if behind else _("nothing is late"),
            reverse("states"),
            _("See the states"),
        ),
    ]


def _wallets(paper: list[ChoosingWallet]) -> list[Check]:
    trading = [wallet.wallet for wallet in paper if wallet.state == "active"]
    unlimited = [wallet.wallet for wallet in paper if not wallet.has_limits]
    if trading:
        detail = ", ".join(trading)
    elif paper:
        detail = _("all paper wallets are halted")
    else:
        detail = _(
            "Wallets.json lists none, or nothing has run yet: an entry with the mode paper opens with the next run"
        )
    return [
        Check(
            _("One paper wallet trades"),
            bool(trading),
            detail,
            reverse("commands" if paper else "wallets"),
            _("See the halts") if paper else _("See the wallets"),
        ),
        Check(
            _("Risk limits are set"),
            bool(paper) and not unlimited,
            _("each paper wallet has limits of its own")
            if paper and not unlimited
            else _("cash and position limits alone hold: add limits in Wallets.json for %(names)s")
            % {"names": ", ".join(unlimited) or _("a paper wallet")},
            reverse("wallets"),
            _("See the wallets"),
        ),
    ]


def _choice(paper: list[ChoosingWallet], chosen: int) -> Check:
    return Check(
        _("Assets of the day are chosen"),
        chosen > 0,
        _("a choice counts today") if chosen else _("without a choice everything that a wallet lists may be bought"),
        reverse("choice"),
        _("Choose"),
    )
