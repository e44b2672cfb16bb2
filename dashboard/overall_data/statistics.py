"""Statistics: series with their newest values, and one of them with what was believed when."""

from collections.abc import Sequence
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.core.svg import curve_chart, sparkline
from dashboard.gateway import statistics as gateway
from dashboard.gateway.bodies import read_fetch
from dashboard.gateway.reading import snapshot
from dashboard.overall_data.clock import read_clock, read_text

SHOWN_SERIES, SPARKLINE_VALUES = 50, 30
CHART_VALUES, SHOWN_EVENTS = 500, 30


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    """Every series by name, with its newest value; filter, as-of time and place stand in the address."""
    clock = read_clock(request)
    words, after = read_text(request, "words"), read_text(request, "before")
    with snapshot():
        series = gateway.read_series(
            words, as_of=clock.as_of, after=after, most=SHOWN_SERIES + 1, most_values=SPARKLINE_VALUES
        )
    names = list(series)[:SHOWN_SERIES]
    context = {
        "clock": clock,
        "words": words,
        "rows": [_row(series[name]) for name in names],
        "older": names[-1] if len(series) > SHOWN_SERIES else None,
        "before": after,
    }
    return render(request, "overall_data/statistics.html", context, status=clock.status)


def _row(values: Sequence[gateway.Observation]) -> dict[str, object]:
    newest, before = values[-1], values[-2].value if len(values) > 1 else None
    title = _("%(series)s, its newest %(count)d values") % {"series": newest.series, "count": len(values)}
    curve = sparkline([value.value for value in values], [], title=title)
    return {"newest": newest, "before": before, "curve": curve}


@require_safe
def series(request: HttpRequest) -> HttpResponse:
    """One series as it was known; `before` pages through its events."""
    clock = read_clock(request)
    name = read_text(request, "series")
    before = _read_event(request)
    with snapshot():
        values = gateway.read_observations(name, as_of=clock.as_of, most=CHART_VALUES)
        if not values:
            raise Http404
        vintages = gateway.read_vintages(name, as_of=clock.as_of, before=before, most=SHOWN_EVENTS + 1)
        fetch = read_fetch(values[-1].fetch_id)
    events = list(dict.fromkeys(vintage.event_time for vintage in vintages))
    is_more = len(events) > SHOWN_EVENTS
    shown = [vintage for vintage in vintages if not is_more or vintage.event_time != events[-1]]
    newest = values[-1]
    title = _("%(series)s as it was known") % {"series": name}
    context = {
        "clock": clock,
        "series": name,
        "newest": newest,
        "previous": values[-2].value if len(values) > 1 else None,
        "chart": curve_chart(
            [value.event_time for value in values],
            [value.value for value in values],
            [],
            currency=newest.unit,
            title=title,
        ),
        "values": values,
        "vintages": shown,
        "older": events[-2].isoformat() if is_more else None,
        "before": before,
        "fetch": fetch,
    }
    return render(request, "overall_data/series.html", context, status=clock.status)


def _read_event(request: HttpRequest) -> datetime | None:
    text = request.GET.get("before", "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if found.tzinfo is None:
        raise Http404
    return found
