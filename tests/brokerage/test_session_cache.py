"""A session that stays in memory decides what one that is rebuilt for each pass does, with as many queries each time.

The rebuilt way is the oracle: stepped from the wallet's opening, without a checkpoint, as `strades replay` does.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from strades_pipelines.brokerage import session_cache
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.movements import Movement, post_movement
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill, OrderChange, Quote, Trade
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Explanation
from tests.brokerage.conftest import (
    BTC,
    ETH,
    MINUTE,
    PAPER,
    SECOND,
    START,
    AddCandles,
    AddQuotes,
    AddTrades,
    Connection,
    rows,
)
from tests.brokerage.test_checkpoints import DECISIONS, FILLS, ORDERS, REMADE, PlainRandomOrders
from tests.brokerage.test_trade_feed import FLOW

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NUMBERS = itertools.count(1)
REVISION = "UPDATE records.candles SET close = high + 1, high = high + 1 WHERE listing_id = %s"
COMMAND = """
    INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, arguments)
    VALUES ('halt', 'all', '', 'tester', %s, '{}') RETURNING command_id
"""


class RandomOnStreams(PlainRandomOrders):
    """Orders at random on trades and quotes too, and a target that counts the instants.

    An end that is processed twice shows.
    """

    name: ClassVar[str] = "random_on_streams"

    def on_start(self, account: Account) -> None:
        super().on_start(account)
        self.instants = self.fill_number = self.changes = 0
        self.cash = account.cash

    def on_fill(self, fill: Fill, account: Account) -> None:
        super().on_fill(fill, account)
        self.fill_number = fill.order

    def on_order(self, change: OrderChange, account: Account) -> None:
        self.changes += change.state

    def explain(self, event: Any, i: int) -> Explanation:
        """What came from the account: it is stored with each decision."""
        numbers = {"cash": self.cash, "fill": float(self.fill_number), "changes": float(self.changes)}
        return Explanation("at random", numbers)

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.cash = account.cash
        if self.random.random() < 0.5:
            price = trade.price
            self.act(Bar(trade.i, trade.time, trade.time, price, price, price, price, trade.size), account)

    def on_quote(self, quote: Quote, account: Account) -> None:
        if self.random.random() < 0.5:
            prices = (quote.bid, quote.ask, quote.bid, quote.ask)
            self.act(Bar(quote.i, quote.time, quote.time, *prices, quote.bid_size), account)

    def on_timer(self, time: int, account: Account) -> None:
        self.instants += 1
        if self.instants % 4 == 0:
            account.target[0] = float(self.instants % 8)


@pytest.fixture(autouse=True)
def random_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strategies(), RandomOnStreams.name, RandomOnStreams)


class Twins:
    """Two wallets of one setting with the same passes: one from a cache, one rebuilt from its opening each time."""

    def __init__(
        self, market: Connection, adbc: "AdbcConnection", theirs: Connection, template: WalletTemplate
    ) -> None:
        self._market, self._adbc, self._theirs = market, adbc, theirs
        number, self.cache = next(NUMBERS), SessionCache()
        self.names = (f"cached_{number}", f"rebuilt_{number}")
        self._wallets = [open_wallet(market, replace(template, name=name), now=START) for name in self.names]

    def decide(self, seconds: float) -> None:
        cached, rebuilt = self.names
        now = START + seconds * SECOND
        decide(self._market, self._adbc, cached, now=now, sessions=self.cache)
        self._market.execute("DELETE FROM trading.wallet_checkpoints WHERE wallet = %s", [rebuilt])
        decide(self._market, self._adbc, rebuilt, now=now)

    def execute(self, seconds: float) -> None:
        for wallet in self._wallets:
            venue = PaperBroker(self._theirs, wallet)
            execute_pending(self._market, venue, wallet.name, now=START + seconds * SECOND)

    def pay_in(self, amount: int, seconds: float) -> None:
        now, reference = START + seconds * SECOND, f"paid {next(NUMBERS)}"
        [(command,)] = self._market.execute(COMMAND, [now])
        for wallet in self._wallets:
            movement = Movement(reference, "deposit", "USDT", Decimal(amount), now)
            post_movement(self._market, wallet, movement, command_id=command, now=now)
        self._market.commit()

    def assert_alike(self) -> int:
        """How many decisions they have made."""
        found = []
        for query in (DECISIONS, REMADE, ORDERS, FILLS):
            first, second = (self._market.execute(query, [name]).fetchall() for name in self.names)
            assert first == second
            found.append(len(first))
        self._market.rollback()
        return found[0]


# What happens before a pass: trades or quotes that come in order, or late, a bar at its close or seconds later, one
# that is missing and stored behind others, bars or quotes that are revised, orders that are executed, cash that is paid
# in, or a restart of the process.
KINDS = (
    *("trades", "trades", "trades", "late trade", "quotes", "quotes", "late quote", "bar", "late bar"),
    *("hole", "filled hole", "revision", "quote revision", "venue", "deposit", "restart"),
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.floats(0.01, 25.0),
        st.sampled_from([BTC, ETH]),
        st.integers(1, 3),
    ),
    min_size=3,
    max_size=14,
)


# Not shrunk: an example takes half a second of the database.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=20, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    strategy=st.sampled_from(["random_on_streams", "trade_imbalance", "sma_cross"]),
    every=st.sampled_from(["", "2ticks", "3volume"]),
    happened=EVENTS,
)
def test_a_session_in_memory_decides_what_a_rebuilt_one_does(
    strategy: str,
    every: str,
    happened: list[tuple[str, float, int, int]],
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
    add_quotes: AddQuotes,
    database_url: str,
) -> None:
    market.rollback()  # of an example that failed
    for table in ("records.candles", "records.trades", "records.quotes"):
        market.execute(f"DELETE FROM {table}")
    for listing in (BTC, ETH):
        add_candles([100.0] * 5, start=START - 5 * MINUTE, listing=listing)
    parameters = {"trade_imbalance": FLOW["parameters"], "sma_cross": PAPER.parameters}.get(strategy, {"seed": 3})
    both = ("gateio:BTC_USDT", "gateio:ETH_USDT")
    template = replace(PAPER, strategy=strategy, parameters=parameters, instruments=both, cash=Decimal(100_000))
    template = replace(template, every=every)
    at, minutes = 0.0, {BTC: 0, ETH: 0}
    holes: defaultdict[int, datetime | None] = defaultdict(lambda: None)
    with connect(database_url) as theirs:
        twins = Twins(market, adbc, theirs, template)
        for what, seconds, listing, count in happened:
            at = round(at + seconds, 3)
            if what in ("trades", "late trade"):
                came = at if what == "trades" else at - seconds / 2
                sides = itertools.cycle(["buy", "sell", "sell", "buy", "buy"])
                sent = [(next(NUMBERS), came - 0.001, 1.0 + n, next(sides)) for n in range(count)]
                add_trades(sent, came=came, listing=listing)
            elif what in ("quotes", "late quote"):
                came = at if what == "quotes" else at - seconds / 2
                quotes = [(next(NUMBERS), came - 0.001, 99.0 - n, 1.0, 101.0 + n, 2.0) for n in range(count)]
                add_quotes(quotes, came=came, listing=listing)
            elif what in ("bar", "late bar", "hole"):
                start = START + minutes[listing] * MINUTE
                minutes[listing] += count
                at = max(at, 60.0 * minutes[listing] + (0.0 if what == "bar" else seconds))
                holes[listing] = start if what == "hole" else holes[listing]
                closes = [100.0 + seconds] * (0 if what == "hole" else count)
                add_candles(closes, start=start, listing=listing, recorded_at=START + at * SECOND)
            elif what == "filled hole" and holes[listing]:
                add_candles([100.0], start=holes.pop(listing), listing=listing, recorded_at=START + at * SECOND)
            elif what == "revision":
                market.execute(REVISION, [listing])
                market.commit()
            elif what == "quote revision":
                market.execute("UPDATE records.quotes SET ask = ask + 2 WHERE listing_id = %s", [listing])
                market.commit()
            elif what == "venue":
                twins.execute(at)
            elif what == "deposit":
                twins.pay_in(count, at)
            else:
                twins.cache.clear()
            twins.decide(at)
        twins.assert_alike()


class Counting:
    """Counts what is executed on a connection of either driver."""

    count = 0

    def cursor_class(self) -> type[psycopg.Cursor[Any]]:
        counting = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(self, *arguments: Any, **words: Any) -> Any:
                counting.count += 1
                return super().execute(*arguments, **words)

        return Cursor

    def adbc(self, connection: "AdbcConnection") -> Any:
        counting = self

        class Cursor:
            def __init__(self) -> None:
                self._cursor = connection.cursor()

            def __enter__(self) -> "Cursor":
                return self

            def __exit__(self, *_: object) -> None:
                self._cursor.close()

            def execute(self, *arguments: Any) -> None:
                counting.count += 1
                self._cursor.execute(*arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._cursor, name)

        class Counted:
            cursor: Callable[..., Cursor] = staticmethod(Cursor)

            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

        return Counted()


def test_a_batch_of_trades_costs_the_same_few_queries_however_many_came_before(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, add_trades: AddTrades
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    counting, sessions, spent, events = Counting(), SessionCache(), [], []
    market.cursor_factory = counting.cursor_class()
    for batch in range(12):
        came = 61.0 + batch
        sent = [(100 * batch + n, came, 5.0 + batch, "buy" if batch % 2 else "sell") for n in range(1 + 8 * batch)]
        add_trades(sent, came=came)
        counting.count = 0
        made = decide(market, counting.adbc(adbc), "paper", now=START + came * SECOND, sessions=sessions)
        spent.append((len(made), counting.count))
        events.append(sessions.resumed)
    assert (sessions.rebuilt, sessions.resumed) == (1, 11)
    decided = {count for made, count in spent[1:] if made}
    silent = {count for made, count in spent[1:] if not made}
    assert len(decided) == 1
    assert len(silent) <= 1
    assert max(decided | silent) <= MOST_QUERIES


MOST_QUERIES = 24


@pytest.mark.parametrize(
    ("change", "rebuilds"),
    [
        ("UPDATE records.trades SET price = price + 1 WHERE event_time = '2024-01-02 00:00:10+00'", True),
        ("UPDATE records.candles SET close = high + 1, high = high + 1", True),
        ("UPDATE trading.wallets SET opening_cash = opening_cash + 1", True),
        ("DELETE FROM trading.wallet_checkpoints", False),
        ("UPDATE records.candles SET high = high + 1 WHERE false", False),
    ],
)
def test_a_session_is_rebuilt_when_something_behind_it_changed_and_not_otherwise(
    change: str,
    rebuilds: bool,
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    sessions = SessionCache()
    add_trades([(1, 10, 5.0, "buy")], came=10)
    decide(market, adbc, "paper", now=START + 70 * SECOND, sessions=sessions)
    add_trades([(2, 71, 1.0, "buy")], came=71)
    decide(market, adbc, "paper", now=START + 71 * SECOND, sessions=sessions)
    assert (sessions.rebuilt, sessions.resumed) == (1, 1)
    market.execute(change)
    market.commit()
    add_trades([(3, 72, 9.0, "sell")], came=72)
    [sold] = decide(market, adbc, "paper", now=START + 72 * SECOND, sessions=sessions)
    assert sold.target == 0.0
    assert (sessions.rebuilt, sessions.resumed) == ((2, 1) if rebuilds else (1, 2))


def test_a_session_whose_decisions_were_not_stored_is_rebuilt(
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    sessions = SessionCache()
    add_trades([(1, 70, 5.0, "buy")], came=70)
    decide(market, adbc, "paper", now=START + 70 * SECOND, sessions=sessions)
    add_trades([(2, 71, 9.0, "sell")], came=71)
    market.execute("ALTER TABLE signals.decisions ADD CONSTRAINT refused CHECK (target > 0) NOT VALID")
    market.commit()
    with pytest.raises(psycopg.errors.CheckViolation):
        decide(market, adbc, "paper", now=START + 71 * SECOND, sessions=sessions)
    market.rollback()
    market.execute("ALTER TABLE signals.decisions DROP CONSTRAINT refused")
    market.commit()
    [sold] = decide(market, adbc, "paper", now=START + 71 * SECOND, sessions=sessions)
    assert (sold.target, sold.decided_at) == (0.0, START + 71 * SECOND)
    assert (sessions.rebuilt, sessions.resumed) == (2, 1)


def test_a_session_is_rebuilt_after_its_longest_life(
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    sessions = SessionCache()
    for second, life in ((70, session_cache.LONGEST_LIFE), (71, 0 * SECOND)):
        monkeypatch.setattr(session_cache, "LONGEST_LIFE", life)
        add_trades([(second, second, 5.0, "buy")], came=second)
        decide(market, adbc, "paper", now=START + second * SECOND, sessions=sessions)
    assert (sessions.rebuilt, sessions.resumed) == (2, 0)
    assert rows(market, "SELECT count(*) FROM signals.decisions") == [(1,)]
