"""A person's decisions stand beside those of the strategy, and neither takes the other's place."""

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.person_orders import decide_by_hand, exits, find_instrument, outcome_of
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import MARKET, OrderRequest, TradingDecision
from tests.brokerage.conftest import AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

BUY = OrderRequest(Decimal(1), MARKET)


def order(market: Connection, wallet: Wallet, request: OrderRequest = BUY) -> TradingDecision:
    """An order that alice gives at the instant of the strategy's own decision."""
    listing = find_instrument(wallet, "BTC_USDT")
    asked = Request("order", Scope("wallet", "paper"), "alice", DECIDED)
    _, made = decide_by_hand(market, wallet, listing, request, asked)
    market.commit()
    return made


def test_orders_at_the_instant_of_the_strategys_decision_are_all_sent(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection", database_url: str
) -> None:
    add_candles(CLOSES)
    first, second = order(market, wallet), order(market, wallet)
    assert (first.ordinal, second.ordinal) == (0, 1)
    [strategys] = decide(market, adbc, "paper", now=SENT)
    assert strategys.decided_at == first.decided_at
    with connect(database_url) as theirs:
        for now in (SENT, FILLED):
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=now)
    # What alice ordered stands beside the target, as a strategy's own orders do.
    sent = "SELECT strategy, sum(quantity) FROM trading.intents JOIN signals.decisions USING (decision_id) GROUP BY 1"
    assert sorted(rows(market, sent)) == [("person", 2), ("sma_cross", 2)]
    # Neither is taken for a decision of the strategy that came out otherwise.
    assert decide(market, adbc, "paper", now=FILLED) == []
    assert rows(market, "SELECT count(*) FROM signals.remade_decisions") == [(0,)]


def test_an_exit_that_is_under_way_is_not_asked_for_again(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    order(market, wallet)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for now in (SENT, FILLED):
            execute_pending(market, venue, "paper", now=now)
        [(_, listing, way_out)] = exits(market, wallet)
        assert (listing.symbol, way_out.quantity, way_out.terms.reduce_only) == ("BTC_USDT", Decimal(-1), True)
        made = order(market, wallet, way_out)
        execute_pending(market, venue, "paper", now=FILLED)
    assert outcome_of(market, made).state == "accepted"
    assert list(exits(market, wallet)) == []


@pytest.mark.parametrize("name", ["BTC_USDT", "gateio:BTC_USDT"])
def test_an_instrument_has_a_short_and_a_long_name(name: str, wallet: Wallet) -> None:
    assert find_instrument(wallet, name).name == "gateio:BTC_USDT"
    with pytest.raises(LookupError, match="expected one that wallet paper trades"):
        find_instrument(wallet, f"{name}X")


def test_an_order_by_hand_needs_no_strategy_that_can_be_made(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    market.execute("""UPDATE trading.wallets SET parameters = '{"fast": "x"}'""")
    made = order(market, wallet)
    with connect(database_url) as theirs:
        execute_pending(market, PaperBroker(theirs, wallet), "paper", now=SENT)
    assert outcome_of(market, made).state == "accepted"
