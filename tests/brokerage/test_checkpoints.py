"""A pass goes on from a checkpoint, costs what is new, and comes to what stepping from the opening comes to."""

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.brokerage import checkpoints
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.checkpoints import newest_checkpoint, read_ground
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.live import decide, measure
from strades_pipelines.brokerage.live_session import Stepped
from strades_pipelines.brokerage.portfolio import Wallet, load_fills
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy import registry
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.registry import create, strategies
from tests.brokerage.conftest import AAPL, BTC, ETH, MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.crash_child import main
from tests.brokerage.random_orders import RandomOrders
from tests.brokerage.test_crashes import is_killed_at
from tests.brokerage.test_feed import forecast
from tests.strategy.edited_code import edited_package

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

SECOND = timedelta(seconds=1)
TWO = replace(PAPER, instruments=("gateio:BTC_USDT", "gateio:ETH_USDT"), cash=Decimal(100_000), opened_at=START)
DECISIONS = """
    SELECT listing_id, decided_at, ordinal, trigger_kind, target, previous_target, reason, inputs,
        order_request - 'group' - 'parent_id'
    FROM signals.decisions WHERE wallet = %s ORDER BY decided_at, ordinal, listing_id
"""
REMADE = """
    SELECT d.listing_id, d.decided_at, d.ordinal, r.target, r.inputs FROM signals.remade_decisions AS r
    INNER JOIN signals.decisions AS d USING (decision_id) WHERE d.wallet = %s ORDER BY 2, 3, 1, 4
"""
ORDERS = """
    SELECT i.listing_id, i.intended_at, i.side, i.quantity, i.order_type, i.limit_price, i.stop_price, i.trail,
        i.reduce_only, i.parent_id IS NULL, i.order_group IS NULL, o.state, o.reason, o.filled, o.updated_at
    FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE i.wallet = %s ORDER BY i.intended_at, d.ordinal, i.listing_id
"""
FILLS = """
    SELECT listing_id, filled_at, known_at, side, quantity, price, fee FROM trading.fills WHERE wallet = %s
    ORDER BY known_at, filled_at, side, quantity, price
"""


EQUITY = """
    SELECT time, cash, holdings, equity, growth, drawdown, benchmark FROM results.equity WHERE wallet = %s ORDER BY time
"""
PERFORMANCE = """
    SELECT 0, statistics, benchmark FROM results.performance WHERE wallet = %(name)s
    UNION ALL SELECT listing_id, statistics, benchmark FROM results.listing_performance WHERE wallet = %(name)s
    ORDER BY 1
"""
LISTING_EQUITY = """
    SELECT listing_id, day, time, quantity, value, pnl, benchmark FROM results.listing_equity WHERE wallet = %s
    ORDER BY 1, 2
"""
ROUND_TRIPS = """
    SELECT sequence, listing_id, side, opened_at, closed_at, fills, quantity, entry_price, exit_price, fees, profit
    FROM results.round_trips WHERE wallet = %s ORDER BY 1
"""


class Draw:
    """Draws numbers as `random.Random` does, from a state that is plain data."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 2_654_435_761 % 2**32

    def random(self) -> float:
        self.state = (1_664_525 * self.state + 1_013_904_223) % 2**32
        return self.state / 2**32

    def choice(self, values: tuple[Any, ...]) -> Any:
        return values[self.randrange(0, len(values))]

    def randrange(self, start: int, stop: int | None = None) -> int:
        low, high = (0, start) if stop is None else (start, stop)
        return low + int(self.random() * (high - low))


class PlainRandomOrders(RandomOrders):
    """Orders at random, with a state that can be saved."""

    name: ClassVar[str] = "plain_random_orders"

    def on_start(self, account: Account) -> None:
        super().on_start(account)
        self.random = Draw(int(self.seed))  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def random_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    for strategy in (RandomOrders, PlainRandomOrders):
        monkeypatch.setitem(strategies(), strategy.name, strategy)


def walk(seed: int, length: int) -> list[float]:
    """A synthetic price that swings: by a sine and at random."""
    draw = random.Random(seed)
    price, closes = 100.0, []
    for n in range(length):
        price = max(50.0, price + draw.gauss(0, 0.4) + (0.6 if n % 20 < 10 else -0.6))
        closes.append(round(price, 1))
    return closes


def now_step(market: Connection, adbc: "AdbcConnection", wallet: Wallet, now: Any) -> Stepped:
    """The next pass's stepping, from the newest checkpoint that holds. Writes nothing."""
    base = newest_checkpoint(market, wallet, read_ground(market, wallet), now=now)
    stepped = step(market, adbc, wallet, now=now, base=base)
    market.rollback()
    return stepped


