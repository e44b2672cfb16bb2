"""Stops that a venue cannot keep, or not beside another exit: watched here, sent when touched, whatever restarts."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.waiting import waiting
from tests.brokerage.at_venue import AtGate
from tests.brokerage.brokers.benches import VenueBench, decide
from tests.brokerage.conftest import MINUTE, AddCandles, Connection, rows

STATES = """
    SELECT CASE WHEN i.order_type IN ('market', 'limit') THEN i.order_type ELSE 'stop' END, o.state, o.filled
    FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id) ORDER BY i.recorded_at, 1
"""


@pytest.fixture
def gate(market: Connection) -> VenueBench:
    """Gate.io, which has no stops through ccxt."""
    return VenueBench(AtGate(market), market)


class Market:
    """Bars and passes: a bar is known when it closes, and one pass follows it."""

    def __init__(self, bench: VenueBench, market: Connection, add_candles: AddCandles) -> None:
        self.bench, self.market, self._add = bench, market, add_candles

    def bar(self, opens: float, closes: float) -> None:
        """A minute from one price to another, at which the venue trades then."""
        start = self.bench.clock().replace(second=0, microsecond=0) + MINUTE
        self._add([closes], opens=[opens], start=start, listing=self.bench.listing_id)
        self.bench.clock.now = start + MINUTE + timedelta(seconds=1)
        self.bench.set_price(str(closes))
        self.run()

    def run(self, count: int = 2) -> None:
        """So many passes, a second apart."""
        for _ in range(count):
            execute_pending(self.market, self.bench.broker, self.bench.wallet.name, now=self.bench.clock())
            self.bench.clock.move(1)

    def states(self) -> dict[str, tuple[str, Any]]:
        """State and fills by the kind of order."""
        return {kind: (state, filled) for kind, state, filled in rows(self.market, STATES)}


def bracket(bench: VenueBench, market: Connection) -> None:
    """Buy 3 at the market; out of them at 95, or at 110."""
    entry = decide(bench, market, "3")
    for terms in ({"stop": "95"}, {"limit": "110"}):
        decide(bench, market, "-3", **terms, reduce_only=True, group=entry, parent_id=entry)


def test_of_two_exits_the_stop_is_watched_here(remote: VenueBench, market: Connection, add_candles: AddCandles) -> None:
    trades = Market(remote, market, add_candles)
    bracket(remote, market)
    trades.run(3)
    assert trades.states() == {"market": ("filled", 3), "stop": ("planned", 0), "limit": ("accepted", 0)}
    assert len(remote.working()) == 1
    trades.bar(100.0, 96.0)
    assert trades.states()["stop"] == ("planned", 0)
    trades.bar(96.0, 94.0)
    trades.run(2)
    assert trades.states() == {"market": ("filled", 3), "stop": ("filled", 3), "limit": ("cancelled", 0)}
    assert remote.working() == []
    assert rows(market, "SELECT quantity FROM trading.positions") in ([(0,)], [])
    assert verify_ledger(market, remote.wallet.name) == []


def test_the_other_exit_ends_the_stop(remote: VenueBench, market: Connection, add_candles: AddCandles) -> None:
    trades = Market(remote, market, add_candles)
    bracket(remote, market)
    trades.run(3)
    trades.bar(100.0, 111.0)
    assert trades.states() == {"market": ("filled", 3), "stop": ("cancelled", 0), "limit": ("filled", 3)}
    trades.bar(111.0, 90.0)  # which would have touched it
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(2,)]


def test_a_stop_ends_with_an_entry_that_is_never_filled(
    remote: VenueBench, market: Connection, add_candles: AddCandles
) -> None:
    trades = Market(remote, market, add_candles)
    entry = decide(remote, market, "3", limit="99", time_in_force="fok")
    decide(remote, market, "-3", stop="95", reduce_only=True, group=entry, parent_id=entry)
    trades.run(3)
    assert {state for state, _ in trades.states().values()} == {"cancelled"}


@pytest.mark.parametrize("watched_each_minute", [True, False])
def test_a_trailing_stop_stays_behind_the_best_price_through_every_restart(
    watched_each_minute: bool, gate: VenueBench, market: Connection, add_candles: AddCandles
) -> None:
    # From 100 up to 108 the stop is at 103 at last; 104 does not touch it, 102 does.
    trades = Market(gate, market, add_candles)
    decide(gate, market, "3")
    trades.run()
    decide(gate, market, "-3", trail="5", reduce_only=True)
    trades.run()
    if not watched_each_minute:
        trades.run = lambda count=2: None  # type: ignore[method-assign]
    for opens, closes in ((100.0, 108.0), (108.0, 104.0)):
        trades.bar(opens, closes)
    if watched_each_minute:
        assert trades.states()["stop"] == ("planned", 0)
    trades.bar(104.0, 102.0)
    Market.run(trades)
    assert trades.states()["stop"] == ("filled", 3)


def test_a_stop_is_never_too_old_to_be_sent(gate: VenueBench, market: Connection, add_candles: AddCandles) -> None:
    trades = Market(gate, market, add_candles)
    decide(gate, market, "3", stop="105", limit="107")
    trades.run()
    gate.clock.move(86_400 * 3)
    trades.bar(100.0, 106.0)
    assert trades.states()["stop"] == ("filled", 3)
    [sent] = gate.at.venue.exchange.orders.values()
    assert (sent.ticket.type.value, sent.ticket.limit_price) == ("limit", Decimal(107))


def test_a_bar_from_before_the_stop_touches_nothing(
    gate: VenueBench, market: Connection, add_candles: AddCandles
) -> None:
    trades = Market(gate, market, add_candles)
    trades.bar(100.0, 80.0)
    trades.bar(80.0, 100.0)
    decide(gate, market, "3", stop="105")
    trades.run()
    decide(gate, market, "-3", stop="90", reduce_only=True)
    trades.bar(100.0, 99.0)
    assert gate.orders() == []


def test_a_halted_wallet_keeps_its_stop_and_does_not_send_it(
    gate: VenueBench, market: Connection, add_candles: AddCandles
) -> None:
    trades = Market(gate, market, add_candles)
    decide(gate, market, "3", stop="105")
    trades.run()
    halt(market, Request("halt", Scope("wallet", gate.wallet.name), "a person", gate.clock(), None), "halted")
    trades.bar(100.0, 104.0)
    assert trades.states()["stop"] == ("planned", 0)
    trades.bar(104.0, 106.0)
    assert trades.states()["stop"] == ("cancelled", 0)
    assert gate.orders() == []


def test_a_watched_stop_asks_for_a_run_each_minute(gate: VenueBench, market: Connection) -> None:
    decide(gate, market, "3", stop="105")
    execute_pending(market, gate.broker, gate.wallet.name, now=gate.clock())
    keys = {tuple(waiting(market, now=gate.clock() + number * MINUTE)) for number in range(3)}
    assert len(keys) == 3
