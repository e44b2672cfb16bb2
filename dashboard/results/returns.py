"""A wallet's returns: how they are spread, what another order of them would have come to, and slippage of its fills."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.core.numbers import percent_text
from dashboard.core.svg import histogram, line_chart
from dashboard.gateway.exports import RETURNS, SLIPPAGE
from dashboard.gateway.reading import snapshot
from dashboard.gateway.return_figures import (
    ReturnFigures,
    read_newest_slippage,
    read_return_figures,
    read_slippage,
    slippage_by_currency,
)
from dashboard.results.performance import setting_or_404

BAND_POINTS, SHOWN_FILLS = 120, 20


@require_safe
def returns(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one wallet."""
    with snapshot():
        wallet = setting_or_404(name)
        figures = read_return_figures(name, points=BAND_POINTS)
        slippage, newest = read_slippage(name), read_newest_slippage(name, most=SHOWN_FILLS)
    context = {
        "wallet": wallet,
        "figures": figures,
        "band_chart": band_chart(figures, name, wallet.opened_at) if figures else "",
        "spread_chart": spread_chart(figures, name) if figures else "",
        "slippage": slippage,
        "slippage_sums": slippage_by_currency(slippage),
        "newest_slippage": newest,
        "queries": [RETURNS.strip(), SLIPPAGE.strip()],
    }
    return render(request, "results/returns.html", context)


def band_chart(figures: ReturnFigures, name: str, opened_at: datetime) -> SafeString:
    """Growth since the opening between the quantiles of its resamples, as fractions; empty where there is no band."""
    if not figures.times:
        return SafeString("")
    curves = {
        "resample": figures.lower,
        "resample upper": figures.upper,
        "benchmark": figures.median,
        "account": figures.growth,
    }
    lines: dict[str, list[float | None]] = {
        # All of them begin at the opening, before the first session has ended.
        kind: [0.0, *(growth - 1 for growth in values)]
        for kind, values in curves.items()
    }
    title = _("%(name)s: return %(own)s; of the resamples between %(lower)s and %(upper)s") % {
        "name": name,
        "own": percent_text(figures.growth[-1] - 1, signed=True),
        "lower": percent_text(figures.lower[-1] - 1, signed=True),
        "upper": percent_text(figures.upper[-1] - 1, signed=True),
    }
    return line_chart([opened_at, *figures.times], lines, title=str(title), is_fraction=True)


def spread_chart(figures: ReturnFigures, name: str) -> SafeString:
    """A histogram of the returns of sessions that have ended; empty where they do not vary."""
    title = _("%(name)s: returns of %(count)d sessions") % {"name": name, "count": figures.ended_sessions}
    return histogram(figures.bin_edges, figures.bin_counts, title=str(title), unit=str(_("sessions")))
