"""Every hook is fed from what is stored, alike in a replay, in passes, on a stream and from a wallet's opening.

What is expected is written down by hand, from the rows that the test stores.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from strades_pipelines.brokerage.feed import read_feed
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.record_feed import article_number, missing_slots
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.engine.event_steps import events_of
from strades_pipelines.lineage.trace import follow
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    Article,
    Bar,
    BarRevision,
    CorporateAction,
    Gap,
    Prediction,
    Quote,
    Trade,
    moment,
)
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Explanation, Strategy
from tests.brokerage.conftest import (
    AAPL,
    BTC,
    MINUTE,
    PAPER,
    REPLAY,
    SECOND,
    START,
    AddCandles,
    AddQuotes,
    AddTrades,
    Connection,
)
from tests.brokerage.test_feed import forecast

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

END = START + 12 * MINUTE
Call = tuple[str, float, dict[str, float]]  # the hook's kind, seconds after START, the numbers of its event


class EveryHook(Strategy):
    """Another target with each call, and the numbers of its event as the reason."""

    name: ClassVar[str] = "every_hook"

    @property
    def models(self) -> tuple[str, ...]:
        return ("ridge",)

    @property
    def lookback(self) -> int:
        return 2

    def on_start(self, account: Account) -> None:
        self.calls = 0
        self.numbers: dict[str, float] = {}

    def note(self, event: Any, account: Account, *names: str) -> None:
        self.calls += 1
        self.numbers = {name: float(getattr(event, name)) for name in names}
        account.target[event.i] = 0.001 * self.calls

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.note(trade, account, "price", "size", "buyer")

    def on_quote(self, quote: Quote, account: Account) -> None:
        self.note(quote, account, "bid", "bid_size", "ask", "ask_size")
        self.numbers["middle"] = account.price[quote.i]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.note(bar, account, "close")

    def on_bar_revision(self, bar: BarRevision, account: Account) -> None:
        self.note(bar, account, "open_time", "close")

    def on_gap(self, gap: Gap, account: Account) -> None:
        self.note(gap, account, "start", "count")

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        self.note(prediction, account, "value")

    def on_article(self, article: Article, account: Account) -> None:
        self.note(article, account, "tone", "number")

    def on_corporate_action(self, action: CorporateAction, account: Account) -> None:
        self.note(action, account, "ratio", "amount")
        self.numbers["paid"] = account.dividends

    def on_timer(self, time: int, account: Account) -> None:
        if self.calls == 3:
            self.calls += 1
            self.numbers = {}
            account.target[0] = 0.001 * self.calls

    def explain(self, event: Any, i: int) -> Explanation:
        return Explanation("told", self.numbers)


@pytest.fixture(autouse=True)
def every_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strategies(), EveryHook.name, EveryHook)


def article(market: Connection, key: str, at: datetime, title: str) -> None:
    """Store an article, or another version of it, as a load does."""
    market.execute(
        "INSERT INTO records.article_revisions SELECT a.*, %s FROM records.articles AS a WHERE article_id = %s",
        [at + SECOND, key],
    )
    market.execute(
        "INSERT INTO records.articles (source, article_id, title, authors, categories, published_at, knowledge_time,"
        " knowledge_basis, fetch_id, recorded_at) VALUES ('wire', %s, %s, '{}', '{}', %s, %s, 'stated', 1, %s)"
        " ON CONFLICT (source, article_id) DO UPDATE SET title = excluded.title, recorded_at = excluded.recorded_at",
        [key, title, at, at, at + SECOND],
    )
    market.commit()


def revise(market: Connection, minute: int, close: float, at: datetime) -> None:
    """Store another version of a bar of BTC, as a load does."""
    market.execute(
        "INSERT INTO records.candle_revisions SELECT c.*, %s FROM records.candles AS c"
        " WHERE listing_id = %s AND open_time = %s",
        [at, BTC, START + minute * MINUTE],
    )
    market.execute(
        "UPDATE records.candles SET close = %s, high = greatest(high, %s), low = least(low, %s), recorded_at = %s"
        " WHERE listing_id = %s AND open_time = %s",
        [close, close, close, at, BTC, START + minute * MINUTE],
    )
    market.commit()


def act(market: Connection, action: str, at: datetime, ratio: float | None, amount: float | None) -> None:
    market.execute(
        "INSERT INTO records.corporate_actions VALUES (%s, %s, %s, %s, %s, 'USDT', %s, 'stated', 1, %s)",
        [BTC, at.date(), action, ratio, amount, at, at],
    )
    market.commit()


def happen(
    market: Connection, add_candles: AddCandles, add_trades: AddTrades, add_quotes: AddQuotes
) -> list[tuple[float, Callable[[], Any]]]:
    """What is stored, and when, seconds after START."""
    return [
        (60, lambda: add_candles([100.0])),
        (60, lambda: forecast(market, "FIRST", 0.25, START + MINUTE)),
        (75, lambda: add_trades([(1, 75, 3.0, "sell")], came=75)),
        (90, lambda: article(market, "a1", START + 90 * SECOND, "BTC profits rise, then fall; BTC gains")),
        (95, lambda: add_quotes([(10, 95, 101.0, 2.0, 103.0, 4.0), (9, 95, 99.0, 8.0, 100.0, 1.0)], came=95)),
        (95, lambda: add_trades([(2, 95, 1.0, "buy")], came=95)),
        (96, lambda: add_quotes([(11, 96, None, None, 104.0, 4.0)], came=96)),  # nobody buys: no event
        (150, lambda: act(market, "dividend", START + 150 * SECOND, None, 0.5)),
        (300, lambda: add_quotes([(12, 300, 102.0, 1.0, 103.0, 1.0)], came=300)),
        (300, lambda: add_candles([103.0], start=START + 4 * MINUTE)),  # minutes 1 to 3 are missing
        (330, lambda: revise(market, 0, 99.0, START + 330 * SECOND)),
        (345, lambda: article(market, "a1", START + 345 * SECOND, "BTC crash")),  # an editor's change is not news
        (350, lambda: article(market, "a2", START + 350 * SECOND, "ETH fails")),  # of another listing
        (360, lambda: add_candles([104.0], start=START + 5 * MINUTE)),
        (400, lambda: revise(market, 0, 98.0, START + 400 * SECOND)),
    ]


EXPECTED: Sequence[Call] = [
    ("bar", 60, {"close": 100.0}),
    ("prediction", 60, {"value": 0.25}),
    ("trade", 75, {"price": 100.0, "size": 3.0, "buyer": -1.0}),
    ("timer", 75, {}),
    # Of the words, profits, rise and gains are on the good list, fall is on the bad one.
    ("article", 90, {"tone": 0.5, "number": article_number("wire", "a1")}),
    ("trade", 95, {"price": 100.0, "size": 1.0, "buyer": 1.0}),
    ("quote", 95, {"bid": 99.0, "bid_size": 8.0, "ask": 100.0, "ask_size": 1.0, "middle": 99.5}),
    ("quote", 95, {"bid": 101.0, "bid_size": 2.0, "ask": 103.0, "ask_size": 4.0, "middle": 102.0}),
    ("corporate_action", 150, {"ratio": 1.0, "amount": 0.5, "paid": 0.0}),
    ("quote", 300, {"bid": 102.0, "bid_size": 1.0, "ask": 103.0, "ask_size": 1.0, "middle": 102.5}),
    ("bar", 300, {"close": 103.0}),
    ("gap", 300, {"start": (START + MINUTE).timestamp() * 1e6, "count": 3.0}),
    ("bar_revision", 330, {"open_time": START.timestamp() * 1e6, "close": 99.0}),
    ("bar", 360, {"close": 104.0}),
    ("bar_revision", 400, {"open_time": START.timestamp() * 1e6, "close": 98.0}),
]
DECISIONS = """
    SELECT trigger_kind, decided_at, inputs -> 'numbers' FROM signals.decisions
    WHERE wallet = %s AND trigger_kind <> 'revision' ORDER BY decided_at, ordinal
