"""The page of the search box: at most two queries, whatever is asked."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.gateway.reading import snapshot
from dashboard.gateway.search import find_ids, find_names, find_sources
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

LONGEST_TEXT = 100


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What has the text as its id, or in its name."""
    text = request.GET.get("q", "").strip()
    if problem := problem_of(text):
        refused = {"problem": problem, "search_text": text[:LONGEST_TEXT].replace("\0", "")}
        return render(request, "search/search.html", refused, status=400)
    context: dict[str, Any] = {"search_text": text, "asked": bool(text)}
    if text:
        with snapshot():
            context |= {"ids": find_ids(text), "names": find_names(text)}
        context["sources"] = find_sources(text, load_sources(settings().sources).websites)
    return render(request, "search/search.html", context)


def problem_of(text: str) -> str | None:
    """What is wrong with a text to search for, in words; None where nothing is."""
    if len(text) > LONGEST_TEXT:
        return str(_("Search for at most %(most)s letters: one name or one id.") % {"most": LONGEST_TEXT})
    if "\0" in text:
        return str(_("Search for letters that can be read."))
    return None
