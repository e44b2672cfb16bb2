"""Rows for the records layer, written by hand or taken from a package's real bars."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.datamanager import calendars

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_DAY = "24/7"
DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def listing(
    adbc: "Connection",
    listing_id: int,
    *,
    symbol: str,
    calendar: str = EVERY_DAY,
    adjustment: str = "split",
    venue: str = "v",
) -> None:
    """One listing at a venue."""
    row = {"listing_id": listing_id, "venue": venue, "symbol": symbol, "currency": "USD", "tick_size": "0.01"}
    row |= {"lot_size": "1", "adjustment": adjustment, "calendar": calendar}
    load_rows(adbc, "records.listings", [row], ["listing_id"])


def candles(adbc: "Connection", listing_id: int, closes: dict[date, float], *, volume: float = 1000.0) -> None:
    """Daily bars of UTC days: open = close, high and low 1 % around it, known at the next midnight."""
    shared = {"listing_id": listing_id, "interval": "1d", "volume": volume, "knowledge_basis": "stated", "fetch_id": 1}
    rows = [
        {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "open_time": midnight(day)}
        | {"close_time": midnight(day) + DAY, "knowledge_time": midnight(day) + DAY}
        | shared
        for day, close in closes.items()
    ]
    load_rows(adbc, "records.candles", rows, ["listing_id", "interval", "open_time"])


def bars(adbc: "Connection", listing_id: int, interval: str, spans: Sequence[tuple[datetime, datetime]]) -> None:
    """Bars of the given [open, close) at a price of 10, known at their close."""
    shared = {"listing_id": listing_id, "interval": interval, "volume": 1.0, "knowledge_basis": "stated", "fetch_id": 1}
    prices = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}
    rows = [{"open_time": a, "close_time": b, "knowledge_time": b} | prices | shared for a, b in spans]
    load_rows(adbc, "records.candles", rows, ["listing_id", "interval", "open_time"])


def sessions(adbc: "Connection", calendar: str, year: int) -> dict[date, tuple[datetime, datetime]]:
    """Put the sessions of a year into the database; returns [open, close) by date."""
    known = calendars.sessions(calendar, year, year)
    opens, closes = (
        [datetime.fromtimestamp(time / 1e6, UTC) for time in times.tolist()] for times in (known.opens, known.closes)
    )
    dates = known.dates.tolist()
    frame = pd.DataFrame({"session_date": dates, "open_time": opens, "close_time": closes})
    for name, times in (("break_start", known.break_starts), ("break_end", known.break_ends)):
        breaks = zip(times.tolist(), known.break_starts < known.break_ends, strict=True)
        frame[name] = [datetime.fromtimestamp(time / 1e6, UTC) if has_one else None for time, has_one in breaks]
    frame = frame.assign(calendar=calendar, is_half_day=known.half_days)
    load_rows(adbc, "records.sessions", frame, ["calendar", "session_date"])
    return dict(zip(dates, zip(opens, closes, strict=True), strict=True))


def dividend(adbc: "Connection", listing_id: int, *, ex_date: date, amount: float) -> None:
    """A dividend, known at the midnight its ex-date starts."""
    row = {
        "listing_id": listing_id, "ex_date": ex_date, "action": "dividend", "amount": amount, "currency": "USD",
        "knowledge_time": midnight(ex_date), "knowledge_basis": "assumed", "fetch_id": 1,
    }  # fmt: skip
    load_rows(adbc, "records.corporate_actions", [row], ["listing_id", "ex_date", "action"])


def rates(adbc: "Connection", values: dict[date, float], *, known_after: timedelta = timedelta(hours=15)) -> None:
    """ECB:USD observations, known `known_after` the midnight of their day."""
    rows = [
        {
            "series": "ECB:USD", "event_time": midnight(day), "value": value, "unit": "USD per EUR",
            "knowledge_time": midnight(day) + known_after, "knowledge_basis": "assumed", "fetch_id": 1,
        }
        for day, value in values.items()
    ]  # fmt: skip
    load_rows(adbc, "records.observations", rows, ["series", "event_time"])


def real_stocks(adbc: "Connection") -> int:
    """The daily bars of five stocks that the sandbox bundles (2000-2013), in New York's sessions; returns how many."""
    import exchange_calendars
    from bokeh_sampledata import stocks

    schedule = exchange_calendars.get_calendar("XNYS", start="2000-01-03", end="2013-12-31").schedule[["open", "close"]]
    sessions = schedule.set_axis(["open_time", "close_time"], axis=1)
    sessions["is_half_day"] = (sessions.close_time - sessions.open_time) < pd.Timedelta(hours=6)
    frame = sessions.rename_axis("session_date").reset_index().assign(calendar="XNYS")
    frame["session_date"] = frame["session_date"].dt.date
    load_rows(adbc, "records.sessions", frame, ["calendar", "session_date"])
    total = 0
    for number, symbol in enumerate(["AAPL", "FB", "GOOG", "IBM", "MSFT"], start=1):
        listing(adbc, number, symbol=symbol, calendar="XNYS")
        bars = pd.DataFrame(getattr(stocks, symbol))
        bars.index = pd.DatetimeIndex(pd.to_datetime(bars["date"]))
        total += _real_bars(adbc, number, bars.join(sessions, how="inner"))
    return total


