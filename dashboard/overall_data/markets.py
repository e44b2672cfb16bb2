"""Markets: all listings, and one of them with its bars and what happened at them, as known at an instant."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.svg import Candle, Marker, candle_chart
from dashboard.gateway import markets as gateway
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.overall_data.clock import read_clock

SHOWN_BARS, MOST_BARS, SHOWN_ROWS = 120, 1000, 20
# A table of 1,000 rows took four times as long as their chart (0.86 s of the processor, 2026-11-30).
TABLE_ROWS = 200
# How far back from the newest bar that was known; never more than MOST_BARS.
RANGES = {
    "1m": (gettext_lazy("1 month"), timedelta(days=31)),
    "3m": (gettext_lazy("3 months"), timedelta(days=92)),
    "1y": (gettext_lazy("1 year"), timedelta(days=366)),
    "all": (gettext_lazy("all"), None),
}
SHOWN_LISTINGS = 100
SHOWN_MARKS, SHOWN_NEWS = 20, 12  # as rows; the chart has all of them
LARGEST_ID = 2**31 - 1


@require_safe
def markets(request: HttpRequest) -> HttpResponse:
    """The listings by venue and symbol; `before` in the address is the id of the last one that stands before these.

    Raises:
        Http404: it is no id.
    """
    text = request.GET.get("before", "")
    before = parse_whole(text, LARGEST_ID)
    if text and before is None:
        raise Http404
    with snapshot():
        has_gaps = installation_of(request).has_gaps
        rows = gateway.read_markets(has_gaps=has_gaps, after=before, most=SHOWN_LISTINGS + 1)
    is_last = len(rows) <= SHOWN_LISTINGS
    rows = rows[:SHOWN_LISTINGS]
    context = {"rows": rows, "before": before, "older": None if is_last else rows[-1].listing_id}
    return render(request, "overall_data/markets.html", context)


@require_safe
def market(request: HttpRequest, listing_id: int) -> HttpResponse:
    """One listing; interval, range, as-of time and form stand in the address, so a link shows the same again."""
    clock = read_clock(request)
    reach, is_table = request.GET.get("range", ""), request.GET.get("view") == "table"
    with snapshot():
        installation = installation_of(request)
        listing = gateway.read_market(listing_id, has_gaps=installation.has_gaps) if listing_id <= LARGEST_ID else None
        if listing is None:
            raise Http404
        intervals = gateway.read_intervals(listing_id)
        asked = request.GET.get("interval", "")
        interval = asked if asked in intervals else next(iter(intervals), "")
        most, back = (MOST_BARS, RANGES[reach][1]) if reach in RANGES else (SHOWN_BARS, None)
        bars = gateway.read_bars(listing_id, interval, as_of=clock.as_of, most=most, span=back) if interval else []
        span = (bars[0].open_time, min(clock.as_of, bars[-1].close_time)) if bars else (clock.as_of, clock.as_of)
        marks = gateway.read_marks(listing_id, *span)
        news = gateway.read_news(listing_id, *span) if installation.has_news else []
        gaps = gateway.read_gaps(listing_id) if installation.has_gaps else []
    context = {
        "clock": clock,
        "listing": listing,
        "name": f"{listing.venue}:{listing.symbol}",
        "intervals": intervals,
        "interval": interval,
        "ranges": {name: words for name, (words, _span) in RANGES.items()},
        "range": reach if reach in RANGES else "",
        "default_bars": SHOWN_BARS,
        "is_cut": len(bars) == MOST_BARS,
        "is_table": is_table,
        "chart": "" if is_table else _chart(listing, interval, bars, marks, news),
        "bar_count": len(bars),
        "change": bars[-1].close / bars[-2].close - 1 if len(bars) > 1 and bars[-2].close else None,
        "bars": bars[::-1][: TABLE_ROWS if is_table else SHOWN_ROWS],
        "table_rows": TABLE_ROWS,
        "marks": marks[:SHOWN_MARKS],
        "mark_count": len(marks),
        "news": news[:SHOWN_NEWS],
        "gaps": gaps,
    }
    return render(request, "overall_data/market.html", context, status=clock.status)


def _chart(
    listing: gateway.MarketRow,
    interval: str,
    bars: Sequence[gateway.Bar],
    marks: Sequence[gateway.Mark],
    news: Sequence[gateway.NewsItem],
) -> SafeString:
    """Candles with averages and volumes, fills, and news at the time when it became known."""
    markers = [Marker(item.known_at, "news", item.title) for item in news]
    markers += [
        Marker(mark.at, mark.side, f"{mark.who}: {mark.text}", float(mark.price) if mark.price else None)
        for mark in marks
        if mark.kind == "fill"
    ]
    candles = [Candle(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]
    indicators: Mapping[str, Sequence[float | None]] = {
        "average-20": [bar.average_20 for bar in bars],
        "average-50": [bar.average_50 for bar in bars],
    }
    title = _("Bars of %(name)s, %(interval)s, in %(currency)s") % {
        "name": f"{listing.venue}:{listing.symbol}",
        "interval": interval,
        "currency": listing.currency,
    }
    return candle_chart(candles, markers, currency=listing.currency, title=title, indicators=indicators)
