"""Reports: filings as they were known at an instant, and one of them with where it comes from."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.text_diff import diff_versions
from dashboard.gateway import filings as gateway
from dashboard.gateway.bodies import read_fetch
from dashboard.gateway.reading import snapshot
from dashboard.overall_data.clock import SPANS, read_clock, read_place, read_since, read_text

SHOWN_FILINGS, SHOWN_VERSIONS = 50, 50
CIK_DIGITS = 10  # as EDGAR's numbers are stored; people leave the zeros out


@require_safe
def reports(request: HttpRequest) -> HttpResponse:
    """Filings, newest first; filters, as-of time and place stand in the address."""
    clock, before = read_clock(request), read_place(request)
    entity, form = read_text(request, "entity"), read_text(request, "form")
    with snapshot():
        rows = gateway.read_filings(
            entity=entity.zfill(CIK_DIGITS) if entity.isascii() and entity.isdigit() else entity,
            form=form,
            since=read_since(request, clock.as_of),
            as_of=clock.as_of,
            before=before,
            most=SHOWN_FILINGS + 1,
        )
    context = {
        "clock": clock,
        "wanted": {"entity": entity, "form": form, "days": request.GET.get("days", "")},
        "spans": SPANS,
        "rows": rows[:SHOWN_FILINGS],
        "older": rows[SHOWN_FILINGS - 1].place if len(rows) > SHOWN_FILINGS else None,
        "before": before,
        "is_filtered": bool(entity or form or request.GET.get("days") or clock.text or before),
    }
    return render(request, "overall_data/reports.html", context, status=clock.status)


@require_safe
def filing(request: HttpRequest) -> HttpResponse:
    """One filing in the version that was known, with those before."""
    clock = read_clock(request)
    source, document_id = read_text(request, "source"), read_text(request, "document")
    with snapshot():
        versions = gateway.read_filing_versions(source, document_id, as_of=clock.as_of, most=SHOWN_VERSIONS)
        if not versions:
            raise Http404
        fetch = read_fetch(versions[0].fetch_id)
    context = {
        "clock": clock,
        "filing": versions[0],
        # An archive's list may give any scheme, `javascript:` among them.
        "is_link": (versions[0].url or "").startswith(("https://", "http://")),
        "versions": list(zip(versions, diff_versions([_words(version) for version in versions]), strict=True)),
        "fetch": fetch,
    }
    return render(request, "overall_data/filing.html", context, status=clock.status)


def _words(filing: gateway.Filing) -> str:
    """All that a list of an archive says of a filing."""
    parts = (filing.form, filing.title, filing.period_end, filing.filed_at.isoformat(), filing.url)
    return " · ".join(str(part) for part in parts if part)
