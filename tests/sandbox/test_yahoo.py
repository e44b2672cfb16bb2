"""Yahoo's charts over the real bars: against the package's own rows, the calendar, and records of what was paid."""

import csv
import json
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bokeh_sampledata import stocks

from sandbox import yahoo
from sandbox.world import World
from tests.sandbox.conftest import Worlds

NEW_YORK = ZoneInfo("America/New_York")
ALL = {"period1": "0", "period2": "1500000000", "interval": "1d", "events": "div,splits"}
SPLITS = {"AAPL": ["2000-06-21", "2005-02-28"], "MSFT": ["2003-02-18"], "IBM": [], "GOOG": [], "FB": []}  # all 2:1


def ask(world: World, symbol: str, **query: str) -> Any:
    return json.loads(yahoo.answer(world, f"v8/finance/chart/{symbol}", {**ALL, **query}).body)["chart"]


def result(world: World, symbol: str, **query: str) -> Any:
    (found,) = ask(world, symbol, **query)["result"]
    return found


def day(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, NEW_YORK).date().isoformat()


@cache
def opens() -> dict[str, int]:
    """Session opens of the New York Stock Exchange by date, from the calendar package."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-03", end="2013-12-31")
    return {str(session.date()): int(opened.timestamp()) for session, opened in calendar.opens.items()}


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at("2026-11-01T00:00:30Z")


@pytest.mark.parametrize("symbol", sorted(SPLITS))
def test_the_bars_are_the_packages_adjusted_for_later_splits(world: World, symbol: str) -> None:
    raw, served = getattr(stocks, symbol), result(world, symbol)
    assert [day(stamp) for stamp in served["timestamp"]] == raw["date"]
    assert served["timestamp"] == [opens()[date] for date in raw["date"]]
    ratios = [2 ** sum(date < split for split in SPLITS[symbol]) for date in raw["date"]]
    (quote,) = served["indicators"]["quote"]
    for name in ("open", "high", "low", "close"):
        expected = [price / ratio for price, ratio in zip(raw[name], ratios, strict=True)]
        assert quote[name] == pytest.approx(expected, rel=1e-12)
    # The package counts the volume of a split's own day in old shares.
    doubled = [2 if date in SPLITS[symbol] else 1 for date in raw["date"]]
    assert quote["volume"] == [v * r * d for v, r, d in zip(raw["volume"], ratios, doubled, strict=True)]
    assert [day(int(stamp)) for stamp in served.get("events", {}).get("splits", {})] == SPLITS[symbol]


@pytest.mark.parametrize("symbol", sorted(SPLITS))
def test_adjclose_is_the_return_of_price_and_dividend_together(world: World, symbol: str) -> None:
    served = result(world, symbol)
    closes, adjusted = served["indicators"]["quote"][0]["close"], served["indicators"]["adjclose"][0]["adjclose"]
    paid = {int(stamp): each["amount"] for stamp, each in served.get("events", {}).get("dividends", {}).items()}
    assert adjusted[-1] == pytest.approx(closes[-1], rel=1e-12)
    steps = zip(pairwise(closes), pairwise(adjusted), served["timestamp"][1:], strict=True)
    for (before, close), (adjusted_before, adjusted_close), stamp in steps:
        assert adjusted_close / adjusted_before == pytest.approx((close + paid.get(stamp, 0.0)) / before, rel=1e-9)


def test_dividends_are_the_ones_on_record(world: World) -> None:
    def paid(symbol: str) -> dict[str, float]:
        events = result(world, symbol).get("events", {})
        return {day(int(stamp)): each["amount"] for stamp, each in events.get("dividends", {}).items()}

    assert paid("AAPL") == {"2012-08-09": 2.65, "2012-11-07": 2.65, "2013-02-07": 2.65}
    assert paid("MSFT")["2004-11-15"] == 3.08  # the special dividend of $3 with the quarter's 8 cents
    assert paid("MSFT")["2003-02-19"] == 0.08  # the first ever, the day after the split
    assert len(paid("IBM")) == 52  # every quarter since May 2000
    assert (paid("GOOG"), paid("FB")) == ({}, {})
    assert all(round(amount, 2) == amount for symbol in SPLITS for amount in paid(symbol).values())


def test_dividends_agree_with_an_independent_factor_file(world: World, shared_data: Path) -> None:
    path = shared_data / "ohlcv" / "equity" / "corporate_actions" / "ibm_factor.csv"
    rows = [row for row in csv.reader(path.open()) if row and row[0].isdigit()]
    amounts = {}
    for (date, factor, _, reference), (_, after, *_) in pairwise(rows):
        # A row's factor holds up to its date; the next one's is larger by the dividend that fell after it.
        if "20000301" <= date < "20130301":
            amounts[date] = float(reference) * (1 - float(factor) / float(after))
    served = result(world, "IBM")["events"]["dividends"].values()
    ours = [each["amount"] for each in served]
    theirs = [round(amount, 2) for _, amount in sorted(amounts.items())]
    assert [round(amount, 2) for amount in ours] == theirs


def test_a_window_is_half_open(world: World) -> None:
    stamps = result(world, "IBM")["timestamp"]
    part = result(world, "IBM", period1=str(stamps[10]), period2=str(stamps[20]))
    assert part["timestamp"] == stamps[10:20]
    whole = result(world, "IBM")
    assert part["indicators"]["quote"][0]["close"] == whole["indicators"]["quote"][0]["close"][10:20]
    assert part["meta"]["chartPreviousClose"] == whole["indicators"]["quote"][0]["close"][9]


def test_a_weekend_is_an_answer_without_bars(world: World) -> None:
    saturday = int(datetime(2012, 1, 7, tzinfo=UTC).timestamp())
    empty = result(world, "IBM", period1=str(saturday), period2=str(saturday + 86_400))
    assert "timestamp" not in empty
    assert empty["indicators"] == {"quote": [{}], "adjclose": [{}]}


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2005-02-25T20:59:59Z", "2005-02-24"),
        ("2005-02-25T21:00:00Z", "2005-02-25"),
        ("2030-01-01T00:00:00Z", "2013-03-01"),
    ],
)
def test_nothing_is_served_before_it_was_known(world_at: Worlds, now: str, last: str) -> None:
    served = result(world_at(now), "AAPL")
    assert day(served["timestamp"][-1]) == last
    assert day(served["meta"]["regularMarketTime"]) == last


def test_a_split_restates_the_past_when_it_happens_and_not_before(world_at: Worlds) -> None:
    before, after = result(world_at("2005-02-28T20:00:00Z"), "AAPL"), result(world_at("2005-02-28T22:00:00Z"), "AAPL")
    (old,), (new,) = before["indicators"]["quote"], after["indicators"]["quote"]
    assert old["close"][-1] == 88.99  # the raw close of 2005-02-25
    assert new["close"][-2] == 88.99 / 2
    assert new["volume"][-2] == old["volume"][-1] * 2
    assert [day(int(stamp)) for stamp in before["events"]["splits"]] == ["2000-06-21"]


def test_events_are_given_only_where_asked_for(world: World) -> None:
    assert "events" not in result(world, "MSFT", events="")
    assert list(result(world, "MSFT", events="div")["events"]) == ["dividends"]
    assert list(result(world, "MSFT", events="div|split|earn")["events"]) == ["dividends", "splits"]


def test_the_shape_is_that_of_a_recorded_answer(world: World, shared_data: Path) -> None:
    path = shared_data / "payloads" / "yahoo" / "chart" / "chart-aapl-2020-08-31-to-2020-11-07.json"
    (recorded,) = json.loads(path.read_text())["chart"]["result"]
    served = result(world, "AAPL")
    assert list(served) == list(recorded)
    assert set(served["meta"]) <= set(recorded["meta"])
    assert set(served["indicators"]["quote"][0]) == set(recorded["indicators"]["quote"][0])
    for kind in ("dividends", "splits"):
        (theirs, *_), (ours, *_) = recorded["events"][kind].values(), served["events"][kind].values()
        assert set(ours) == set(theirs)
    assert served["meta"]["gmtoffset"] == recorded["meta"]["gmtoffset"] == -18_000  # both ended in winter


@pytest.mark.parametrize(
    ("symbol", "query", "status", "code"),
    [
        ("NOPE", {}, 404, "Not Found"),
        ("", {}, 404, "Not Found"),
        ("AAPL", {"interval": "1m"}, 422, "Unprocessable Entity"),
        ("AAPL", {"period1": "5", "period2": "5"}, 400, "Bad Request"),
        ("AAPL", {"period1": "x"}, 400, "Bad Request"),
        ("FB", {"period1": "0", "period2": "1000000000"}, 400, "Bad Request"),
    ],
)
def test_refusals_are_yahoos(world: World, symbol: str, query: dict[str, str], status: int, code: str) -> None:
    reply = yahoo.answer(world, f"v8/finance/chart/{symbol}", {**ALL, **query})
    assert reply.status == status
    assert json.loads(reply.body)["chart"]["error"]["code"] == code
    assert json.loads(reply.body)["chart"]["result"] is None
