"""The agenda of a day: ticks of schedules, runs, sessions, releases and orders, past and to come."""

from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.core.live import live_page
from dashboard.gateway.agenda import KINDS, parse_entry_place, read_entries
from dashboard.gateway.reading import snapshot
from dashboard.meetings.planning import planned
from strades_pipelines.settings import settings

SHOWN_ENTRIES = 100
DAY = timedelta(days=1)
FIRST_DAY, LAST_DAY = date(1900, 1, 2), date(2200, 1, 1)


@require_safe
@live_page
def agenda(request: HttpRequest) -> HttpResponse:
    """A day in the viewer's time zone. Query parameters: `day`, `kind`, `after`."""
    now = settings().now()
    day = _day(request.GET.get("day", ""), timezone.localtime(now).date())
    kind = request.GET.get("kind", "")
    text = request.GET.get("after", "")
    after = parse_entry_place(text)
    if (kind and kind not in KINDS) or (text and after is None):
        raise Http404
    start, end = _midnight(day), _midnight(day + DAY)
    with snapshot():
        rows = read_entries(start, end, kinds=[kind] if kind else KINDS, after=after, most=SHOWN_ENTRIES + 1)
    shown = rows[:SHOWN_ENTRIES]
    first_to_come = next((entry for entry in shown if entry.starts_at > now), None)
    more = {"day": day.isoformat(), "kind": kind, "after": shown[-1].place} if len(rows) > SHOWN_ENTRIES else None
    context = {
        "day": day,
        "before": day - DAY,
        "next": day + DAY,
        "is_today": day == timezone.localtime(now).date(),
        "kind": kind,
        "kinds": KINDS,
        "rows": [(entry, entry is first_to_come) for entry in shown],
        "failed": sum(entry.state in ("failure", "missed") for entry in shown),
        "more": urlencode(more) if more else "",
        "meetings": planned(request.user, start, end) if not kind and after is None else [],
    }
    return render(request, "scheduler/agenda.html", context)


def _day(text: str, today: date) -> date:
    """The day that `YYYY-MM-DD` names, today without one.

    Raises:
        Http404: it names none, or one that no agenda has.
    """
    try:
        found = date.fromisoformat(text) if text else today
    except ValueError:
        raise Http404 from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise Http404
    return found


def _midnight(day: date) -> datetime:
    """The first instant of a day in the viewer's time zone."""
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())
