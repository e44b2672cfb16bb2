"""No look-ahead in decisions, by the number of the acceptance list: 2 poisoning.

A replayed wallet is stepped by the code that writes its rows, over events of which all that became known after t is
absurd. What it decided, was refused, ordered, was filled and was worth up to t must not change by a bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strades_pipelines.brokerage.feed import StoredFeed
from strades_pipelines.brokerage.model_trust import Standing, Standings
from strades_pipelines.brokerage.replay import simulate
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_chain import joined
from strades_pipelines.market.instruments import Listing
from strades_pipelines.strategy import registry
from strades_pipelines.strategy.events import BAR, PREDICTION, microseconds, moment
from tests.brokerage.conftest import BTC, ETH, MINUTE, REPLAY, START

COUNT = 60  # minutes
END = START + (COUNT + 2) * MINUTE
NOW = START + timedelta(days=30)
LATE = 30_000_000  # microseconds after its close, for some bars
LISTINGS = [
    Listing(number, "gateio", symbol, "USDT", Decimal("0.1"), Decimal("0.00001"))
    for number, symbol in ((BTC, "BTC_USDT"), (ETH, "ETH_USDT"))
]
WALLETS: dict[str, Mapping[str, Any]] = {
    "sma_cross": {"fast": 2, "slow": 5, "size": 2.0},
    "follow_prediction": {"model": "ridge", "threshold": 0.0, "size": 2.0},
    "rsi_reversion": {"length": 4, "low": 45, "high": 55, "size": 2.0},
    "keltner_breakout": {"length": 4, "atr_length": 4, "multiplier": 0.5, "size": 2.0},
}
Change = Callable[[StoredFeed], StoredFeed]
Happened = dict[str, list[tuple[datetime, Any]]]


def template(strategy: str) -> WalletTemplate:
    """A replay of a strategy over both coins."""
    names = tuple(listing.name for listing in LISTINGS)
    return replace(REPLAY, strategy=strategy, parameters=WALLETS[strategy], instruments=names)


def columns_of(kind: int, i: int, time: Any, more: Any, *numbers: Any) -> Columns:
    """COUNT events of one kind and coin."""
    return Columns(np.full(COUNT, kind, np.int8), np.full(COUNT, i, np.int32), time, more, *numbers)


def in_order(columns: Columns) -> Columns:
    """By time, kind and coin."""
    order = np.lexsort((columns.i, columns.kind, columns.time))
    return Columns(*(array[order] for array in columns.arrays))


def made_feed() -> StoredFeed:
    """Bars of two coins, some known half a minute late, a forecast with each, and standings that come and go."""
    random = np.random.default_rng(6)
    minutes = np.arange(1, COUNT + 1)
    parts: list[Columns] = []
    for i in range(len(LISTINGS)):
        close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, COUNT)))
        opened = np.append(100.0, close[:-1])
        known = microseconds(START) + minutes * 60_000_000 + random.choice([0, 0, LATE], COUNT)
        prices = (opened, np.maximum(opened, close), np.minimum(opened, close), close, np.ones(COUNT))
        parts.append(columns_of(BAR, i, known, microseconds(START) + (minutes - 1) * 60_000_000, *prices))
        nothing = [np.zeros(COUNT)] * 4
        parts.append(columns_of(PREDICTION, i, known, 0 * minutes, random.normal(0, 1, COUNT), *nothing))
    columns = in_order(joined(parts))
    ids = {(place, at, 0): f"{place}@{at}" for place, at in zip(columns.i.tolist(), columns.time.tolist(), strict=True)}
    standings = [
        Standing("ridge", None, START + n * 10 * MINUTE, 2.0, 1.0, worse_than_naive=bool(n % 2)) for n in range(6)
    ]
    return StoredFeed(LISTINGS, 2 * COUNT, START, "", columns, ids, Standings(standings))


FEED = made_feed()
RANDOM = [moment(int(at)) for at in np.random.default_rng(7).integers(microseconds(START), microseconds(END), 200)]


def poison(feed: StoredFeed, time: datetime) -> StoredFeed:
    """All that became known after `time` made absurd, by turns huge and tiny."""
    columns = feed.columns
    late = columns.time > microseconds(time)
    absurd = np.where(np.arange(len(columns)) % 2, 1e12, 0.5)
    bar = late & (columns.kind == BAR)
    prices = [np.where(bar, absurd, one) for one in (columns.a, columns.b, columns.c, columns.d)]
    prices[0] = np.where(late & (columns.kind == PREDICTION), np.where(absurd > 1, 1e12, -1e12), prices[0])
    a, b, c, d = prices
    standings = [
        row if row.known_at <= time else replace(row, worse_than_naive=not row.worse_than_naive)
        for row in feed.standings.rows
    ]
    return replace(feed, columns=replace(columns, a=a, b=b, c=c, d=d), standings=Standings(standings))


def happened(strategy: str, feed: StoredFeed) -> Happened:
    """All that a replay of the feed writes, each with the time at which it was decided or known."""
    rows = simulate(template(strategy), "w", LISTINGS, feed, start=START, end=END, now=NOW)
    decided = {row["decision_id"]: row["decided_at"] for row in rows["signals.decisions"]}
    return {
        "decisions": [(row["decided_at"], row) for row in rows["signals.decisions"]],
        "refusals": [(decided[row["decision_id"]], row) for row in rows["trading.refusals"]],
        "intents": [(decided[row["decision_id"]], row) for row in rows["trading.intents"]],
        "fills": [(row["known_at"], row) for row in rows["trading.fills"]],
        "equity": [(row["time"], row) for row in rows["results.equity"]],
    }


def first_difference(strategy: str, times: Sequence[datetime], leak: Change = lambda feed: feed) -> datetime | None:
    """The first time up to which something else happened with all that was known later made absurd.

    Args:
        leak: what a wrong feed would make of the records.
    """
    whole = happened(strategy, leak(FEED))
    for time in times:
        found = happened(strategy, leak(poison(FEED, time)))
        for name, rows in whole.items():
            if [row for row in found[name] if row[0] <= time] != [row for row in rows if row[0] <= time]:
                return time
    return None


@pytest.fixture(autouse=True)
def _only_the_strategys_file_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all files behind a strategy takes longer than to step one."""
    monkeypatch.setattr(registry, "PACKAGE", tmp_path)


