"""Wallets: all of them against buying and holding, and one with its curve, positions, orders and findings."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.live import live_page
from dashboard.gateway.exports import FILLS
from dashboard.gateway.holdings import WalletHolding, read_holding, read_holdings
from dashboard.gateway.orders import parse_place, read_findings, read_orders
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import WalletCurve, read_curve, read_curves, read_session_returns
from dashboard.results.curves import chart, sparkline
from strades_pipelines.market.rounding import exact
from strades_pipelines.settings import settings

CURVE_POINTS = 241
SHOWN_ORDERS = 25


@dataclass(frozen=True)
class WalletRow:
    """A wallet of the list: one that trades, or the current replay of a name. Either part may be missing, not both."""

    holding: WalletHolding | None
    curve: WalletCurve | None

    @property
    def wallet(self) -> str:
        """Its id."""
        return self.holding.wallet if self.holding else self.curve.wallet if self.curve else ""

    @property
    def name(self) -> str:
        """Its name in Wallets.json."""
        return self.curve.name if self.curve else self.wallet

    @property
    def shared(self) -> WalletHolding | WalletCurve:
        """The part that says mode, strategy and currency."""
        found = self.holding or self.curve
        assert found is not None
        return found

    @property
    def value(self) -> Decimal | None:
        """What it is worth: as recorded, at the last known closes; of a replay at the end of its window."""
        if self.holding is not None:
            return self.holding.equity
        return exact(self.curve.equity[-1]) if self.curve else None

    @property
    def valued_at(self) -> datetime | None:
        """What the value is as of; None for one that holds only cash."""
        if self.holding is not None:
            return self.holding.as_of
        return self.curve.last_at if self.curve else None


@require_safe
def wallets(request: HttpRequest) -> HttpResponse:
    """Every wallet that trades, and each current replay."""
    with snapshot():
        holdings = read_holdings(now=settings().now(), has_daily_bars=installation_of(request).has_daily_bars)
        curves = {curve.wallet: curve for curve in read_curves()}
    rows = [WalletRow(holding, curves.pop(holding.wallet, None)) for holding in holdings]
    rows += [WalletRow(None, curve) for curve in curves.values()]
    shown = [(row, sparkline(row.curve) if row.curve else "") for row in rows]
    return render(request, "results/wallets.html", {"rows": shown})


@require_safe
@live_page
def wallet(request: HttpRequest, name: str) -> HttpResponse:
    """One wallet; `before` in the address pages through its orders."""
    text = request.GET.get("before", "")
    before = parse_place(text)
    if "\0" in name or (text and before is None):
        raise Http404
    now = settings().now()
    with snapshot():
        holding = read_holding(name, now=now, has_daily_bars=installation_of(request).has_daily_bars)
        if holding is None:
            raise Http404
        curve = read_curve(name, points=CURVE_POINTS)
        sessions = read_session_returns(name)
        orders = read_orders(name, before=before, most=SHOWN_ORDERS + 1)
        findings = read_findings(name)
    over = [order for order in orders if not order.is_open]
    context = {
        "holding": holding,
        "curve": curve,
        "chart": chart(curve) if curve else "",
        "fees": sum((session.fees for session in sessions), Decimal(0)) if sessions else None,
        "measured_at": sessions[-1].valued_at if sessions else None,
        "open_orders": [order for order in orders if order.is_open],
        "orders": over[:SHOWN_ORDERS],
        "older": over[SHOWN_ORDERS - 1].place if len(over) > SHOWN_ORDERS else None,
        "before": before,
        "findings": findings,
        "valued_to": holding.window_end or now,
        "fills_query": FILLS.strip(),
    }
    return render(request, "results/wallet.html", context)
