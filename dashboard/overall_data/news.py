"""News: articles as they were known at an instant, and one of them with its versions and duplicates."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.text_diff import diff_versions
from dashboard.gateway import news as gateway
from dashboard.gateway.bodies import read_fetch
from dashboard.gateway.reading import snapshot
from dashboard.overall_data.clock import SPANS, read_clock, read_place, read_since, read_text

SHOWN_ARTICLES, SHOWN_VERSIONS = 50, 50


@require_safe
def news(request: HttpRequest) -> HttpResponse:
    """Articles, newest first; filters, as-of time and place stand in the address."""
    clock, before = read_clock(request), read_place(request)
    wanted = {name: read_text(request, name) for name in ("symbol", "source", "words")}
    with snapshot():
        has_news = installation_of(request).has_news
        listing_ids = gateway.find_listings(wanted["symbol"]) if wanted["symbol"] else None
        rows = gateway.read_articles(
            gateway.ArticleFilter(wanted["source"], wanted["words"], read_since(request, clock.as_of), listing_ids),
            as_of=clock.as_of,
            before=before,
            most=SHOWN_ARTICLES + 1,
            has_news=has_news,
        )
        sources = gateway.read_article_sources()
    context = {
        "clock": clock,
        "wanted": wanted | {"days": request.GET.get("days", "")},
        "spans": SPANS,
        "sources": sources,
        "rows": rows[:SHOWN_ARTICLES],
        "older": rows[SHOWN_ARTICLES - 1].place if len(rows) > SHOWN_ARTICLES else None,
        "before": before,
        "has_news": has_news,
        "empty": _why_empty(wanted["symbol"], listing_ids, is_any=bool(sources), has_news=has_news),
    }
    return render(request, "overall_data/news.html", context, status=clock.status)


def _why_empty(symbol: str, listing_ids: list[int] | None, *, is_any: bool, has_news: bool) -> str:
    """What a list without articles says: why, and what to do."""
    if not is_any:
        return str(_("No article yet: they come with a run, from the sources of Sources.json that are in use."))
    if symbol and not listing_ids:
        return str(_("No market has this symbol; expected one as on the page Markets, such as BTC_USDT."))
    if symbol and not has_news:
        return str(_("Which markets the articles mention is not worked out yet: it comes with a run."))
    return str(_("No article fits these filters, or none was known then."))


@require_safe
def article(request: HttpRequest) -> HttpResponse:
    """One article in the version that was known, with those before."""
    clock = read_clock(request)
    source, article_id = read_text(request, "source"), read_text(request, "article")
    with snapshot():
        versions = gateway.read_article_versions(
            source,
            article_id,
            as_of=clock.as_of,
            most=SHOWN_VERSIONS,
            has_news=installation_of(request).has_news,
        )
        if not versions:
            raise Http404
        newest = versions[0]
        duplicates = gateway.read_duplicates(newest, as_of=clock.as_of) if newest.duplicates else []
        fetch = read_fetch(newest.fetch_id)
    context = {
        "clock": clock,
        "article": newest,
        # A feed may give any scheme, `javascript:` among them.
        "is_link": (newest.url or "").startswith(("https://", "http://")),
        "versions": list(
            zip(versions, diff_versions([f"{v.title}\n{v.summary or ''}" for v in versions]), strict=True)
        ),
        "duplicates": duplicates,
        "fetch": fetch,
    }
    return render(request, "overall_data/article.html", context, status=clock.status)
