"""Several strategies in one wallet: each trades from its own position, and together they are the wallet, exactly."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.daily_parity import compare_day, write_daily_parity
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.flatten import flatten
from strades_pipelines.brokerage.halts import halt, resume, wallets_of
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import SleeveError, decide, measure
from strades_pipelines.brokerage.order_journal import Executed
from strades_pipelines.brokerage.portfolio import Wallet, fills_of_session, load_wallet
from strades_pipelines.brokerage.sleeves import SEVERAL
from strades_pipelines.brokerage.trading_context import read_context
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallet_status import wallet_status
from strades_pipelines.brokerage.wallets import SleeveTemplate, WalletsError
from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import observe_crash_points
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_crashes import is_killed_at
from tests.brokerage.test_live import CLOSES

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

BITCOIN = ("gateio:BTC_USDT",)
TREND = SleeveTemplate("trend", "sma_cross", {"fast": 1, "slow": 2, "size": 2.0}, BITCOIN, Decimal(60))
SLOW = SleeveTemplate("slow", "sma_cross", {"fast": 1, "slow": 3, "size": 1.0}, BITCOIN, Decimal(40))
SHARED = replace(PAPER, strategy=SEVERAL, parameters={}, sleeves=(TREND, SLOW))
END = START + len(CLOSES) * MINUTE
Pass = Callable[..., Executed]


@pytest.fixture
def shared(market: Connection) -> Wallet:
    return open_wallet(market, SHARED, now=START)


@pytest.fixture
def trade(market: Connection, adbc: "AdbcConnection", shared: Wallet, database_url: str) -> Iterator[Pass]:
    """One pass of a wallet: decide, then execute."""
    with connect(database_url) as theirs:

        def run(now: datetime, name: str = "paper", *, decides: bool = True) -> Executed:
            if decides:
                decide(market, adbc, name, now=now)
            venue = PaperBroker(theirs, load_wallet(market, name))
            # On a busy machine a pass took so long that its orders came after the open of their bar (2026-11-30).
            return execute_pending(market, venue, name, now=now, elapsed=lambda: 0.0)

        yield run


def trade_through(trade: Pass, last: int = len(CLOSES), name: str = "paper") -> None:
    for minute in range(1, last + 1):
        trade(START + minute * MINUTE, name)


def want(
    market: Connection,
    strategy: str,
    target: float,
    at: datetime,
    request: OrderRequest | None = None,
    ordinal: int = 0,
) -> TradingDecision:
    """Put a decision of a sleeve into the database, as its strategy would have made it."""
    made = TradingDecision("paper", strategy, 0, BTC, at, "bar", "bar@", ordinal, 0.0, target, "why", {}, request)
    assert insert(market, "signals.decisions", decision_row(made, at))
    market.commit()
    return made


def owned(market: Connection) -> dict[str, Decimal]:
    return dict(rows(market, "SELECT owner, quantity FROM trading.owner_positions ORDER BY owner"))


def refusals(market: Connection) -> list[tuple[Any, ...]]:
    query = "SELECT strategy, code FROM trading.refusals INNER JOIN signals.decisions USING (decision_id) ORDER BY 1, 2"
    return rows(market, query)


def test_each_strategy_trades_as_it_does_in_a_wallet_of_its_own(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    alone = {sleeve.name: f"only_{sleeve.name}" for sleeve in SHARED.sleeves}
    for sleeve in SHARED.sleeves:
        template = replace(PAPER, name=alone[sleeve.name], parameters=sleeve.parameters)
        open_wallet(market, template, now=START)
    for name in ("paper", *alone.values()):
        trade_through(trade, name=name)
    done = "SELECT f.filled_at, f.side, f.quantity, f.price, f.fee FROM trading.fills AS f "
    done += "INNER JOIN trading.intents AS i USING (intent_id) INNER JOIN signals.decisions AS d USING (decision_id) "
    done += "WHERE f.wallet = %s {} ORDER BY 1"
    for strategy, name in alone.items():
        ours = market.execute(done.format("AND d.strategy = %s"), ["paper", strategy]).fetchall()
        theirs = market.execute(done.format(""), [name]).fetchall()
        assert ours == theirs
        assert len(ours) >= 3


def test_the_strategies_add_up_to_their_wallet_at_every_minute(
    market: Connection, trade: Pass, shared: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    for minute in range(1, len(CLOSES) + 1):
        now = START + minute * MINUTE
        trade(now)
        status = wallet_status(market, load_wallet(market, "paper"), now=now)
        assert [owner.name for owner in status.owners] == ["slow", "trend", "unattributed"]
        for name in ("realised", "unrealised"):
            assert sum(getattr(owner, name) for owner in status.owners) == getattr(status, name)
        assert status.realised + status.unrealised == status.equity - 1000
        held = [position.quantity for position in status.positions]
        assert [sum(part.quantity for owner in status.owners for part in owner.positions)] == (held or [Decimal(0)])
        for view in load_wallet(market, "paper").strategy_views():  # what it sees of its own position
            assert sum(fill.units for fill in fills_of_session(market, view)) == owned(market).get(view.title, 0)
        assert verify_ledger(market, "paper") == []
    measure_history(market, load_wallet(market, "paper"), now=END)
    [(made, fees, traded)] = rows(market, "SELECT sum(pnl), sum(fees), sum(traded) FROM results.strategy_sessions")
    assert made == wallet_status(market, load_wallet(market, "paper"), now=END).equity - 1000
    assert (fees, traded) == rows(market, "SELECT sum(fee), sum(quantity * price) FROM trading.fills")[0]


def test_profit_is_each_strategys_own(market: Connection, trade: Pass, add_candles: AddCandles) -> None:
    """One buys 2 at 100, the other 1 at 110; the first sells at 120: by hand, fees of 0.1 % in."""
    add_candles([100.0, 100.0, 110.0, 120.0, 120.0], opens=[100.0, 100.0, 110.0, 120.0, 120.0])
    want(market, "trend", 2.0, START + MINUTE)
    trade(START + MINUTE, decides=False)  # filled at the open of 00:01
    want(market, "slow", 1.0, START + 2 * MINUTE)
    trade(START + 2 * MINUTE, decides=False)  # at 110
    want(market, "trend", 0.0, START + 3 * MINUTE)
    trade(START + 3 * MINUTE, decides=False)  # at 120
    trade(START + 5 * MINUTE, decides=False)
    found = rows(market, "SELECT owner, quantity, cost, realised FROM trading.owner_positions ORDER BY owner")
    assert found == [("slow", 1, Decimal("110.11"), 0), ("trend", 0, 0, Decimal("39.56"))]
    assert rows(market, "SELECT quantity, cost, realised FROM trading.positions") == [
        (1, Decimal("110.11"), Decimal("39.56"))
    ]
    measure_history(market, load_wallet(market, "paper"), now=START + 5 * MINUTE)
    assert rows(market, "SELECT realised FROM results.wallet_sessions") == [(Decimal("39.56"),)]


def test_opposite_decisions_of_one_instant_both_go_out(
    market: Connection, trade: Pass, add_candles: AddCandles, caplog: pytest.LogCaptureFixture
) -> None:
    add_candles([100.0] * 6)
    want(market, "trend", 2.0, START + MINUTE)
    trade(START + MINUTE, decides=False)
    trade(START + 3 * MINUTE, decides=False)
    want(market, "trend", 0.0, START + 3 * MINUTE)
    want(market, "slow", 3.0, START + 3 * MINUTE)
    with caplog.at_level("WARNING"):
        assert len(trade(START + 3 * MINUTE, decides=False).sent) == 2
    assert "trend (sell 2) trades gateio:BTC_USDT against slow (buy 3); both go out" in caplog.text
    trade(START + 5 * MINUTE, decides=False)
    assert owned(market) == {"slow": 3, "trend": 0}
    orders = "SELECT d.strategy, i.side, i.quantity FROM trading.intents AS i INNER JOIN signals.decisions AS d "
    assert rows(market, f"{orders} USING (decision_id) ORDER BY i.intended_at, 1") == [
        ("trend", "buy", 2),
        ("slow", "buy", 3),
        ("trend", "sell", 2),
    ]


def test_a_strategy_sells_and_spends_no_more_than_its_own(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    """The wallet has 1000: 600 of it are for `trend`. A limit of the wallet counts what both hold."""
    add_candles([100.0] * 6)
    want(market, "slow", 3.0, START + MINUTE)
    trade(START + MINUTE, decides=False)
    trade(START + 3 * MINUTE, decides=False)
    sale = OrderRequest(Decimal(-1), OrderTerms())
    want(market, "trend", 0.0, START + 3 * MINUTE, sale)
    want(market, "trend", 6.0, START + 3 * MINUTE, ordinal=1)
    want(market, "slow", 4.0, START + 3 * MINUTE)
    assert trade(START + 3 * MINUTE, decides=False).sent == []
    assert refusals(market) == [
        ("slow", "cash_below_zero"),
        ("trend", "cash_below_zero"),
        ("trend", "position_below_zero"),
    ]
    limits = '{"max_position_units": 4}'
    market.execute("UPDATE trading.wallets SET limits = %s", [limits])
    want(market, "trend", 2.0, START + 4 * MINUTE)
    trade(START + 4 * MINUTE, decides=False)
    assert ("trend", "position_units") in refusals(market)


def test_what_only_reduces_is_refused_with_the_entry_that_it_hangs_on(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles([100.0] * 3)
    at = START + MINUTE
    entry = want(market, "trend", 0.0, at, OrderRequest(Decimal(1), OrderTerms()))
    stop = OrderTerms(stop=Decimal(90), reduce_only=True, parent_id=entry.intent_id())
    want(market, "trend", 0.0, at, OrderRequest(Decimal(-1), stop), ordinal=1)
    want(market, "slow", 0.0, at, OrderRequest(Decimal(1), OrderTerms(limit=Decimal(99))))
    assert len(trade(at, decides=False).sent) == 1
    assert refusals(market) == [("trend", "shared_position")] * 2


def test_a_halt_of_one_strategy_stops_that_one_alone(market: Connection, trade: Pass, add_candles: AddCandles) -> None:
    add_candles([100.0] * 6)
    asked = Request("halt", Scope("strategy", "trend"), "alice", START, "a test")
    assert wallets_of(market, asked.scope) == ["paper"]
    halt(market, asked, "halted")
    for strategy in ("trend", "slow"):
        want(market, strategy, 1.0, START + MINUTE)
    trade(START + MINUTE, decides=False)
    trade(START + 3 * MINUTE, decides=False)
    assert owned(market) == {"slow": 1}
    assert refusals(market) == [("trend", "strategy_halted")]
    assert {sleeve.name: sleeve.state for sleeve in load_wallet(market, "paper").sleeves} == {
        "slow": "active",
        "trend": "halted",
    }
    resume(market, replace(asked, kind="resume"))
    want(market, "trend", 1.0, START + 3 * MINUTE)
    assert len(trade(START + 3 * MINUTE, decides=False).sent) == 1
    halt(market, replace(asked, scope=Scope("strategy", "sma_cross")), "halted")  # of the class: both
    assert {sleeve.state for sleeve in load_wallet(market, "paper").sleeves} == {"halted"}


def test_a_halt_between_plan_and_send_keeps_the_order_of_that_strategy_back(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles([100.0] * 3)
    for strategy in ("trend", "slow"):
        want(market, strategy, 1.0, START + MINUTE)
    asked = Request("halt", Scope("strategy", "trend"), "alice", START, "a test")

    def halt_then(point: str) -> None:
        if point == "trading.intents_committed":
            halt(market, asked, "halted")

    with observe_crash_points(halt_then):
        assert len(trade(START + MINUTE, decides=False).sent) == 1
    states = (
        "SELECT d.strategy, o.state, o.reason FROM trading.orders AS o INNER JOIN trading.intents USING (intent_id) "
    )
    assert rows(market, f"{states} INNER JOIN signals.decisions AS d USING (decision_id) ORDER BY 1") == [
        ("slow", "accepted", None),
        ("trend", "cancelled", "strategy_halted; it was never sent"),
    ]


def test_a_strategy_that_leaves_the_file_is_retired_and_keeps_what_it_holds(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles(CLOSES[:6])
    trade_through(trade, 6)
    want(market, "trend", 0.0, END, OrderRequest(Decimal(1), OrderTerms(limit=Decimal(50))))
    trade(END, decides=False)
    open_wallet(market, replace(SHARED, sleeves=(SLOW,)), now=END)
    before = owned(market)
    assert before["trend"] == 2
    decided = rows(market, "SELECT count(*) FROM signals.decisions WHERE strategy = 'trend'")
    trade(END)
    assert rows(market, "SELECT count(*) FROM signals.decisions WHERE strategy = 'trend'") == decided
    assert rows(market, "SELECT reason FROM trading.orders WHERE state IN ('cancelled', 'cancelling')") != []
    assert owned(market)["trend"] == 2
    assert load_wallet(market, "paper").retired_sleeves == {"trend"}
    open_wallet(market, SHARED, now=END)  # listed again
    assert load_wallet(market, "paper").retired_sleeves == frozenset()


def test_a_flatten_gives_each_strategy_its_own_exit(
    market: Connection, trade: Pass, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0] * 9)
    for strategy, units in (("trend", 2.0), ("slow", 1.0)):
        want(market, strategy, units, START + MINUTE)
    trade(START + MINUTE, decides=False)
    trade(START + 3 * MINUTE, decides=False)
    open_wallet(market, replace(SHARED, sleeves=(SLOW,)), now=START + 3 * MINUTE)  # of a retired one too
    halt(market, Request("halt", Scope("wallet", "paper"), "alice", START, None), "halted")
    asked = Request("flatten", Scope("wallet", "paper"), "alice", START + 3 * MINUTE, None)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, load_wallet(market, "paper"))
        done = flatten(market, venue, asked, clock=lambda: START + 3 * MINUTE, seconds=1)
        again = flatten(market, venue, asked, clock=lambda: START + 3 * MINUTE, seconds=1)
    assert (len(done.exits), done.is_good, again.exits) == (2, True, [])
    trade(START + 6 * MINUTE, decides=False)
    assert owned(market) == {"slow": 0, "trend": 0}
    assert verify_ledger(market, "paper") == []


def test_an_order_by_hand_is_nobodys_and_sells_nothing_of_a_strategys(
    market: Connection, trade: Pass, add_candles: AddCandles
) -> None:
    add_candles([100.0] * 6)
    want(market, "slow", 1.0, START + MINUTE)
    hand = replace(want(market, "x", 0.0, START), strategy="person", trigger_kind="person")
    for ordinal, units in enumerate((2, -3)):
        made = replace(hand, decided_at=START + MINUTE, ordinal=ordinal)
        made = replace(made, request=OrderRequest(Decimal(units), OrderTerms()))
        assert insert(market, "signals.decisions", decision_row(made, START + MINUTE))
    market.commit()
    trade(START + MINUTE, decides=False)
    trade(START + 3 * MINUTE, decides=False)
    assert owned(market) == {"slow": 1, "unattributed": 2}
    assert ("person", "position_below_zero") in refusals(market)


def test_a_strategy_that_raises_stops_itself_alone(
    market: Connection, adbc: "AdbcConnection", shared: Wallet, add_candles: AddCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_candles(CLOSES[:4])
    market.execute("""UPDATE trading.sleeves SET parameters = '{"fast": "x"}' WHERE sleeve = 'slow'""")
    market.commit()
    with pytest.raises(SleeveError, match=r"^strategy slow: .*fast"):
        decide(market, adbc, "paper", now=START + 3 * MINUTE)
    assert rows(market, "SELECT DISTINCT strategy FROM signals.decisions") == [("trend",)]


def test_what_a_strategy_is_never_changes_but_its_capital(market: Connection, shared: Wallet) -> None:
    with pytest.raises(WalletsError, match=r"wallet paper: strategy slow: expected .*use a new name"):
        open_wallet(market, replace(SHARED, sleeves=(TREND, replace(SLOW, strategy="ema_cross"))), now=START)
    market.rollback()
    changed = replace(SHARED, sleeves=(TREND, replace(SLOW, capital_percent=Decimal(10))))
    wallet = open_wallet(market, changed, now=START + MINUTE)
    assert [view.opening_cash for view in wallet.strategy_views()] == [100, 600]


def trade_day(trade: Pass, add_candles: AddCandles) -> None:
    """Each bar of `CLOSES` comes when it is over, and is traded on."""
    for n, (before, close) in enumerate(zip([100.0, *CLOSES], CLOSES, strict=False)):
        at = START + n * MINUTE
        add_candles([close], opens=[before], start=at, recorded_at=at + MINUTE)
        trade(at + MINUTE)


def test_a_day_of_it_is_what_a_replay_makes_of_it(
    market: Connection, adbc: "AdbcConnection", trade: Pass, add_candles: AddCandles
) -> None:
    trade_day(trade, add_candles)
    found = compare_day(market, adbc, "paper", date(2024, 1, 2))
    assert (found.differences, found.decisions) == ([], 10)
    assert found.decisions_agreeing == found.decisions
    assert found.fills_agreeing == found.fills > 0


def test_a_strategy_that_cannot_be_replayed_is_one_difference_and_the_others_have_their_score(
    market: Connection, adbc: "AdbcConnection", trade: Pass, add_candles: AddCandles
) -> None:
    trade_day(trade, add_candles)
    counted = dict(rows(market, "SELECT strategy, count(*) FROM signals.decisions GROUP BY strategy"))
    market.execute("""UPDATE trading.sleeves SET parameters = '{"fast": "x"}' WHERE sleeve = 'slow'""")
    market.commit()
    [day] = write_daily_parity(market, adbc, "paper", now=START + timedelta(days=1))
    [fault] = day.differences
    assert (fault.subject, fault.reference, fault.cause) == ("strategy", "slow", "strategy_fault")
    assert (fault.recorded, "fast" in fault.expected) == (f"{counted['slow']} decisions", True)
    found = rows(
        market,
        "SELECT sleeve, decisions, decisions_agreeing, fills > 0, fills = fills_agreeing FROM "
        "results.daily_strategy_parity ORDER BY sleeve",
    )
    assert found == [
        ("slow", counted["slow"], 0, True, True),
        ("trend", counted["trend"], counted["trend"], True, True),
    ]
    [score] = rows(market, "SELECT strategy, decision_score, fill_score FROM results.strategy_parity")
    assert score == ("sma_cross", pytest.approx(counted["trend"] / (counted["trend"] + counted["slow"])), 1.0)


def test_results_and_context_are_of_the_whole_wallet_and_say_its_strategies(
    market: Connection, adbc: "AdbcConnection", trade: Pass, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    trade_through(trade)
    measure(market, adbc, "paper", now=END)
    measure(market, adbc, "paper", now=END)
    measure_history(market, load_wallet(market, "paper"), now=END)
    status = wallet_status(market, load_wallet(market, "paper"), now=END)
    [(equity, cash)] = rows(market, "SELECT equity, cash FROM results.equity ORDER BY time DESC LIMIT 1")
    assert (equity, cash) == pytest.approx((float(status.equity), float(status.cash)))
    made = rows(
        market,
        "SELECT sleeve, strategy, fills, traded, fees, realised, unrealised FROM results.strategies ORDER BY sleeve",
    )
    assert [row[:2] for row in made] == [("slow", "sma_cross"), ("trend", "sma_cross")]
    for name, _, *figures in made:
        own = fills_of_session(
            market, next(view for view in load_wallet(market, "paper").strategy_views() if view.title == name)
        )
        assert figures[:3] == [len(own), sum(fill.quantity * fill.price for fill in own), sum(fill.fee for fill in own)]
        units = sum(fill.units for fill in own)
        assert float(figures[3] + figures[4]) == pytest.approx(
            float(sum(fill.cash_after_fee for fill in own)) + float(units) * CLOSES[-1]
        )
    # Both are of one kind, which has the whole wallet then, and no fill is shared out.
    [kind] = rows(
        market,
        """
        SELECT strategy, wallets, capital, final_equity, fees, round_trips, benchmark_return FROM results.by_strategy
        """,
    )
    fees = rows(market, "SELECT sum(fee)::float8 FROM trading.fills")[0][0]
    held = CLOSES[-1] / CLOSES[0] - 1
    assert kind == ("sma_cross", 1, 1000, pytest.approx(equity), pytest.approx(fees), None, pytest.approx(held))
    market.execute("UPDATE trading.sleeves SET strategy = 'other' WHERE sleeve = 'slow'")
    kinds = rows(market, "SELECT strategy, wallets, capital, final_equity FROM results.by_strategy ORDER BY strategy")
    brought = {row[0]: float(row[5] + row[6]) for row in made}
    assert kinds == [
        ("other", 1, 400, pytest.approx(400 + brought["slow"])),
        ("sma_cross", 1, 600, pytest.approx(600 + brought["trend"])),
    ]
    market.execute("UPDATE trading.sleeves SET strategy = 'sma_cross' WHERE sleeve = 'slow'")
    market.commit()
    [wallet] = read_context(market, now=END).wallets
    assert [one["name"] for one in wallet["strategies"]] == ["slow", "trend", "unattributed"]
    assert [one["strategy"] for one in wallet["strategies"]] == ["sma_cross", "sma_cross", None]


def test_a_pass_that_is_killed_while_a_fill_is_booked_books_it_once_for_its_strategy(
    market: Connection, trade: Pass, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES[:5])
    trade_through(trade, 2)
    assert is_killed_at(database_url, START + 4 * MINUTE, "trading.fill_written")
    assert owned(market) == {}
    trade(START + 4 * MINUTE)
    assert owned(market)["trend"] in (0, 2)
    assert verify_ledger(market, "paper") == []


def test_the_ids_of_a_wallet_with_one_strategy_are_what_they_were(
    market: Connection, adbc: "AdbcConnection", wallet: Wallet, add_candles: AddCandles
) -> None:
    """Taken from the version before sleeves."""
    add_candles(CLOSES[:3])
    [first, _] = decide(market, adbc, "paper", now=START + 3 * MINUTE)
    assert (first.decision_id, first.intent_id()) == ("H4J42IR7ZH6I6CUEN4NH5BMOWL", "S3D3WHQETMJMI26GLHGJ4BTP3E")