"""


def stored_calls(market: Connection, wallet: str) -> list[Call]:
    found = market.execute(DECISIONS, [wallet]).fetchall()
    market.commit()
    return [(kind, (at - START).total_seconds(), numbers) for kind, at, numbers in found]


def test_every_hook_hears_the_same_in_a_replay_in_passes_on_a_stream_and_from_the_opening(
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
    add_quotes: AddQuotes,
) -> None:
    template = replace(PAPER, strategy=EveryHook.name, parameters={})
    sessions = SessionCache()
    for name in ("passes", "stream"):
        open_wallet(market, replace(template, name=name), now=START)
    # What comes at one instant is stored before anybody decides on it.
    for seconds, happened in itertools.groupby(happen(market, add_candles, add_trades, add_quotes), lambda it: it[0]):
        for _, make in happened:
            make()
        now = START + seconds * SECOND
        decide(market, adbc, "passes", now=now)
        decide(market, adbc, "stream", now=now, sessions=sessions)
    assert sessions.resumed > 3
    assert stored_calls(market, "passes") == EXPECTED
    assert stored_calls(market, "stream") == EXPECTED
    again = step(market, adbc, load_wallet(market, "passes"), now=END).decisions
    assert [
        (one.trigger_kind, (one.decided_at - START).total_seconds(), one.inputs["numbers"]) for one in again
    ] == EXPECTED
    replayed = replay(
        adbc, replace(REPLAY, strategy=EveryHook.name, parameters={}), start=START, end=END, now=END
    ).wallet
    assert replayed is not None
    assert stored_calls(market, replayed) == EXPECTED
    [(inputs,)] = market.execute(
        "SELECT inputs FROM signals.decisions WHERE wallet = 'stream' AND trigger_kind = 'article'"
    ).fetchall()
    assert inputs["articles"] == ["wire a1"]
    [(bars,)] = market.execute(
        "SELECT inputs -> 'bars' FROM signals.decisions WHERE wallet = 'stream' AND decided_at = %s",
        [START + 6 * MINUTE],
    ).fetchall()
    opened = (bars["first_open_time"], bars["last_open_time"])  # a revision is no bar of the window
    assert opened == tuple(stamp(START + minute * MINUTE) for minute in (4, 5))
    assert market.execute("SELECT count(*) FROM signals.remade_decisions").fetchone() == (0,)


@pytest.mark.parametrize(
    ("since", "until", "stretches", "expected"),
    [
        (0, 30, None, (0, 3)),
        (10, 10, None, (10, 0)),
        (10, 70, [(0, 20), (50, 90)], (10, 3)),  # 10; 50 and 60
        (20, 50, [(0, 20), (50, 90)], (50, 0)),
        (15, 90, [(0, 20), (50, 90)], (50, 4)),  # a slot that has begun is none
        (0, 60, [(0, 25)], (0, 3)),  # the last slot is cut by the close
    ],
)
def test_slots_that_are_missing_are_those_of_open_hours(
    since: int, until: int, stretches: list[tuple[int, int]] | None, expected: tuple[int, int]
) -> None:
    assert missing_slots(since, until, 10, stretches) == expected


def test_a_strategy_over_news_and_prices_is_backtested_from_stored_records(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """After 30 and 90 s the article weighs 0.85 and 0.61, after 150 s 0.43; the closes rise all the time."""
    add_candles([100.0 + minute for minute in range(10)])
    article(market, "a0", START - MINUTE, "BTC falls")  # of the warm-up
    article(market, "a1", START + 330 * SECOND, "BTC gains")
    article(market, "a2", START + 340 * SECOND, "Nothing of the kind")
    parameters = {"memory": 0.05, "enter": 0.5, "length": 3, "size": 0.01}
    template = replace(REPLAY, strategy="news_trend", parameters=parameters)
    name = replay(adbc, template, start=START, end=START + 10 * MINUTE, now=END).wallet
    found = market.execute(
        "SELECT target, decided_at, inputs -> 'articles' FROM signals.decisions WHERE wallet = %s ORDER BY decided_at",
        [name],
    ).fetchall()
    read = ["wire a0", "wire a1"]
    assert found == [(0.01, START + 6 * MINUTE, read), (0.0, START + 8 * MINUTE, read)]
    fills = "SELECT side, filled_at FROM trading.fills WHERE wallet = %s ORDER BY filled_at"
    assert market.execute(fills, [name]).fetchall() == [("buy", START + 6 * MINUTE), ("sell", START + 8 * MINUTE)]
    [(decision,)] = market.execute("SELECT decision_id FROM signals.decisions WHERE target > 0").fetchall()
    market.execute("UPDATE records.articles SET fetch_id = 77 WHERE article_id = 'a1'")
    lineage, readers = follow(market, decision)
    assert readers[77] == {"decision"}
    assert lineage.faults == []
    market.execute("DELETE FROM records.articles WHERE article_id = 'a1'")
    assert "1 of the 2 articles that the decision read are gone" in follow(market, decision)[0].faults


def test_news_that_is_stored_late_is_heard_where_it_was_known_and_remembered_by_checkpoints(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """Known at 210 s and stored at 390 s: bought at the bar of 240 s after all, sold when the price falls."""
    template = replace(PAPER, strategy="news_trend", parameters={"memory": 1.0, "length": 3, "size": 0.01})
    names, sessions = ("passes", "stream"), SessionCache()
    for name in names:
        open_wallet(market, replace(template, name=name), now=START)
    for minute in range(10):
        add_candles([100.0 + minute if minute < 8 else 90.0], start=START + minute * MINUTE)
        if minute == 6:
            article(market, "late", START + 210 * SECOND, "BTC gains")
        now = START + (minute + 1) * MINUTE + SECOND
        decide(market, adbc, "passes", now=now)
        decide(market, adbc, "stream", now=now, sessions=sessions)
    query = """
        SELECT target, decided_at, inputs -> 'articles' FROM signals.decisions
        WHERE wallet = %s AND trigger_kind = 'bar' ORDER BY decided_at
    """
    for name in names:
        found = market.execute(query, [name]).fetchall()
        read = ["wire late"]
        assert found == [(0.01, START + 4 * MINUTE, read), (0.0, START + 9 * MINUTE, read)]
    assert sessions.rebuilt == 2


def test_bars_that_are_missing_are_those_of_sessions_with_their_lunch_breaks(
    market: Connection, adbc: "AdbcConnection"
) -> None:
    """Hours from 9 to 15 but for 11 to 12: 10 is missing, then 13 and 14, and on the next day 9 and 10."""
    tokyo = datetime(2024, 1, 4, tzinfo=UTC)
    market.execute("UPDATE records.listings SET calendar = 'XTKS' WHERE listing_id = %s", [AAPL])
    for day in range(2):
        hours = [tokyo + timedelta(days=day, hours=hour) for hour in (9, 15, 11, 12)]
        market.execute(
            "INSERT INTO records.sessions (calendar, session_date, open_time, close_time, break_start, break_end,"
            " is_half_day) VALUES ('XTKS', %s, %s, %s, %s, %s, false)",
            [hours[0].date(), *hours],
        )
    for at in (tokyo + timedelta(hours=9), tokyo + timedelta(hours=12), tokyo + timedelta(days=1, hours=12)):
        market.execute(
            "INSERT INTO records.candles VALUES (%s, '1h', %s, %s, 1, 1, 1, 1, 1, 1, 1, %s, 'stated', 1, %s)",
            [AAPL, at, *[at + timedelta(hours=1)] * 2, at],
        )
    market.commit()
    with adbc.cursor() as cursor:
        words: dict[str, Any] = {"interval": "1h", "opened_at": tokyo, "lookback": 0}
        hearing = Hearing(frozenset({"on_gap"}))
        listings = find_listings(cursor, ["yahoo:AAPL"])
        feed = read_feed(cursor, listings, end=tokyo + timedelta(days=2), hearing=hearing, **words)
        since = tokyo + timedelta(hours=15)  # resumed: the bar before is looked up
        resumed = read_feed(cursor, listings, end=tokyo + timedelta(days=2), hearing=hearing, since=since, **words)
    gaps = [event for event, _ in events_of(feed.columns) if isinstance(event, Gap)]
    found = [(moment(gap.time), moment(gap.start), gap.count) for gap in gaps]
    second = (tokyo + timedelta(days=1, hours=13), tokyo + timedelta(hours=13), 4.0)
    assert found == [(tokyo + timedelta(hours=13), tokyo + timedelta(hours=10), 1.0), second]
    [gap] = [event for event, _ in events_of(resumed.columns) if isinstance(event, Gap)]
    assert (moment(gap.time), moment(gap.start), gap.count) == second