def another_venue(
    adbc: "Connection", listing_id: int, *, symbol: str, venue: str, factors: Mapping[date, float] | None = None
) -> None:
    """A second venue that quotes a real stock: the same bars, to the cent, wrong by `factors`."""
    listing(adbc, listing_id + 100, symbol=symbol, calendar="XNYS", venue=venue)
    columns = "open_time, close_time, open, high, low, close, volume, knowledge_time, knowledge_basis"
    with adbc.cursor() as cursor:
        cursor.execute(f'SELECT {columns}, "interval" FROM records.candles WHERE listing_id = {listing_id}')
        frame = cursor.fetch_arrow_table().to_pandas()
    wrong = frame["open_time"].dt.date.map(factors or {}).fillna(1.0).astype(float)
    prices = frame[["open", "high", "low", "close"]].round(2).mul(wrong, axis=0)
    frame = frame.assign(**{name: prices[name] for name in prices}, listing_id=listing_id + 100, fetch_id=9)
    load_rows(adbc, "records.candles", frame, ["listing_id", "interval", "open_time"])


def _real_bars(adbc: "Connection", number: int, bars: pd.DataFrame) -> int:
    low = np.minimum(bars["low"], bars[["open", "close"]].min(axis=1))
    high = np.maximum(bars["high"], bars[["open", "close"]].max(axis=1))
    rows = bars[["open_time", "close_time", "open", "close"]].assign(low=low, high=high, interval="1d")
    rows = rows.assign(volume=bars["volume"].astype(float), knowledge_time=rows["close_time"])
    rows = rows.assign(listing_id=number, knowledge_basis="assumed", fetch_id=7)
    load_rows(adbc, "records.candles", rows.reset_index(drop=True), ["listing_id", "interval", "open_time"])
    quarters = bars.index[60::63]
    for day in quarters:
        dividend(adbc, number, ex_date=day.date(), amount=float(bars.loc[day, "close"]) * 0.005)
    return len(rows)


def days(first: date, count: int) -> list[date]:
    """`count` days from `first` on."""
    return [first + timedelta(days=number) for number in range(count)]


def load_rows(
    adbc: "Connection", table: str, rows: Sequence[dict[str, Any]] | pd.DataFrame, key: Sequence[str]
) -> None:
    """Put rows into a table, and commit."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    with adbc.cursor() as cursor:
        load(cursor, table, pa.Table.from_pandas(frame, preserve_index=False), key=key, now=NOW)
    adbc.commit()
