"""Markets: all listings, and one of them with its bars and what happened at them, as known at an instant."""

from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.svg import Candle, Marker, candle_chart
from dashboard.gateway import markets as gateway
from dashboard.gateway.reading import snapshot
from strades_pipelines.settings import settings

SHOWN_BARS = 120
SHOWN_MARKS, SHOWN_NEWS = 20, 12  # as rows; the chart has all of them
LARGEST_ID = 2**31 - 1


@require_safe
def markets(request: HttpRequest) -> HttpResponse:
    """Every listing."""
    with snapshot():
        rows = gateway.read_markets(has_gaps=installation_of(request).has_gaps)
    return render(request, "overall_data/markets.html", {"rows": rows})


@require_safe
def market(request: HttpRequest, listing_id: int) -> HttpResponse:
    """One listing; `interval` and `as_of` stand in the address, so a link shows the same again."""
    now = settings().now()
    as_of, problem = parse_as_of(request.GET.get("as_of", ""), now=now)
    with snapshot():
        installation = installation_of(request)
        listing = gateway.read_market(listing_id, has_gaps=installation.has_gaps) if listing_id <= LARGEST_ID else None
        if listing is None:
            raise Http404
        intervals = gateway.read_intervals(listing_id)
        asked = request.GET.get("interval", "")
        interval = asked if asked in intervals else next(iter(intervals), "")
        bars = gateway.read_bars(listing_id, interval, as_of=as_of, most=SHOWN_BARS) if interval else []
        span = (bars[0].open_time, min(as_of, bars[-1].close_time)) if bars else (as_of, as_of)
        marks = gateway.read_marks(listing_id, *span)
        news = gateway.read_news(listing_id, *span) if installation.has_news else []
        gaps = gateway.read_gaps(listing_id) if installation.has_gaps else []
    markers = [Marker(item.known_at, "news", item.title) for item in news]
    fills = [mark for mark in marks if mark.kind == "fill"]
    markers += [
        Marker(fill.at, fill.side, f"{fill.who}: {fill.text}", float(fill.price) if fill.price else None)
        for fill in fills
    ]
    candles = [Candle(bar.open_time, bar.open, bar.high, bar.low, bar.close) for bar in bars]
    name = f"{listing.venue}:{listing.symbol}"
    title = _("Bars of %(name)s, %(interval)s, in %(currency)s") % {
        "name": name,
        "interval": interval,
        "currency": listing.currency,
    }
    context = {
        "listing": listing,
        "name": name,
        "intervals": intervals,
        "interval": interval,
        "as_of": as_of,
        "as_of_text": request.GET.get("as_of", ""),
        "problem": problem,
        "chart": candle_chart(candles, markers, currency=listing.currency, title=title),
        "bars": bars[::-1][:20],
        "marks": marks[:SHOWN_MARKS],
        "mark_count": len(marks),
        "news": news[:SHOWN_NEWS],
        "gaps": gaps,
    }
    return render(request, "overall_data/market.html", context, status=400 if problem else 200)


def parse_as_of(text: str, *, now: datetime) -> tuple[datetime, str | None]:
    """The instant (UTC) that `YYYY-MM-DDTHH:MM` names, and what is wrong with it: then the instant is `now`."""
    if not text:
        return now, None
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return now, _("As of: expected a time such as 2012-06-30T21:00 (UTC); shown as of now.")
    if found > now:
        return now, _("As of: that time is still to come; shown as of now.")
    return found, None
