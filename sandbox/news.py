"""Synthetic news of the sandbox's markets: `news.sandbox.example/{markets.rss,markets.atom,archive.atom}`.

An article a session and stock that moved, one a day and coin, told from the very bars that the other hosts serve: a
function of the seed and the time. Every text says that it is synthetic. The feeds hold the newest 50 articles, the
archive those of `?month=YYYY-MM`; none is there before it was published.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cache, lru_cache
from html import escape
from itertools import pairwise

from sandbox.candles import whole_day
from sandbox.draws import draw
from sandbox.market import PAIRS
from sandbox.stocks import SYMBOLS, raw_bars
from sandbox.world import Reply, World, http_date, strong_etag

HOST = "news.sandbox.example"
NEWEST = 50
MOST_DAYS_BACK = 400
COINS = {"BTC_USDT": "Bitcoin", "ETH_USDT": "Ether"}
FIRST_COIN_DAY = date(2015, 8, 9)
EPOCH_DAY = date(1970, 1, 1)
MOVED = 0.01  # a stock that closes this far from the day before is always news
NOTE = "Synthetic news of the Strades sandbox, written by a program."


@dataclass(frozen=True)
class Article:
    """One article; `about` is the symbol it is about."""

    published: datetime
    about: str
    title: str
    summary: str

    @property
    def identity(self) -> str:
        """Its id: what it is about and when."""
        return f"tag:{HOST},{self.published:%Y-%m-%d}:{self.about}"

    @property
    def url(self) -> str:
        """Where it would be read."""
        return f"https://{HOST}/articles/{self.published:%Y-%m-%d}/{self.about.lower()}"


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) with what is published by now."""
    now = world.now()
    if path in ("markets.rss", "markets.atom"):
        articles = newest(world.seed, now)
    elif path == "archive.atom":
        try:
            month = datetime.strptime(query.get("month", ""), "%Y-%m").date()
        except ValueError:
            return Reply(b"month: expected YYYY-MM\n", "text/plain", 400)
        articles = [article for article in of_month(world.seed, month) if article.published <= now][::-1]
    else:
        return Reply(b"no such feed\n", "text/plain", 404)
    body = (rss if path == "markets.rss" else atom)(articles).encode()
    kind = "application/rss+xml" if path == "markets.rss" else "application/atom+xml"
    said = {"Last-Modified": http_date(articles[0].published)} if articles else {}
    return Reply(body, kind, headers={"ETag": strong_etag(body), **said})


def newest(seed: int, now: datetime) -> list[Article]:
    """The newest articles, newest first."""
    found: list[Article] = []
    day = now.date()
    while len(found) < NEWEST and (now.date() - day).days < MOST_DAYS_BACK:
        found += [article for article in of_day(seed, day)[::-1] if article.published <= now]
        day -= timedelta(days=1)
    return found[:NEWEST]


def of_month(seed: int, month: date) -> Iterator[Article]:
    """The articles of a month, oldest first."""
    day = month
    while day.month == month.month:
        yield from of_day(seed, day)
        day += timedelta(days=1)


@lru_cache(maxsize=2_048)
def of_day(seed: int, day: date) -> tuple[Article, ...]:
    """The articles published on a day (UTC), oldest first."""
    return tuple(sorted([*_of_stocks(seed, day), *_of_coins(seed, day)], key=lambda article: article.published))


def _of_stocks(seed: int, day: date) -> Iterator[Article]:
    for symbol, (name, _, exchange) in SYMBOLS.items():
        if day not in _closes(symbol):
            continue
        close, move, known_at = _closes(symbol)[day]
        if abs(move) < MOVED and draw(seed, "news", symbol, day) % 3:
            continue
        later = 300 + draw(seed, "minute", symbol, day) % 5_400
        title = f"{name} {_verb(move)} {abs(move):.1%} to {close:.2f} dollars"
        yield Article(
            datetime.fromtimestamp(known_at + later, UTC),
            symbol,
            title,
            f"{NOTE} {name} ({symbol}) closed at {close:.2f} dollars at {exchange}, {move:+.2%} on the day.",
        )


@cache
def _closes(symbol: str) -> dict[date, tuple[float, float, int]]:
    """Of each session but the first: the close, its total return over the day, and when both were known."""
    bars = raw_bars(symbol)
    return {
        bar.session: (bar.close, bar.total_return_close / before.total_return_close - 1, bar.known_at)
        for before, bar in pairwise(bars)
    }


def _of_coins(seed: int, day: date) -> Iterator[Article]:
    if day < FIRST_COIN_DAY:
        return
    for symbol, name in COINS.items():
        number = (day - EPOCH_DAY).days - 1
        bar, digits = whole_day(seed, symbol, number), PAIRS[symbol].price_decimals
        move, close = bar.close / bar.open - 1, bar.close / 10**digits
        later = timedelta(seconds=120 + draw(seed, "minute", symbol, day) % 3_600)
        yield Article(
            datetime(day.year, day.month, day.day, tzinfo=UTC) + later,
            symbol,
            f"{name} {_verb(move)} {abs(move):.1%} in a day to {close:.{digits}f} tethers",
            f"{NOTE} {name} traded at {close:.{digits}f} at midnight UTC, {move:+.2%} in 24 hours.",
        )


def _verb(move: float) -> str:
    return "rises" if move > 0 else "falls" if move < 0 else "stays"


def rss(articles: list[Article]) -> str:
    """RSS 2.0, newest first as given."""
    items = [
        f"<item><title>{escape(article.title)}</title><link>{article.url}</link>"
        f'<guid isPermaLink="false">{article.identity}</guid>'
        f"<pubDate>{format_datetime(article.published, usegmt=True)}</pubDate>"
        f"<category>{article.about}</category><description>{escape(article.summary)}</description></item>\n"
        for article in articles
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>Synthetic market news</title>'
        f"<link>https://{HOST}/</link><description>{NOTE}</description><language>en</language>\n"
        f"{''.join(items)}</channel></rss>\n"
    )


def atom(articles: list[Article]) -> str:
    """Atom 1.0, newest first as given."""
    entries = [
        f"<entry><id>{article.identity}</id><title>{escape(article.title)}</title>"
        f'<link rel="alternate" href="{article.url}"/><published>{article.published.isoformat()}</published>'
        f"<updated>{article.published.isoformat()}</updated><author><name>Strades sandbox</name></author>"
        f'<category term="{article.about}"/><summary>{escape(article.summary)}</summary></entry>\n'
        for article in articles
    ]
    updated = f"<updated>{articles[0].published.isoformat()}</updated>" if articles else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">'
        f"<id>tag:{HOST},2026:markets</id><title>Synthetic market news</title><subtitle>{NOTE}</subtitle>{updated}\n"
        f"{''.join(entries)}</feed>\n"
    )
