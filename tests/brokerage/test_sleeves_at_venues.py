"""Two strategies in one wallet at a venue, with the real clients: whose is what, exactly, also through a split."""

from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.decisions import units_of
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import reconcile
from strades_pipelines.brokerage.sleeves import SEVERAL
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallets import SleeveTemplate
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AT_ALPACA, AT_GATE, AtAlpaca, AtGate
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection, rows

OWNED = "SELECT owner, quantity, realised FROM trading.owner_positions ORDER BY owner"


class Desk:
    """A wallet of `trend` (60 %) and `slow` (40 %) at a venue, its price 100."""

    def __init__(self, market: Connection, kind: type[Any]) -> None:
        self.market, names = market, (AT_ALPACA if kind is AtAlpaca else AT_GATE).instruments
        sleeves = tuple(
            SleeveTemplate(name, "sma_cross", {"fast": 1, "slow": 2, "size": 1.0}, names, Decimal(part))
            for name, part in (("trend", 60), ("slow", 40))
        )
        self.at = kind(market, strategy=SEVERAL, parameters={}, sleeves=sleeves)
        self.name = self.at.wallet.name
        prepare(market, self.at.listing_id)
        self.at.clock.now = START + MINUTE

    def want(self, strategy: str, target: float, request: OrderRequest | None = None) -> str:
        """A decision of a strategy; returns its id."""
        at, listing = self.at.clock(), self.at.listing_id
        units = units_of(load_wallet(self.market, self.name).splits, listing)
        made = TradingDecision(
            self.name, strategy, 0, listing, at, "bar", f"bar@{strategy}", 0, 0.0, target, "why", units, request
        )
        assert insert(self.market, "signals.decisions", decision_row(made, at))
        self.market.commit()
        return made.decision_id

    def go_on(self, passes: int = 2) -> None:
        """Execute, and a minute later again."""
        for _ in range(passes):
            execute_pending(self.market, self.at.broker, self.name, now=self.at.clock())
            self.at.clock.move(60)

    def check(self) -> None:
        """The account has what the books say, and these add up."""
        wallet = load_wallet(self.market, self.name)
        assert reconcile(self.market, self.at.broker, [wallet], now=self.at.clock()).findings == []
        assert verify_ledger(self.market, self.name) == []


@pytest.mark.parametrize("kind", [AtAlpaca, AtGate])
def test_each_strategy_has_its_own_orders_fills_and_profit_at_the_venue(market: Connection, kind: type[Any]) -> None:
    desk = Desk(market, kind)
    desk.want("trend", 5.0)
    desk.want("slow", 3.0)
    desk.go_on()
    assert rows(market, OWNED) == [("slow", 3, 0), ("trend", 5, 0)]
    desk.check()
    # One sells at 110 while the other buys: two orders, and each has its own price.
    desk.at.set_price("110")
    desk.want("trend", 2.0)
    desk.want("slow", 4.0)
    desk.go_on()
    assert rows(market, OWNED) == [("slow", 4, 0), ("trend", 2, 30)]
    # Nobody sells what is another's, though the venue would let it.
    over = desk.want("trend", 2.0, OrderRequest(Decimal(-3), OrderTerms(limit=Decimal(120))))
    desk.go_on()
    assert rows(market, "SELECT decision_id, code FROM trading.refusals") == [(over, "position_below_zero")]
    placed = sorted((one.ticket.side.value, one.filled) for one in desk.at.venue.exchange.orders.values())
    assert placed == [("buy", 1), ("buy", 3), ("buy", 5), ("sell", 3)]
    desk.check()


def test_a_split_passes_through_a_shared_wallet_at_a_venue(market: Connection) -> None:
    """3 for 2 of 4 and 2 shares, at 100 before and 66 after."""
    desk = Desk(market, AtAlpaca)
    desk.want("trend", 4.0)
    desk.want("slow", 2.0)
    desk.go_on()
    at = desk.at.clock()
    for account in desk.at.venue.exchange.accounts.values():
        account.balances["AAPL"] = account.balances["AAPL"] * 3 / 2
    desk.at.set_price("66")
    market.execute(
        "INSERT INTO records.corporate_actions VALUES (%s, %s, 'split', 1.5, NULL, NULL, %s, 'stated', 1, %s)",
        [AAPL, at.date(), at, at],
    )
    market.commit()
    desk.at.clock.move(1)
    desk.go_on(1)
    assert [row[:2] for row in rows(market, OWNED)] == [("slow", 3), ("trend", 6)]
    desk.check()
    desk.want("trend", 1.0)
    desk.go_on()
    # 5 of the 6, that cost 400 / 6 each, at 66.
    [(_, held, lost)] = [row for row in rows(market, OWNED) if row[0] == "trend"]
    assert (held, lost) == (1, pytest.approx(Decimal(5 * 66) - Decimal(400) * 5 / 6))
    desk.check()
