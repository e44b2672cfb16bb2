"""Bots: strategies that trade in wallets."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.gateway.bots import read_bots
from dashboard.gateway.reading import snapshot


@require_safe
def bots(request: HttpRequest) -> HttpResponse:
    """All bots in one table; their figures are not summed."""
    with snapshot():
        rows = read_bots()
    return render(request, "results/bots.html", {"rows": rows})