def events(market: Connection, adbc: "AdbcConnection", wallet: Wallet, now: Any) -> int:
    return now_step(market, adbc, wallet, now).events


class Twins:
    """Two wallets of one setting with the same passes; the second is stepped from its opening each time."""

    def __init__(
        self, market: Connection, adbc: "AdbcConnection", theirs: Connection, template: WalletTemplate
    ) -> None:
        self._market, self._adbc, self._theirs = market, adbc, theirs
        self.names = ("resumed", "stepped_at_once")
        self.wallets = [open_wallet(market, replace(template, name=name), now=START) for name in self.names]

    def trade(self, now: Any) -> None:
        for wallet in self.wallets:
            if wallet.name == self.names[1]:
                self._market.execute("DELETE FROM trading.wallet_checkpoints WHERE wallet = %s", [wallet.name])
            venue = PaperBroker(self._theirs, wallet)
            execute_pending(self._market, venue, wallet.name, now=now)
            decide(self._market, self._adbc, wallet.name, now=now)
            execute_pending(self._market, venue, wallet.name, now=now)
            measure(self._market, self._adbc, wallet.name, now=now)

    def _rows(self, query: str, name: str) -> list[Any]:
        names: Any = {"name": name} if "%(name)s" in query else [name]
        return self._market.execute(query, names).fetchall()

    def assert_alike(self) -> int:
        """How many decisions they have made."""
        found = []
        for query in (DECISIONS, REMADE, ORDERS, FILLS, EQUITY, PERFORMANCE, LISTING_EQUITY, ROUND_TRIPS):
            first, second = (self._rows(query, name) for name in self.names)
            assert first == second
            found.append(len(first))
        return found[0]


# Of these it is known that they trade on such bars; others need a day, or a price that goes far.
TRADES = {"sma_cross", "ema_cross", "range_straddle", "channel_limit_orders", "plain_random_orders", "random_orders"}
SPECIAL: dict[str, dict[str, Any]] = {
    "dollar_cost_averaging": {"days": 1},
    "range_straddle": {"length": 5, "hold": 3, "size": 1.0},
    "follow_prediction": {"model": "ridge", "threshold": 0.0},
    "plain_random_orders": {"seed": 5},
    "random_orders": {"seed": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*strategies(), "plain_random_orders", "random_orders"}))
def test_passes_from_checkpoints_do_what_passes_from_the_opening_do(
    name: str, market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, database_url: str
) -> None:
    """With bars that come late, are revised, or vanish, and a forecast that is made anew."""
    draw = random.Random(name)
    template = replace(TWO, strategy=name, parameters=SPECIAL.get(name, {}))
    end = START + 70 * MINUTE
    for listing, seed in ((BTC, 1), (ETH, 2)):
        add_candles(walk(seed, 130), start=START - 60 * MINUTE, listing=listing)
    market.execute("DELETE FROM records.candles WHERE listing_id = %s AND open_time = %s", [ETH, START + 21 * MINUTE])
    forecast(market, "FIRST", 0.1, START)
    times = sorted(START + draw.uniform(1, 70) * MINUTE for _ in range(7))
    with connect(database_url) as theirs:
        twins = Twins(market, adbc, theirs, template)
        for k, now in enumerate([*times, end]):
            if k == 3:
                add_candles([101.5], start=START + 21 * MINUTE, listing=ETH)
            if k == 4:
                market.execute(
                    "UPDATE records.candles SET close = high WHERE open_time = %s",
                    [times[1].replace(second=0, microsecond=0)],
                )
                market.commit()
            if k == 5:
                market.execute("DELETE FROM records.candles WHERE open_time = %s", [START + 2 * MINUTE])
                forecast(market, "SECOND", -0.1, START + MINUTE)
            twins.trade(now)
        made = twins.assert_alike()
    assert made or name not in TRADES
    resumed, _ = twins.wallets
    stored = rows(market, "SELECT count(*) FROM trading.wallet_checkpoints WHERE wallet = 'resumed'")
    assert (stored[0][0] > 0) == (name != "random_orders")
    assert (events(market, adbc, resumed, end) < 20) == (name != "random_orders")


