from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletsError
from tests.brokerage.conftest import MINUTE, PAPER, START, Connection, rows


def test_a_wallet_opens_once_with_its_deposit(market: Connection) -> None:
    template = replace(PAPER, opened_at=None)
    opened = open_wallet(market, template, now=START)
    again = open_wallet(market, template, now=START + MINUTE)
    assert opened == again == load_wallet(market, "paper")
    assert (again.opened_at, again.opening_cash, again.max_age) == (START, Decimal(1000), timedelta(minutes=15))
    assert rows(market, "SELECT sequence, kind, amount, balance FROM trading.ledger") == [(0, "deposit", 1000, 1000)]
    assert rows(market, "SELECT currency, balance FROM trading.cash") == [("USDT", 1000)]
    assert verify_ledger(market, "paper") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cash": Decimal(2000)}, "wallet paper: cash: expected 1000, as it was opened, was 2000; use a new name"),
        ({"parameters": {"fast": 1, "slow": 3, "size": 2.0}}, "wallet paper: parameters: expected"),
        ({"instruments": ("gateio:ETH_USDT",)}, "wallet paper: instruments: expected"),
        ({"fee_rate": Decimal(0)}, "wallet paper: fee_percent: expected"),
        ({"interval": "1h"}, "wallet paper: interval: expected 1m"),
    ],
)
def test_an_open_wallet_keeps_its_setting(market: Connection, change: dict[str, Any], message: str) -> None:
    open_wallet(market, PAPER, now=START)
    with pytest.raises(WalletsError, match=message):
        open_wallet(market, replace(PAPER, **change), now=START)


def test_a_longer_patience_may_be_given_later(market: Connection) -> None:
    open_wallet(market, PAPER, now=START)
    assert open_wallet(market, replace(PAPER, max_age=60 * MINUTE), now=START).max_age == 60 * MINUTE


def test_a_wallet_for_an_unknown_instrument_is_not_opened(market: Connection) -> None:
    with pytest.raises(LookupError, match="was 'gateio:DOGE_USDT'"):
        open_wallet(market, replace(PAPER, instruments=("gateio:DOGE_USDT",)), now=START)
    assert rows(market, "SELECT count(*) FROM trading.wallets") == [(0,)]
