"""The round trips of a wallet, page by page."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.gateway.exports import ROUND_TRIPS
from dashboard.gateway.reading import snapshot
from dashboard.gateway.round_trips import read_round_trips
from dashboard.results.performance import setting_or_404

SHOWN_TRIPS = 50
LARGEST_SEQUENCE = 2**31 - 1


@require_safe
def round_trips(request: HttpRequest, name: str) -> HttpResponse:
    """The newest round trips; `before` in the address pages through them."""
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
    if text and (before is None or before > LARGEST_SEQUENCE):
        raise Http404
    with snapshot():
        wallet = setting_or_404(name)
        rows = read_round_trips(name, before=before, most=SHOWN_TRIPS + 1)
    context = {
        "wallet": wallet,
        "rows": rows[:SHOWN_TRIPS],
        "before": before,
        "older": rows[SHOWN_TRIPS - 1].sequence if len(rows) > SHOWN_TRIPS else None,
        "query": ROUND_TRIPS.strip(),
    }
    return render(request, "results/round_trips.html", context)