CHANGE = st.sampled_from(["nothing", "late", "revised", "deleted"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    strategy=st.sampled_from(
        ["sma_cross", "rsi_reversion", "momentum_rotation", "plain_random_orders", "pairs_zscore"]
    ),
    passes=st.lists(st.tuples(st.floats(0.5, 40), CHANGE, st.integers(0, 39)), min_size=1, max_size=6),
)
def test_k_passes_at_any_times_decide_what_one_decides(
    strategy: str,
    passes: list[tuple[float, str, int]],
    market: Connection,
    adbc: "AdbcConnection",
) -> None:
    """Whatever changes between the passes; without a venue, so that only what is stored can differ."""
    market.execute("DELETE FROM records.candles")
    for listing, phase in ((BTC, 0), (ETH, 3)):
        market.execute(MINUTES, {"listing": listing, "start": START - 60 * MINUTE, "count": 100, "phase": phase})
    number = next(NUMBERS)
    names = [f"{name}_{number}" for name in ("resumed", "at_once")]
    for name in names:
        open_wallet(market, replace(TWO, name=name, strategy=strategy, parameters=SPECIAL.get(strategy, {})), now=START)
    for after, change, minute in sorted(passes):
        opened = START + minute * MINUTE
        if change == "late":
            market.execute(CANDLE, [opened, BTC])
        elif change == "revised":
            market.execute("UPDATE records.candles SET close = low WHERE open_time = %s", [opened])
        elif change == "deleted":
            market.execute("DELETE FROM records.candles WHERE open_time = %s AND listing_id = %s", [opened, ETH])
        market.commit()
        for name in names:
            if name == names[1]:
                market.execute("DELETE FROM trading.wallet_checkpoints WHERE wallet = %s", [name])
            decide(market, adbc, name, now=START + after * MINUTE)
    for query in (DECISIONS, REMADE):
        first, second = (market.execute(query, [name]).fetchall() for name in names)
        assert first == second
    market.rollback()


NUMBERS = itertools.count()
MINUTES = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
        knowledge_time, knowledge_basis, fetch_id, recorded_at)
    SELECT %(listing)s, '1m', minute, minute + interval '1 minute', price, price + 3, price - 3,
        price + 2 * sin(n * 1.9 + %(phase)s), 1, minute + interval '1 minute', 'stated', 1, %(start)s
    FROM generate_series(0, %(count)s - 1) AS n
    CROSS JOIN LATERAL (
        SELECT %(start)s::timestamptz + n * interval '1 minute' AS minute, 100 + 8 * sin(n / 4.0 + %(phase)s) AS price
    ) AS minutes
    ON CONFLICT DO NOTHING
"""


def test_a_pass_costs_the_same_after_a_day_and_after_a_month(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    """The wallet's two listings have a bar a minute each: those of the last checkpoint's instant, and a new minute."""
    counts = []
    for name, days in (("young", 1), ("old", 30)):
        opened = START - timedelta(days=days)
        market.execute("DELETE FROM records.candles")
        for listing in (BTC, ETH):
            fill_minutes(market, listing, opened, days * 1440)
        wallet = open_wallet(market, replace(TWO, name=name, opened_at=opened), now=opened)
        decide(market, adbc, name, now=START + SECOND)
        for listing in (BTC, ETH):
            fill_minutes(market, listing, START, 1)
        stepped = now_step(market, adbc, wallet, START + MINUTE + SECOND)
        counts.append((stepped.events, stepped.feed.bars))
    assert counts == [(4, 4), (4, 4)]


def fill_minutes(market: Connection, listing: int, start: Any, count: int) -> None:
    market.execute(
        """
        INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
            knowledge_time, knowledge_basis, fetch_id, recorded_at)
        SELECT %(listing)s, '1m', minute, minute + interval '1 minute', 100, 102, 98, 100 + sin(n / 9.0), 1,
            minute + interval '1 minute', 'stated', 1, %(start)s
        FROM generate_series(0, %(count)s - 1) AS n
        CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + n * interval '1 minute' AS minute) AS minutes
        """,
        {"listing": listing, "start": start, "count": count},
    )
    market.commit()


@pytest.fixture
def resumed(market: Connection, adbc: "AdbcConnection", add_candles: AddCandles) -> Wallet:
    """A wallet over two listings with a checkpoint at the last of 30 minutes."""
    for listing, seed in ((BTC, 1), (ETH, 2)):
        add_candles(walk(seed, 50), start=START - 20 * MINUTE, listing=listing)
    wallet = open_wallet(market, TWO, now=START)
    decide(market, adbc, "paper", now=START + 30 * MINUTE + SECOND)
    assert events(market, adbc, wallet, START + 30 * MINUTE + SECOND) == 2
    return wallet


def run(statement: str, *parameters: Any) -> Callable[[Connection], Any]:
    return lambda connection: connection.execute(statement, parameters)


BEHIND = START + 10 * MINUTE
CANDLE = """
    INSERT INTO records.candles SELECT listing_id, '1m', open_time + interval '30 seconds',
        close_time - interval '10 seconds', open, high, low, close, 1, 1, 1, knowledge_time, 'stated', 1, now()
    FROM records.candles WHERE open_time = %s AND listing_id = %s
    ON CONFLICT DO NOTHING