@pytest.mark.parametrize(
    ("strategy", "times"), [*zip(WALLETS, (RANDOM, RANDOM, RANDOM[:20], RANDOM[:20]), strict=True)]
)
def test_2_poisoning_after_200_times_and_every_decision_changes_nothing_that_a_wallet_did(
    strategy: str, times: Sequence[datetime]
) -> None:
    did = happened(strategy, FEED)
    decisions = sorted({at for at, _ in did["decisions"]})
    assert first_difference(strategy, [*times, *decisions]) is None
    assert len(decisions) > 10
    assert min(len(did[name]) for name in ("intents", "fills")) > 3


def with_prices(feed: StoredFeed, change: Callable[[Columns, Any], Any]) -> StoredFeed:
    """The feed with the numbers of each coin's bars made otherwise, by what `change` gives for them."""
    columns = feed.columns
    numbers = [one.copy() for one in (columns.a, columns.b, columns.c, columns.d)]
    for i in range(len(LISTINGS)):
        own = np.flatnonzero((columns.kind == BAR) & (columns.i == i))
        for one in numbers:
            one[own] = change(columns, own)(one[own])
    a, b, c, d = numbers
    return replace(feed, columns=replace(columns, a=a, b=b, c=c, d=d))


def one_bar(feed: StoredFeed) -> StoredFeed:
    """A planted leak of one bar: each bar has the prices of the next."""
    return with_prices(feed, lambda columns, own: lambda prices: np.append(prices[1:], prices[-1]))


def whole_window_scaler(feed: StoredFeed) -> StoredFeed:
    """A planted leak: prices scaled with the mean of all there are."""
    return with_prices(feed, lambda columns, own: lambda prices: 100.0 * prices / prices.mean())


def resample_label(feed: StoredFeed) -> StoredFeed:
    """A planted leak: each bar has the last prices of its five minutes, as a resample by its left edge does."""

    def last(columns: Columns, own: Any) -> Any:
        five = columns.more[own] // 300_000_000
        return lambda prices: prices[np.searchsorted(five, five, side="right") - 1]

    return with_prices(feed, last)


def ignored_knowledge_time(feed: StoredFeed) -> StoredFeed:
    """A planted leak: a bar is seen at its close, whenever it was known."""
    columns = feed.columns
    time = np.where(columns.kind == BAR, columns.more + 60_000_000, columns.time)
    return replace(feed, columns=in_order(replace(columns, time=time)))


def standing_a_month_early(feed: StoredFeed) -> StoredFeed:
    """A planted leak: a model's standing counts before the month it was reckoned at."""
    rows = [replace(row, known_at=row.known_at - 10 * MINUTE) for row in feed.standings.rows]
    return replace(feed, standings=Standings(rows))


@pytest.mark.parametrize("leak", [one_bar, whole_window_scaler, resample_label, ignored_knowledge_time])
def test_2_finds_a_planted_leak_in_what_a_wallet_sees(leak: Change) -> None:
    assert first_difference("sma_cross", RANDOM, leak)


def test_2_finds_a_standing_that_was_not_known_yet() -> None:
    assert first_difference("follow_prediction", RANDOM, standing_a_month_early)
