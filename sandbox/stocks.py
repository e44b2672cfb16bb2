"""The real daily bars of AAPL, FB, GOOG, IBM and MSFT of `bokeh_sampledata`, and the actions hidden in them.

The package (a frozen extract of Quandl WIKI) holds raw, unadjusted prices, with `adj_close` adjusted backwards from
2018. On an ex-date that series steps by exactly `ratio x (1 + dividend / close)`; on any other day the step is 1 to
within 1e-12. So actions are read off the step, not guessed:

- a step of 1.5 or more is a split of the nearest whole ratio: AAPL 2:1 on 2000-06-21 and 2005-02-28, MSFT 2:1 on
  2003-02-18 (all three are on record; the remainder of the step is 1 to 1e-12, so no dividend fell on these days);
- any other step beyond 1e-9 is a dividend of `(step - 1) x close`: 92 of them, each within 1e-10 of a whole cent.

The extract gives the volume of a split's own day in old shares (AAPL: half of the consolidated volume on both days,
MSFT likewise), while its price is in new ones: that volume is doubled here. The class split of GOOG in 2014 and the
7:1 split of AAPL in 2014 lie after the last bar, 2013-03-01: this world does not know them.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = {
    "AAPL": ("Apple Inc.", "NMS", "NasdaqGS"),
    "FB": ("Facebook, Inc.", "NMS", "NasdaqGS"),
    "GOOG": ("Google Inc.", "NMS", "NasdaqGS"),
    "IBM": ("International Business Machines Corporation", "NYQ", "NYSE"),
    "MSFT": ("Microsoft Corporation", "NMS", "NasdaqGS"),
}


@dataclass(frozen=True)
class RawBar:
    """One session: raw prices in dollars, volume in shares of its day, and what happened before its open."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: int
    total_return_close: float  # the package's adj_close: only its ratios mean anything
    split: int  # new shares for one old, 1 on most days
    dividend: float  # dollars a share, 0 on most days
    opens_at: int  # 9:30 in New York, seconds since the epoch
    known_at: int  # 16:00 in New York, seconds since the epoch: from then on the bar is served


def _new_york(day: date, hour: int, minute: int) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).timestamp())


@cache
def raw_bars(symbol: str) -> tuple[RawBar, ...]:
    """All bars of one of `SYMBOLS`, oldest first."""
    from bokeh_sampledata import stocks

    data = getattr(stocks, symbol)
    names = ("date", "open", "high", "low", "close", "volume", "adj_close")
    bars: list[RawBar] = []
    for session, opened, high, low, close, volume, adjusted in zip(*(data[name] for name in names), strict=True):
        step = 1.0 if not bars else (adjusted / close) / (bars[-1].total_return_close / bars[-1].close)
        split, dividend = action_of(step, close)
        day = date.fromisoformat(session)
        stamps = _new_york(day, 9, 30), _new_york(day, 16, 0)
        bars.append(RawBar(day, opened, high, low, close, volume * split, adjusted, split, dividend, *stamps))
    return tuple(bars)


def action_of(step: float, close: float) -> tuple[int, float]:
    """The split ratio and the dividend (whole cents) behind one step of adj_close / close."""
    split = round(step) if step >= 1.5 else 1
    remainder = step / split - 1
    return split, round(remainder * close, 2) if abs(remainder) > 1e-9 else 0.0
