"""Today: five questions, five queries and a few."""

from collections.abc import Sequence
from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.live import live_page
from dashboard.gateway.agenda import next_events, read_sessions
from dashboard.gateway.decisions import read_newest_decisions
from dashboard.gateway.holdings import WalletHolding, read_holdings
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import read_curves
from dashboard.gateway.sources import read_sources
from dashboard.results.curves import chart, sparkline
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

SHOWN_DECISIONS, SHOWN_EVENTS = 12, 8


@require_safe
@live_page
def today(request: HttpRequest) -> HttpResponse:
    """The page."""
    now = settings().now()
    websites = load_sources(settings().sources).websites
    with snapshot():
        has_daily_bars = installation_of(request).has_daily_bars
        sources = read_sources(websites, now=now)
        holdings = read_holdings(now=now, has_daily_bars=has_daily_bars)
        decisions = read_newest_decisions()
        curves = read_curves()
        sessions = read_sessions(now=now)
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    trading = [decision for decision in decisions if decision.mode != "replay"]
    replayed = [decision for decision in decisions if decision.mode == "replay"]
    used = [source for source in sources if source.state != "off"]
    best = max((curve for curve in curves if curve.lead is not None), key=lambda curve: curve.lead or 0.0, default=None)
    context = {
        "sources": sources,
        "fresh": sum(source.state == "fresh" for source in used),
        "used": len(used),
        "holdings": holdings,
        "equities": _equities(holdings),
        "positions": sum(len(wallet.positions) for wallet in holdings),
        "working": sum(wallet.working for wallet in holdings),
        "unknown": sum(wallet.unknown for wallet in holdings),
        "decisions": (trading or replayed)[:SHOWN_DECISIONS],
        "replayed": replayed[:SHOWN_DECISIONS] if trading else [],
        "decided_today": sum(decision.decided_at >= midnight for decision in trading),
        "curves": [(curve, sparkline(curve)) for curve in curves],
        "best": best,
        "chart": chart(best) if best else "",
        "events": next_events(sources, sessions, now=now)[:SHOWN_EVENTS],
    }
    return render(request, "today/today.html", context)


def _equities(holdings: Sequence[WalletHolding]) -> list[tuple[str, Decimal | None, int]]:
    """The worth of all wallets by currency, None where one is not known: two currencies are never added up."""
    by_currency: dict[str, list[Decimal | None]] = {}
    for wallet in holdings:
        by_currency.setdefault(wallet.currency, []).append(wallet.equity)
    return [(currency, _sum(equities), len(equities)) for currency, equities in sorted(by_currency.items())]


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None
