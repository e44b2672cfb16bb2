"""Fill gaps: show which assets and months a backfill takes, then launch it."""

import hashlib
import json
from dataclasses import astuple

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from dashboard.core.frame import installation_of
from dashboard.gateway.automation import launch_backfill
from dashboard.gateway.gaps import backfill_part, read_fixable_gaps
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.scheduler.requests import Outcome, ReasonForm, sent_before, submit
from strades_pipelines.datamanager.gap_plan import count_missing, plan_backfill
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

LARGEST_LISTING = 2**31 - 1


class BackfillForm(ReasonForm):
    """Why, and the plan that was shown: another one than that is not launched."""

    plan = forms.CharField(widget=forms.HiddenInput, max_length=64)


@require_http_methods(["GET", "HEAD", "POST"])
def backfill(request: HttpRequest) -> HttpResponse:
    """The preview, or what its form leads to."""
    text = request.GET.get("listing", "")
    if text and parse_whole(text, LARGEST_LISTING) is None:
        raise Http404
    target = f"listing {int(text)}" if text else "all"
    if request.method == "POST" and (before := sent_before(request, "backfill", target)):
        return before
    with snapshot():
        gaps = read_fixable_gaps(int(text) if text else None) if installation_of(request).has_gaps else []
    websites = load_sources(settings().sources).websites
    months, orphans = plan_backfill(gaps, {site.name for site in websites if site.fonctionnel})
    planned = [(backfill_part(one), one.gaps) for one in months]
    parts = [part for part, _gaps in planned]
    digest = hashlib.sha256(json.dumps([astuple(part) for part in parts]).encode()).hexdigest()
    form, status = BackfillForm(request.POST or None, initial={"plan": digest}), 200
    if request.method == "POST":
        status = 400
        if form.is_valid() and (form.cleaned_data["plan"] != digest or not parts):
            form = BackfillForm(initial={"plan": digest})
            status = 409
        elif form.is_valid():
            title = f"gaps of {target}"
            page = submit(
                request,
                "backfill",
                target,
                form,
                lambda tags: Outcome("launched", backfill_id=launch_backfill(parts, title=title, tags=tags)),
                arguments={"parts": [list(astuple(part)) for part in parts]},
            )
            if page:
                return page
            status = 409
    context = {
        "form": form,
        "planned": planned,
        "orphans": orphans,
        "missing": count_missing(gaps),
        "has_changed": status == 409 and not form.is_bound,
    }
    return render(request, "scheduler/backfill.html", context, status=status)
