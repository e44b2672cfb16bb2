"""Yahoo's chart API over real daily bars: `query1.finance.yahoo.com/v8/finance/chart/<symbol>`.

As Yahoo does, prices and volumes come adjusted for the splits known so far, and `adjclose` for splits and dividends:
the package's own total-return series, brought to the close of the newest bar served. With the clock held before a
split the answer is the one of that day, so moving the clock over it restates the past, as Yahoo would.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sandbox.stocks import SYMBOLS, RawBar, raw_bars
from sandbox.world import MICROSECOND, Reply, World, json_reply, microseconds, strong_etag

HOSTS = ("query1.finance.yahoo.com", "query2.finance.yahoo.com")
PREFIX = "v8/finance/chart/"
SESSION = 6 * 3_600 + 1_800  # seconds from 9:30 to 16:00


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the chart API."""
    symbol = path.removeprefix(PREFIX)
    if not path.startswith(PREFIX) or symbol not in SYMBOLS:
        return _refused(404, "Not Found", "No data found, symbol may be delisted")
    if query.get("interval", "1d") != "1d":
        description = f"Invalid input - interval={query['interval']} is not supported. Valid intervals: [1d]"
        return _refused(422, "Unprocessable Entity", description)
    now = microseconds(world.now()) // MICROSECOND
    bars = [bar for bar in raw_bars(symbol) if bar.known_at <= now]
    try:
        start, end = int(query.get("period1", 0)), int(query.get("period2", now))
    except ValueError:
        return _refused(400, "Bad Request", "Invalid input - period1 and period2 are whole seconds since the epoch")
    if start >= end:
        return _refused(400, "Bad Request", "Invalid input - start date cannot be after end date.")
    if not bars or end <= bars[0].opens_at:
        return _refused(400, "Bad Request", f"Data doesn't exist for startDate = {start}, endDate = {end}")
    reply = json_reply({"chart": {"result": [chart(symbol, bars, start, end, query.get("events", ""))], "error": None}})
    return Reply(
        reply.body, reply.content_type, headers={"ETag": strong_etag(reply.body), "Cache-Control": "public, max-age=10"}
    )


def _refused(status: int, code: str, description: str) -> Reply:
    return json_reply({"chart": {"result": None, "error": {"code": code, "description": description}}}, status=status)


def chart(symbol: str, bars: list[RawBar], start: int, end: int, events: str) -> dict[str, Any]:
    """Yahoo's `chart.result[0]` of the bars whose session opens in [start, end), seconds since the epoch.

    Args:
        bars: every bar known by now, oldest first: later ones must not show in the adjustment.
        events: as in the query; dividends and splits are given where it holds `div` and `split`.
    """
    ratios = splits_ahead(bars)
    chosen = [i for i, bar in enumerate(bars) if start <= bar.opens_at < end]
    result: dict[str, Any] = {"meta": _meta(symbol, bars, previous=_close_before(bars, ratios, start))}
    if not chosen:
        return result | {"indicators": {"quote": [{}], "adjclose": [{}]}}
    result["timestamp"] = [bars[i].opens_at for i in chosen]
    if found := _events([(bars[i], ratios[i]) for i in chosen], events):
        result["events"] = found
    quote = {name: [getattr(bars[i], name) / ratios[i] for i in chosen] for name in ("open", "high", "low", "close")}
    quote["volume"] = [bars[i].volume * ratios[i] for i in chosen]
    scale = bars[-1].close / bars[-1].total_return_close
    result["indicators"] = {
        "quote": [quote],
        "adjclose": [{"adjclose": [bars[i].total_return_close * scale for i in chosen]}],
    }
    return result


def splits_ahead(bars: list[RawBar]) -> list[int]:
    """For each bar, how many of today's shares one share of its day has become: the product of later splits."""
    ratios = [1] * len(bars)
    for i, (_, later) in reversed(list(enumerate(pairwise(bars)))):
        ratios[i] = ratios[i + 1] * later.split
    return ratios


def _events(chosen: list[tuple[RawBar, int]], wanted: str) -> dict[str, Any]:
    dividends = {
        str(bar.opens_at): {"amount": bar.dividend / ratio, "date": bar.opens_at}
        for bar, ratio in chosen
        if bar.dividend
    }
    splits = {
        str(bar.opens_at): {
            "date": bar.opens_at,
            "numerator": bar.split,
            "denominator": 1,
            "splitRatio": f"{bar.split}:1",
        }
        for bar, _ in chosen
        if bar.split != 1
    }
    found = {"dividends": dividends if "div" in wanted else {}, "splits": splits if "split" in wanted else {}}
    return {name: entries for name, entries in found.items() if entries}


def _close_before(bars: list[RawBar], ratios: list[int], start: int) -> float | None:
    earlier = [bar.close / ratio for bar, ratio in zip(bars, ratios, strict=True) if bar.opens_at < start]
    return earlier[-1] if earlier else None


def _meta(symbol: str, bars: list[RawBar], *, previous: float | None) -> dict[str, Any]:
    name, exchange, exchange_name = SYMBOLS[symbol]
    last = bars[-1]
    offset = _offset(last)
    period = {"timezone": _zone(offset), "start": last.opens_at, "end": last.opens_at + SESSION, "gmtoffset": offset}
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": exchange,
        "fullExchangeName": exchange_name,
        "instrumentType": "EQUITY",
        "firstTradeDate": bars[0].opens_at,
        "regularMarketTime": last.known_at,
        "hasPrePostMarketData": False,
        "gmtoffset": offset,
        "timezone": _zone(offset),
        "exchangeTimezoneName": "America/New_York",
        "regularMarketPrice": last.close,
        "regularMarketDayHigh": last.high,
        "regularMarketDayLow": last.low,
        "regularMarketVolume": last.volume,
        "longName": name,
        "shortName": name,
        "chartPreviousClose": previous,
        "priceHint": 2,
        "currentTradingPeriod": {"regular": period},
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["max"],
    }
    return {key: value for key, value in meta.items() if value is not None}


def _offset(bar: RawBar) -> int:
    # A session opens at 9:30 in New York: what is 9:30 there in UTC tells the offset.
    midnight_utc = bar.opens_at // 86_400 * 86_400
    return 9 * 3_600 + 1_800 - (bar.opens_at - midnight_utc)


def _zone(offset: int) -> str:
    return "EDT" if offset == -14_400 else "EST"
