"""Quotes as events: heard as trades are, marked at the middle, and filled at the ask or the bid."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from strades_pipelines.brokerage import checkpoints
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.quote_feed import quote_columns, read_quotes
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.trade_feed import FeedRange
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.engine.event_steps import events_of
from strades_pipelines.lineage.trace import follow
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Quote, moment
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Explanation, Strategy
from tests.brokerage.conftest import (
    BTC,
    ETH,
    MINUTE,
    PAPER,
    REPLAY,
    SECOND,
    START,
    AddCandles,
    AddQuotes,
    Connection,
    rows,
    wait_for_older_transactions,
)

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


class LongerQueue(Strategy):
    """Holds a unit where more is bid than asked, and says how many quotes it has heard."""

    name: ClassVar[str] = "longer_queue"

    @property
    def quote_window(self) -> float:
        return 20.0

    def on_start(self, account: Account) -> None:
        self.heard = 0

    def explain(self, event: object, i: int) -> Explanation:
        return Explanation("the longer queue", {"heard": float(self.heard)})

    def on_quote(self, quote: Quote, account: Account) -> None:
        self.heard += 1
        account.target[quote.i] = 1.0 if quote.bid_size > quote.ask_size else 0.0


PAPER_LEAN = replace(PAPER, strategy=LongerQueue.name, parameters={})
REPLAY_LEAN = replace(REPLAY, strategy=LongerQueue.name, parameters={})


@pytest.fixture(autouse=True)
def longer_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strategies(), LongerQueue.name, LongerQueue)


def buyers(number: int, seconds: float) -> tuple[int, float, float, float, float, float]:
    """A quote with more buyers than sellers."""
    return number, seconds, 99.0, 5.0, 101.0, 1.0


def sellers(number: int, seconds: float) -> tuple[int, float, float, float, float, float]:
    """A quote with more sellers than buyers."""
    return number, seconds, 98.0, 1.0, 100.0, 5.0


def read_events(adbc: "AdbcConnection", *, is_heard: bool) -> list[tuple[int, float, tuple[float, ...]]]:
    """Of each quote of the first minute the index of its listing, the seconds after START, and its numbers."""
    with adbc.cursor() as cursor:
        index = {BTC: 0, ETH: 1}
        columns = quote_columns(read_quotes(cursor, index, FeedRange(START, START + MINUTE, is_heard)), index)
    adbc.rollback()
    quotes = [event for event, _ in events_of(columns)]
    return [
        (one.i, (moment(one.time) - START).total_seconds(), (one.bid, one.bid_size, one.ask, one.ask_size))
        for one in quotes
    ]


def test_a_quote_with_both_sides_is_an_event_at_its_arrival_and_none_if_it_is_a_minute_late(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes
) -> None:
    one, other = (99.0, 5.0, 101.0, 1.0), (98.0, 1.0, 100.0, 5.0)
    add_quotes([buyers(10, 1), sellers(9, 1), buyers(11, 1.5)], came=2)
    add_quotes([sellers(8, 0.5)], came=3)  # reordered
    add_quotes([buyers(1, 2.5)], came=2.6, listing=ETH)
    add_quotes([(12, 3, None, None, 100.0, 1.0), (13, 3, 99.0, 1.0, None, None)], came=4)
    add_quotes([buyers(7, -30)], came=31)
    assert read_events(adbc, is_heard=True) == [
        (0, 2.0, other),
        (0, 2.0, one),
        (0, 2.0, one),
        (1, 2.6, one),
        (0, 3.0, other),
    ]
    happened = [(0, 0.5, other), (0, 1.0, other), (0, 1.0, one), (0, 1.5, one), (1, 2.5, one)]
    assert read_events(adbc, is_heard=False) == happened


def test_a_size_that_nobody_says_is_not_a_number(adbc: "AdbcConnection", add_quotes: AddQuotes) -> None:
    add_quotes([(1, 1, 99.0, None, 101.0, 2.0)], came=1)
    [(_, _, (bid, bid_size, ask, ask_size))] = read_events(adbc, is_heard=True)
    assert (bid, math.isnan(bid_size), ask, ask_size) == (99.0, True, 101.0, 2.0)


def test_a_quote_that_is_corrected_is_heard_once_and_where_it_was(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes
) -> None:
    add_quotes([buyers(1, 1)], came=2)
    at = START + 9 * SECOND
    market.execute("INSERT INTO records.quote_revisions SELECT q.*, %s FROM records.quotes AS q", [at])
    market.execute("UPDATE records.quotes SET ask = 102, recorded_at = %s", [at])
    market.commit()
    assert read_events(adbc, is_heard=True) == [(0, 2.0, (99.0, 5.0, 102.0, 1.0))]


def test_a_replay_buys_at_the_next_ask_and_sells_at_the_next_bid(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes, add_candles: AddCandles
) -> None:
    """A replay ignores when quotes came: decided at 10 and 100 s, filled by the quotes of 20 and 130 s."""
    add_candles([100.0] * 3)
    add_quotes([buyers(1, 10), buyers(2, 20), sellers(3, 100), (4, 130, 95.0, 1.0, 97.0, 2.0)], came=99_999)
    name = replay(adbc, REPLAY_LEAN, start=START, end=START + 3 * MINUTE, now=START).wallet
    decided = rows(market, "SELECT wallet, target, decided_at, trigger_kind FROM signals.decisions ORDER BY decided_at")
    assert decided == [(name, 1.0, START + 10 * SECOND, "quote"), (name, 0.0, START + 100 * SECOND, "quote")]
    filled = rows(market, "SELECT side, quantity, price, filled_at FROM trading.fills ORDER BY filled_at")
    assert filled == [("buy", 1, 101, START + 20 * SECOND), ("sell", 1, 95, START + 130 * SECOND)]
    [(decision,)] = rows(market, "SELECT decision_id FROM signals.decisions WHERE target = 0")
    assert [row["quote_id"] for row in follow(market, decision)[0].quotes] == ["3"]


def test_a_quote_stored_behind_a_checkpoint_is_processed_and_its_note_is_kept_until_then(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes, add_candles: AddCandles
) -> None:
    open_wallet(market, PAPER_LEAN, now=START)
    add_candles([100.0] * 3)
    add_quotes([buyers(1, 10)], came=10)
    [bought] = decide(market, adbc, "paper", now=START + 4 * MINUTE)
    assert (bought.target, bought.decided_at) == (1.0, START + 10 * SECOND)
    assert rows(market, "SELECT count(*) FROM trading.wallet_checkpoints") == [(1,)]
    add_quotes([sellers(2, 100)], came=100)  # behind the checkpoint
    add_quotes([buyers(3, 300)], came=300)
    add_quotes([sellers(4, 5)], came=150)  # too late to be an event
    market.execute("UPDATE trading.input_changes SET changed_at = now() - interval '61 minutes'")
    market.commit()
    wait_for_older_transactions(market)
    assert checkpoints.delete_old_changes(market) == 2
    assert rows(market, "SELECT known_from FROM trading.input_changes WHERE subject = 'quotes:11'") == [
        (START + 100 * SECOND,)
    ]
    [sold] = decide(market, adbc, "paper", now=START + 4 * MINUTE)
    assert (sold.target, sold.decided_at) == (0.0, START + 100 * SECOND)


def test_a_decision_names_the_quotes_in_its_window_and_a_trace_leads_to_their_fetches(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes, add_candles: AddCandles
) -> None:
    """The window is 20 s: the quote that was heard at 9 s is older, and the one with a single side is none."""
    open_wallet(market, replace(PAPER_LEAN, instruments=("gateio:BTC_USDT", "gateio:ETH_USDT")), now=START)
    add_candles([100.0])
    add_quotes([sellers(1, 8)], came=9)
    add_quotes([sellers(2, 14)], came=15, listing=ETH)
    add_quotes([(3, 16, None, None, 100.0, 1.0)], came=16)
    add_quotes([buyers(4, 29)], came=30)
    sessions = SessionCache()
    [bought] = decide(market, adbc, "paper", now=START + 31 * SECOND, sessions=sessions)
    market.commit()
    assert bought.inputs["quotes"] == {
        "listing_ids": [BTC, ETH],
        "heard_from": "2024-01-02T00:00:10Z",
        "heard_to": "2024-01-02T00:00:30Z",
    }
    lineage, readers = follow(market, bought.decision_id)
    assert [(row["quote_id"], row["listing_id"]) for row in lineage.quotes] == [("2", ETH), ("4", BTC)]
    assert {fetch for fetch, read_by in readers.items() if "decision" in read_by} == {2, 4}
    assert lineage.faults == []
    market.execute("DELETE FROM records.quotes")
    [fault] = follow(market, bought.decision_id)[0].faults
    assert fault.endswith("the quotes that it was made on are gone")


def test_quotes_of_before_the_opening_warm_up_and_decide_nothing(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes, add_candles: AddCandles
) -> None:
    open_wallet(market, PAPER_LEAN, now=START)
    add_candles([100.0])
    add_quotes([buyers(8, -22)], came=-21)  # of before the window of 20 s
    add_quotes([buyers(9, -12)], came=-9)
    add_quotes([buyers(10, 10)], came=10)
    [bought] = decide(market, adbc, "paper", now=START + MINUTE)
    assert (bought.decided_at, bought.inputs["numbers"]) == (START + 10 * SECOND, {"heard": 2.0})


def test_a_session_in_memory_is_rebuilt_when_a_quote_behind_it_changes(
    adbc: "AdbcConnection", market: Connection, add_quotes: AddQuotes, add_candles: AddCandles
) -> None:
    open_wallet(market, PAPER_LEAN, now=START)
    add_candles([100.0])
    sessions = SessionCache()
    for second in (70, 71, 72):
        add_quotes([buyers(second, second)], came=second)
        decide(market, adbc, "paper", now=START + second * SECOND, sessions=sessions)
    assert (sessions.rebuilt, sessions.resumed) == (1, 2)
    market.execute("UPDATE records.quotes SET bid_size = 0 WHERE quote_id = '71'")
    market.commit()
    add_quotes([buyers(73, 73)], came=73)
    made = decide(market, adbc, "paper", now=START + 73 * SECOND, sessions=sessions)
    assert (sessions.rebuilt, sessions.resumed) == (2, 2)
    assert [(one.target, one.decided_at) for one in made if one.trigger_kind == "quote"] == [
        (0.0, START + 71 * SECOND),
        (1.0, START + 72 * SECOND),
    ]
