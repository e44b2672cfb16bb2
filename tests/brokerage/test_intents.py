"""The order that another one replaces is left out while the gate judges that one, and no longer."""

from decimal import Decimal

import pytest

from strades_pipelines.brokerage.intents import _set_aside
from strades_pipelines.brokerage.model_trust import Standings
from strades_pipelines.brokerage.owner_accounts import OwnerAccount, OwnerAccounts
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.market.books import Books
from strades_pipelines.market.order_terms import Order
from tests.brokerage.conftest import BTC, START, Connection
from tests.brokerage.test_sleeves import SHARED


def test_an_order_that_is_set_aside_is_in_no_books_then_and_afterwards_in_the_wallets_and_its_owners(
    market: Connection,
) -> None:
    wallet = open_wallet(market, SHARED, now=START)
    whole, own = Books(Decimal(1000)), Books(Decimal(400))
    owners = OwnerAccounts(wallet, {"slow": OwnerAccount(wallet.rules, Standings(), own)})
    order = Order("old", "decision", 0, BTC, "buy", Decimal(1), START, Decimal(100), strategy="slow")
    whole.open_orders["old"] = own.open_orders["old"] = order

    def judge_and_fail() -> None:
        with _set_aside("old", whole, owners):
            assert whole.open_orders == own.open_orders == {}
            raise LookupError("whatever the gate raises")

    with pytest.raises(LookupError, match="whatever the gate raises"):
        judge_and_fail()
    assert whole.open_orders == own.open_orders == {"old": order}
    with _set_aside("gone", whole, owners):
        assert whole.open_orders == own.open_orders == {"old": order}
