"""Synthetic trades of shares: those of the synthetic market that lie in a session of New York, in whole shares.

Sessions, holidays and half days are those of `exchange_calendars`. A session lies within one UTC day.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.candles import Bar, day_of_trades
from sandbox.market import DAY, MINUTE, TRADES_PER_DAY, TRADES_PER_MINUTE, DayOfTrades, Integers, Pair
from sandbox.tape import Trade
from sandbox.world import microseconds

LARGEST = 400  # shares of a trade
FIRST_YEAR = 2016


@lru_cache(maxsize=4_096)
def session_minutes(day: int) -> tuple[int, int] | None:
    """The first minute of a UTC day (days since the epoch) in New York's session and the one behind it; None without.

    The calendar reaches from 2016 to a year from now.
    """
    calendar = _calendar(datetime.now(UTC).year + 1)
    label = f"{date(1970, 1, 1) + timedelta(days=day)}"
    if not (str(calendar.first_session)[:10] <= label <= str(calendar.last_session)[:10]):
        return None
    if not calendar.is_session(label):
        return None
    opens, closes = (microseconds(calendar.session_open_close(label)[n].to_pydatetime()) for n in (0, 1))
    return (opens - day * DAY) // MINUTE, (closes - day * DAY) // MINUTE


@lru_cache(maxsize=2)
def _calendar(last_year: int) -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar("XNYS", start=f"{FIRST_YEAR}-01-01", end=f"{last_year}-12-31")


def share_trades(seed: int, pair: Pair, *, since: int, until: int, count: int) -> list[Trade]:
    """Up to `count` trades with since <= time <= until, in microseconds since the epoch, oldest first."""
    found: list[Trade] = []
    for day in range(max(since, 0) // DAY, until // DAY + 1):
        session = session_minutes(day)
        if session is not None and len(found) < count:
            found += _trades_of_session(seed, pair, day, session, since=since, until=until)
    return found[:count]


def share_bars(seed: int, pair: Pair, *, minutes: int, since: int, until: int, count: int) -> list[Bar]:
    """Up to `count` bars that open from `since` on and have closed by `until`, oldest first; a session is one of 1,440.

    Args:
        minutes: how long a bar is: a divisor of half an hour, or 1,440.
    """
    found: list[Bar] = []
    for day in range(max(since, 0) // DAY, until // DAY + 1):
        session = session_minutes(day)
        if session is not None and len(found) < count:
            bars = _bars_of_session(day_of_trades(seed, pair.symbol, day), session, minutes)
            ends = [bar.start + (minutes if minutes < 1_440 else session[1] - session[0]) * MINUTE for bar in bars]
            found += [bar for bar, end in zip(bars, ends, strict=True) if since <= bar.start and end <= until]
    return found[:count]


def trades_in(bar_minutes: int, day: int) -> int:
    """How many trades a bar of a day has."""
    first, last = session_minutes(day) or (0, 0)
    return min(bar_minutes, last - first) * TRADES_PER_MINUTE


def _whole_shares(sizes: Integers) -> Integers:
    return 1 + sizes % LARGEST


def _trades_of_session(
    seed: int, pair: Pair, day: int, session: tuple[int, int], *, since: int, until: int
) -> list[Trade]:
    trades, between = day_of_trades(seed, pair.symbol, day), slice(*session)
    columns: tuple[NDArray[np.generic], ...] = (
        trades.times()[:, between],
        trades.prices[:, between],
        _whole_shares(trades.sizes[:, between]),
        trades.buys()[:, between],
    )
    rows = zip(*(column.T.ravel().tolist() for column in columns), strict=True)  # minute-major: in the order of time
    first = day * TRADES_PER_DAY + session[0] * TRADES_PER_MINUTE
    return [
        Trade(number=first + i, sequence=first + i, time=time, price=price, size=size, buy=buy)
        for i, (time, price, size, buy) in enumerate(rows)
        if since <= time <= until
    ]


def _bars_of_session(trades: DayOfTrades, session: tuple[int, int], minutes: int) -> list[Bar]:
    width = min(minutes, session[1] - session[0])
    prices, sizes = (
        column[:, slice(*session)].T.reshape(-1, width * TRADES_PER_MINUTE)
        for column in (trades.prices, _whole_shares(trades.sizes))
    )
    starts = trades.start + (session[0] + width * np.arange(len(prices))) * MINUTE
    columns = (starts, prices[:, 0], prices.max(1), prices.min(1), prices[:, -1], sizes.sum(1), (prices * sizes).sum(1))
    return [Bar(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