"""
EARLIER_CANDLE = """
    INSERT INTO records.candles SELECT listing_id, '1m', open_time - interval '9 days', close_time - interval '9 days',
        open, high, low, close, 1, 1, 1, knowledge_time - interval '9 days', 'stated', 1, now()
    FROM records.candles WHERE open_time = %s
"""
CHANGES: dict[str, tuple[Callable[[Connection], Any], bool]] = {
    # what changes, and whether the checkpoint holds
    "a bar comes late": (run(CANDLE, BEHIND, BTC), False),
    "a bar is revised": (run("UPDATE records.candles SET close = high WHERE open_time = %s", BEHIND), False),
    "a bar is deleted": (run("DELETE FROM records.candles WHERE open_time = %s", BEHIND), False),
    "a bar is known earlier": (
        run(
            "UPDATE records.candles SET knowledge_time = close_time, close_time = open_time WHERE open_time = %s",
            BEHIND,
        ),
        False,
    ),
    "all bars go": (run("TRUNCATE records.candles"), False),
    "a split is found": (
        run(
            "INSERT INTO records.split_adjustments VALUES (%s, 1, %s, %s, 2, 'prices', %s, now())",
            BTC,
            START,
            START,
            START,
        ),
        False,
    ),
    "a bar of the warm-up is revised": (
        run("UPDATE records.candles SET close = high WHERE open_time = %s", START - 2 * MINUTE),
        False,
    ),
    "a bar of before the warm-up is stored": (run(EARLIER_CANDLE, BEHIND), True),
    "the next bar is stored": (run(CANDLE, START + 29 * MINUTE, BTC), True),
    "an hourly bar is stored": (run(CANDLE.replace("'1m'", "'1h'"), BEHIND, BTC), True),
    "a bar of another listing is stored": (
        run(CANDLE.replace("SELECT listing_id", f"SELECT {AAPL}"), BEHIND, BTC),
        True,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_holds_until_something_behind_it_changes(
    change: str, market: Connection, adbc: "AdbcConnection", resumed: Wallet
) -> None:
    make, holds = CHANGES[change]
    make(market)
    market.commit()
    found = newest_checkpoint(market, resumed, read_ground(market, resumed), now=START + 31 * MINUTE)
    assert (found is not None) == holds


def test_a_change_that_was_under_way_while_the_inputs_were_read_is_seen(
    market: Connection, adbc: "AdbcConnection", resumed: Wallet, database_url: str
) -> None:
    """It commits after the pass that did not see it, though its transaction began before, and others ended since."""
    with connect(database_url) as loader:
        loader.execute("UPDATE records.candles SET close = high WHERE open_time = %s", [BEHIND])
        market.execute("DELETE FROM trading.wallet_checkpoints")
        market.commit()
        decide(market, adbc, "paper", now=START + 30 * MINUTE + SECOND)
        assert events(market, adbc, resumed, START + 30 * MINUTE + SECOND) == 2
        loader.commit()
    assert events(market, adbc, resumed, START + 30 * MINUTE + SECOND) > 60


def test_what_was_revised_today_is_stepped_from_yesterday(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    opened = START + timedelta(hours=23, minutes=30)
    midnight = START + timedelta(days=1)
    wallet = open_wallet(market, replace(PAPER, opened_at=opened), now=opened)
    for now in (midnight - MINUTE, midnight + 10 * MINUTE, midnight + 20 * MINUTE):
        done = rows(market, "SELECT count(*) FROM records.candles")[0][0]
        count = int((now - opened) / MINUTE)
        add_candles(walk(3, 60)[done:count], start=opened + done * MINUTE)
        decide(market, adbc, "paper", now=now + SECOND)
    covered = rows(market, "SELECT covers_to FROM trading.wallet_checkpoints ORDER BY 1")
    assert [at for (at,) in covered] == [midnight - MINUTE, midnight + 20 * MINUTE]
    market.execute("UPDATE records.candles SET close = high WHERE open_time = %s", [midnight + 5 * MINUTE])
    market.commit()
    assert events(market, adbc, wallet, midnight + 20 * MINUTE + SECOND) == 22


def test_other_code_or_another_listing_steps_from_the_opening(
    market: Connection, adbc: "AdbcConnection", resumed: Wallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = START + 30 * MINUTE + SECOND
    with monkeypatch.context() as patch:
        patch.setattr(registry, "PACKAGE", edited_package(tmp_path))
        assert events(market, adbc, resumed, now) > 60
    assert events(market, adbc, resumed, now) == 2
    other = replace(resumed, listings=[replace(listing, lot=Decimal(1)) for listing in resumed.listings])
    assert events(market, adbc, other, now) > 60


def test_a_fill_that_is_booked_with_an_earlier_time_is_stepped_through(
    market: Connection, adbc: "AdbcConnection", wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(walk(1, 40))
    with connect(database_url) as theirs:
        for minute in range(1, 30):
            decide(market, adbc, "paper", now=START + minute * MINUTE + SECOND)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=START + minute * MINUTE + SECOND)
    now = START + 30 * MINUTE
    assert events(market, adbc, wallet, now) < 6
    first = load_fills(market, wallet)[0]
    post_fill(market, wallet, replace(first, content_id="LATE", quantity=Decimal("0.5")), now=now)
    market.commit()
    stepped = now_step(market, adbc, wallet, now)
    assert stepped.events > 30
    assert [fill.content_id for fill in stepped.fills[:2]] == [first.content_id, "LATE"]


def test_changes_outlive_the_checkpoints_that_have_to_see_them(
    market: Connection, adbc: "AdbcConnection", resumed: Wallet
) -> None:
    for table, column in (("input_changes", "changed_at"), ("wallet_checkpoints", "read_at")):
        market.execute(f"UPDATE trading.{table} SET {column} = now() - interval '29 days 12 hours'")
    assert newest_checkpoint(market, resumed, read_ground(market, resumed), now=START + 31 * MINUTE) is None
    assert checkpoints.delete_old_changes(market) == 0
    market.execute("UPDATE trading.input_changes SET changed_at = now() - interval '31 days'")
    assert checkpoints.delete_old_changes(market) > 0


@pytest.mark.parametrize("edit", ["{}", "[", '{"engine": 5}', '{"engine": {"class": "os.system", "state": {}}}'])
def test_an_edited_checkpoint_runs_nothing_and_costs_time_only(
    edit: str, market: Connection, adbc: "AdbcConnection", resumed: Wallet
) -> None:
    market.execute("UPDATE trading.wallet_checkpoints SET state = %s", [edit])
    market.commit()
    assert events(market, adbc, resumed, START + 30 * MINUTE + SECOND) > 60


def test_the_state_does_not_grow_with_the_orders_that_are_over(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, database_url: str
) -> None:
    template = replace(PAPER, strategy="range_straddle", parameters=SPECIAL["range_straddle"], cash=Decimal(100_000))
    add_candles(walk(4, 61))
    wallet = open_wallet(market, template, now=START)
    with connect(database_url) as theirs:
        for minute in range(1, 61):
            decide(market, adbc, "paper", now=START + minute * MINUTE + SECOND)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=START + minute * MINUTE + SECOND)
    [(made,)] = rows(market, "SELECT count(*) FROM trading.intents")
    [(state,)] = rows(market, "SELECT state FROM trading.wallet_checkpoints ORDER BY covers_to DESC LIMIT 1")
    kept = json.loads(state)["journal"]["orders"]
    assert made > 10
    assert len(kept) <= 4


@pytest.mark.parametrize(("point", "stored"), [("signals.decisions_written", 0), ("signals.decisions_committed", 1)])
def test_a_checkpoint_is_stored_with_the_decisions_before_it_or_not_at_all(
    point: str, stored: int, market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0, 101.0, 102.0])
    assert is_killed_at(database_url, START + 2.5 * MINUTE, point)
    assert rows(market, "SELECT count(*) FROM trading.wallet_checkpoints") == [(stored,)]
    assert rows(market, "SELECT count(*) FROM signals.decisions") == [(stored,)]
    main(database_url, START + 2.5 * MINUTE)
    assert rows(market, "SELECT count(*) FROM signals.decisions") == [(1,)]


def test_every_strategy_of_the_library_can_be_saved() -> None:
    """One that cannot is stepped from its opening; none of ours is."""
    from strades_pipelines.engine.saved_state import save

    for name in strategies():
        if name != RandomOrders.name:
            strategy = create(name, SPECIAL.get(name, {}))
            strategy.on_start(Account(2, 1000.0))
            save(strategy)
