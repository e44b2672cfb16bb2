"""One axis for three: what the algorithm of a wallet made, what people's own orders made, and buying and holding."""

from collections.abc import Sequence

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.core.numbers import money_text
from dashboard.core.svg import line_chart
from dashboard.gateway.comparison import ProfitPoint, read_measured_listings, read_profits
from dashboard.gateway.reading import snapshot
from dashboard.results.performance import setting_or_404
from strades_pipelines.market.rounding import exact

POINTS = 240


@require_safe
def comparison(request: HttpRequest, name: str) -> HttpResponse:
    """The profits of one wallet; `listing` in the address names one of its listings, without it all of them."""
    text = request.GET.get("listing", "")
    with snapshot():
        wallet = setting_or_404(name)
        listings = read_measured_listings(name)
        chosen = next((listing for listing in listings if str(listing.listing_id) == text), None)
        if text and chosen is None:
            raise Http404
        points = read_profits(name, chosen.listing_id if chosen else None, points=POINTS)
    context = {
        "wallet": wallet,
        "listings": listings,
        "chosen": chosen,
        "last": points[-1] if points else None,
        "first_at": points[0].valued_at if points else None,
        "is_single": len(points) == 1,
        "chart": profit_chart(points, wallet.currency, name=chosen.instrument if chosen else name),
    }
    return render(request, "results/comparison.html", context)


def profit_chart(points: Sequence[ProfitPoint], currency: str, *, name: str) -> SafeString:
    """Three curves of one scale, and a fourth where statements of a broker brought fills; empty under two points."""
    if not points:
        return SafeString("")
    lines: dict[str, list[float | None]] = {
        "benchmark": [point.held for point in points],
        "person": [float(point.person) for point in points],
        "account": [float(point.algorithm) for point in points],
    }
    if any(point.statement for point in points):
        lines["statement"] = [float(point.statement) for point in points]
    last = points[-1]
    title = _("%(name)s: algorithm %(algorithm)s, own orders %(person)s, buy and hold %(held)s") % {
        "name": name,
        "algorithm": money_text(last.algorithm, currency, signed=True),
        "person": money_text(last.person, currency, signed=True),
        "held": "—" if last.held is None else money_text(exact(last.held), currency, signed=True),
    }
    return line_chart([point.valued_at for point in points], lines, title=str(title))
