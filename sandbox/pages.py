"""A web page that quotes the stocks' daily bars, a month a page, with mistakes planted in it: a second source to check.

`pages.sandbox.example/quotes/<symbol>?month=YYYY-MM` has the bars of Yahoo's answer (`sandbox.yahoo`), prices with
four decimals. `planted(symbol, session)` is the factor by which a whole bar is wrong, a function of both alone:

- 1.01 (a mistake of 1 %) where the hash of both falls on one of 61;
- 100 (cents taken for dollars) where it falls on one of 151, and on each January's and July's first session, where a
  page has no bar before it by which its reader could see that.

`planted_errors(symbol)` lists them all. robots.txt asks that `/private/` be left alone.
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from html import escape

from sandbox.draws import draw
from sandbox.stocks import SYMBOLS, RawBar, raw_bars
from sandbox.world import MICROSECOND, Reply, World, microseconds, strong_etag
from sandbox.yahoo import splits_ahead

HOST = "pages.sandbox.example"
ROBOTS = b"User-agent: *\nDisallow: /private/\nAllow: /quotes/\n"
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{name}, {month}</title></head><body>
<h1>{name} ({symbol}), {month}</h1>
<p>A page of the Strades sandbox: real daily bars, with mistakes planted on purpose.</p>
<table id="quotes" data-symbol="{symbol}">
<tr><th>Date</th><th>Open</th><th>High</th><th>Low</th><th>Close</th><th>Volume</th></tr>
{rows}</table>
</body></html>
"""


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): robots.txt, or a month's bars known by now."""
    if path == "robots.txt":
        return Reply(ROBOTS, "text/plain")
    symbol = path.removeprefix("quotes/")
    try:
        month = datetime.strptime(query.get("month", ""), "%Y-%m").date()
    except ValueError:
        return Reply(b"<html><body>month: expected YYYY-MM</body></html>\n", "text/html", 400)
    if path != f"quotes/{symbol}" or symbol not in SYMBOLS:
        return Reply(b"<html><body>no such page</body></html>\n", "text/html", 404)
    body = page(symbol, month, microseconds(world.now()) // MICROSECOND).encode()
    return Reply(body, "text/html; charset=utf-8", headers={"ETag": strong_etag(body)})


def page(symbol: str, month: date, now: int) -> str:
    """The page of a month's bars that are known at `now`, seconds since the epoch."""
    bars = [bar for bar in raw_bars(symbol) if bar.known_at <= now]
    rows = [
        _row(symbol, bar, ratio)
        for bar, ratio in zip(bars, splits_ahead(bars), strict=True)
        if (bar.session.year, bar.session.month) == (month.year, month.month)
    ]
    return _PAGE.format(name=escape(SYMBOLS[symbol][0]), symbol=symbol, month=f"{month:%Y-%m}", rows="".join(rows))


def _row(symbol: str, bar: RawBar, ratio: int) -> str:
    factor = planted(symbol, bar.session)
    prices = [f"${price / ratio * factor:,.4f}" for price in (bar.open, bar.high, bar.low, bar.close)]
    cells = [str(bar.session), *prices, f"{bar.volume * ratio:,}"]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def planted(symbol: str, session: date) -> float:
    """The factor by which the page is wrong about a bar: 1, 1.01 or 100."""
    number = draw(0, "planted", symbol, session)
    first = session in _firsts(symbol) and session.month in (1, 7)
    return 100.0 if first or number % 151 == 0 else 1.01 if number % 61 == 0 else 1.0


@cache
def _firsts(symbol: str) -> frozenset[date]:
    """The first session of each month."""
    firsts: dict[tuple[int, int], date] = {}
    for bar in raw_bars(symbol):
        firsts.setdefault((bar.session.year, bar.session.month), bar.session)
    return frozenset(firsts.values())


def planted_errors(symbol: str) -> dict[date, float]:
    """Every session about whose bar the page is wrong, and by which factor."""
    factors = {bar.session: planted(symbol, bar.session) for bar in raw_bars(symbol)}
    return {session: factor for session, factor in factors.items() if factor != 1.0}
