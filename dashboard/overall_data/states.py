"""States: is each source healthy, what is missing, what failed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.gateway.reading import snapshot
from dashboard.gateway.sources import read_sources
from dashboard.gateway.states import read_failures, read_gap_totals
from strades_pipelines.datamanager.gap_plan import FIXABLE
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings


@require_safe
def states(request: HttpRequest) -> HttpResponse:
    """The page."""
    now = settings().now()
    websites = load_sources(settings().sources).websites
    with snapshot():
        has_gaps = installation_of(request).has_gaps
        sources = read_sources(websites, now=now)
        gaps = read_gap_totals() if has_gaps else []
        failures = read_failures([website.name for website in websites], now=now)
    fixable = sum(gap.missing for gap in gaps if gap.cause in FIXABLE)
    context = {"sources": sources, "gaps": gaps, "has_gaps": has_gaps, "failures": failures, "fixable": fixable}
    return render(request, "overall_data/states.html", context)
