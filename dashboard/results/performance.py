"""How a wallet did and why: its curve and its falls, months, listings, owners, parity, and what the result is worth."""

from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.numbers import MONTHS_EN, MONTHS_FR, is_french
from dashboard.gateway.exports import EQUITY
from dashboard.gateway.performance import (
    WalletSetting,
    read_by_listing,
    read_by_owner,
    read_held_months,
    read_parity,
    read_replay_parity,
    read_setting,
    read_worth,
)
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import read_curve, read_session_returns
from dashboard.results.curves import chart, drawdown_chart
from dashboard.results.months import returns_by_year

CURVE_POINTS = 241


def setting_or_404(name: str) -> WalletSetting:
    """With what a wallet was opened.

    Raises:
        Http404: there is none of that name.
    """
    found = None if "\0" in name else read_setting(name)
    if found is None:
        raise Http404
    return found


@require_safe
def performance(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one wallet."""
    with snapshot():
        wallet = setting_or_404(name)
        curve = read_curve(name, points=CURVE_POINTS)
        sessions = read_session_returns(name)
        held = read_held_months(name)
        listings, owners = read_by_listing(name), read_by_owner(name)
        worth = read_worth(name)
        is_replay = wallet.mode == "replay"
        days = [] if is_replay else read_parity(name)
        replay_parity = read_replay_parity(name) if is_replay else None
    context = {
        "wallet": wallet,
        "curve": curve,
        "chart": chart(curve) if curve else "",
        "drawdown_chart": drawdown_chart(curve) if curve else "",
        "months": MONTHS_FR if is_french() else MONTHS_EN,
        "years": returns_by_year(sessions, held, float(wallet.opening_cash)),
        "fees": sum((session.fees for session in sessions), Decimal(0)) if sessions else None,
        "measured_at": sessions[-1].valued_at if sessions else None,
        "listings": listings,
        "owners": owners,
        "has_strategies": any(owner.kind for owner in owners),
        "worth": worth,
        "days": days,
        "replay_parity": replay_parity,
        "equity_query": EQUITY.strip(),
    }
    return render(request, "results/performance.html", context)
