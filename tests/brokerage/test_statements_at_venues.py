"""What the sandbox's venues list of an account, as CSV: trades of ours are known, those made elsewhere are booked."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sandbox.venue.venue import Venue
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.statement_formats import StatementTrade, read_statement
from strades_pipelines.brokerage.statements import import_statement
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.market.order_terms import TradingDecision
from tests.brokerage.at_venue import AtAlpaca
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection, rows
from tests.sandbox.venue.conftest import clock, gate
from tests.sandbox.venue.test_execution import price
from tests.sandbox.venue.test_gate_api import PAIR, json_of

__all__ = ["clock", "gate"]


def as_csv(documents: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(documents[0]))
    writer.writeheader()
    writer.writerows(documents)
    return text.getvalue().encode()


def test_alpacas_activities_book_what_a_person_did_at_its_site_and_not_our_order_again(market: Connection) -> None:
    prepare(market)
    at = AtAlpaca(market)
    at.clock.move(60)
    decision = TradingDecision("alpaca", "s", 0, AAPL, START + MINUTE, "bar", "b", 0, 0.0, 3.0, "why", {})
    insert(market, "signals.decisions", decision_row(decision, START + MINUTE))
    market.commit()
    for _ in range(2):
        execute_pending(market, at.broker, "alpaca", now=at.clock())
        at.clock.move(60)
    assert load_books(market, at.wallet).held(AAPL) == 3
    client = at.broker._client
    client.post("/orders", {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "gtc"})
    at.clock.move(60)
    listed: Any = client.get("/account/activities/FILL", {"direction": "asc"})
    body = as_csv(listed)
    request = Request("statement", Scope("wallet", "alpaca"), "ann", at.clock())
    done = import_statement(market, body, file_name="fills.csv", format_name="alpaca", request=request)
    assert done.known == len(listed) - done.trades > 0
    assert rows(
        market,
        "SELECT sum(quantity) FROM trading.fills WHERE intent_id IN "
        "(SELECT intent_id FROM trading.intents WHERE broker = 'statement')",
    ) == [(2,)]
    holding: Any = client.get("/positions")
    assert load_books(market, at.wallet).held(AAPL) == Decimal(holding[0]["qty"]) == 5
    assert verify_ledger(market, "alpaca") == []


def test_gates_trades_are_read_with_the_fee_in_the_coin_that_was_bought(gate: Venue) -> None:
    price(gate, "50000", symbol="BTC_USDT")
    order = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.1", "price": "51000", "text": "t-a"}
    json_of(gate, "POST", "spot/orders", order)
    listed = json_of(gate, "GET", "spot/my_trades", **PAIR)
    trades = read_statement(as_csv(listed), "gate")
    assert all(isinstance(trade, StatementTrade) for trade in trades)
    bought = [trade for trade in trades if isinstance(trade, StatementTrade)]
    assert sum(trade.quantity for trade in bought) == Decimal("0.1")
    assert {(trade.side, trade.fee_currency, trade.at) for trade in bought} == {("buy", "BTC", gate.clock())}
    assert all(trade.fee > 0 for trade in bought)
