"""The choice of the day at the gate: what is not chosen is not bought, and may be sold; none counts before its time."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import psycopg
import pytest

from tests.brokerage.conftest import ETH, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_limits import Desk, desk

__all__ = ["desk"]
COINS = ("gateio:BTC_USDT", "gateio:ETH_USDT")
BITCOIN, ETHER = range(2)
NOW = START + 2 * MINUTE
TODAY = START.date()


def choose(
    connection: Connection, instruments: Sequence[str], at: datetime, *, version: int = 1, day: date = TODAY
) -> None:
    """Leave the row that a page leaves."""
    connection.execute(
        "INSERT INTO trading.asset_choices "
        "VALUES ('paper', %s, %s, %s, 'dashboard:ada', %s, 'earnings', gen_random_uuid())",
        [day, version, list(instruments), at],
    )
    connection.commit()


@pytest.fixture
def prices(add_candles: AddCandles) -> None:
    """Both coins at 100."""
    add_candles([100] * 6)
    add_candles([100] * 6, listing=ETH)


@pytest.mark.usefixtures("prices")
def test_what_is_not_chosen_is_not_bought_and_may_be_sold(desk: Desk, market: Connection) -> None:
    hand = desk({"chosen_only": True}, instruments=COINS)
    assert hand.order("1", NOW, listing=ETHER) == "accepted"  # nobody has chosen: everything goes
    filled = NOW + 2 * MINUTE
    hand.step(filled)
    choose(market, COINS[:1], filled)
    assert hand.order("1", filled, listing=ETHER) == "not_chosen"
    assert hand.order("1", filled, listing=BITCOIN) == "accepted"
    assert hand.order("-1", filled, listing=ETHER) == "accepted"
    [(code, detail)] = rows(market, "SELECT code, detail FROM trading.refusals")
    assert code == "not_chosen"
    told = "gateio:ETH_USDT is not in version 1 of the choice for 2024-01-02, by dashboard:ada (earnings)"
    assert detail == told


@pytest.mark.usefixtures("prices")
def test_a_later_version_counts_from_its_time_on(desk: Desk, market: Connection) -> None:
    hand = desk({"chosen_only": True}, instruments=COINS)
    choose(market, COINS, START)
    choose(market, [], NOW + MINUTE, version=2)
    assert hand.order("1", NOW) == "accepted"
    assert hand.order("1", NOW + MINUTE) == "not_chosen"


@pytest.mark.usefixtures("prices")
def test_a_choice_is_for_its_day_and_for_wallets_that_ask_for_one(desk: Desk, market: Connection) -> None:
    hand = desk({"chosen_only": True}, instruments=COINS)
    for days in (-1, 1):
        choose(market, [], START, day=TODAY + timedelta(days=days))
    assert hand.order("1", NOW) == "accepted"
    choose(market, [], START)
    assert hand.order("1", NOW) == "not_chosen"
    assert desk({}, instruments=COINS).order("1", NOW + MINUTE / 2) == "accepted"


def test_a_version_is_never_changed(market: Connection, desk: Desk) -> None:
    desk({})
    choose(market, COINS, START)
    for change in ("UPDATE trading.asset_choices SET reason = 'x'", "DELETE FROM trading.asset_choices"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            market.execute(change)
        market.rollback()
