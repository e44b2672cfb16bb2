"""A split that is booked, and that its source takes back: the wallet stops, and a person says what its books hold."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.adoption import adopt, ignore
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.findings import CannotBeSettledError, StoredFinding, open_findings
from strades_pipelines.brokerage.ledger import post_fill, verify_ledger
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.reconcile import reconcile_account
from strades_pipelines.brokerage.sleeves import SEVERAL
from strades_pipelines.brokerage.splits import SplitError, book_splits, withdrawn_splits
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import SleeveTemplate
from strades_pipelines.database.connection import connect
from strades_pipelines.market.bars_and_fills import stamp
from tests.brokerage.conftest import AAPL, START, AddCandles, Connection, rows
from tests.brokerage.test_splits import (
    DAY,
    HELD,
    NEW,
    OLD,
    close_of,
    held,
    open_of,
    position,
    run,
    split,
    stated_anew,
    through,
)
from tests.brokerage.test_statements import load
from tests.strategy.builders import fill_event

__all__ = ["held", "run", "split", "through"]
Through = Callable[..., None]
LEFT_OUT = "DELETE FROM records.corporate_actions"  # what an exclusion does to what stands
TO_ONE = "UPDATE records.corporate_actions SET ratio = 1"


@pytest.fixture
def trade(market: Connection, database_url: str) -> Callable[[int], None]:
    """A pass of the wallet at the close of a day."""

    def at(day: int) -> None:
        with connect(database_url) as theirs:
            execute_pending(market, PaperBroker(theirs, load_wallet(market, "paper")), "paper", now=close_of(day))

    return at


def withdraw(market: Connection, statement: str = LEFT_OUT) -> None:
    market.execute(statement)
    market.commit()


def request(kind: str, day: int) -> Request:
    return Request(kind, Scope("wallet", "paper"), "ada", close_of(day), "the exchange says so")


def only_finding(market: Connection) -> StoredFinding:
    [found] = open_findings(market, wallet="paper")
    market.rollback()
    return found


@pytest.mark.parametrize("statement", [LEFT_OUT, TO_ONE])
def test_a_booked_split_that_is_left_out_or_corrected_to_one_stops_the_wallet(
    statement: str, market: Connection, through: Through, trade: Callable[[int], None]
) -> None:
    through()
    withdraw(market, statement)
    trade(5)
    found = only_finding(market)
    assert found.detail == ("yahoo:AAPL: the split of 2024-01-05, 4 for 1 is booked, and no source states it any more")
    [(state, reason)] = rows(market, "SELECT state, state_reason FROM trading.wallets")
    assert state == "halted"
    assert reason == f"split_withdrawn AAPL ({found.finding_id}); see `strades reconcile`"
    assert f"strades adopt {found.finding_id}" in found.advice


def test_a_split_that_is_left_out_is_not_the_one_of_a_month_before(market: Connection, through: Through) -> None:
    """4 for 1 twice, 31 days apart, as a source told it: 10 are 160. Without the second they were to be 40."""
    through()
    stated_anew(market, open_of(34), close_of(34))
    wallet = book_splits(market, load_wallet(market, "paper"), now=close_of(34))
    assert position(market)[0] == 160
    assert withdrawn_splits(market, wallet, now=close_of(35)) == []
    market.execute("DELETE FROM records.corporate_actions WHERE ex_date = %s", [open_of(34).date()])
    [found] = withdrawn_splits(market, wallet, now=close_of(35))
    assert found.evidence == {"ex_date": "2024-02-05", "ratio": "4"}


def test_it_stands_until_it_is_settled_and_is_over_where_the_split_is_stated_again(
    market: Connection, through: Through, trade: Callable[[int], None], database_url: str
) -> None:
    through()
    withdraw(market, TO_ONE)
    with connect(database_url) as theirs:
        for _ in range(2):
            done = reconcile_account(market, theirs, "paper/paper", now=close_of(5))
            assert [one.code for one in done.findings] == ["split_withdrawn"]
        withdraw(market, "UPDATE records.corporate_actions SET ratio = 4")
        assert reconcile_account(market, theirs, "paper/paper", now=close_of(5)).findings == []
    assert position(market)[0] == 40


@pytest.mark.parametrize(("ratio", "units"), [(4.0, 40), (5 / 3, 16)])
def test_an_adopted_withdrawal_gives_the_units_of_before_back(
    ratio: float, units: int, market: Connection, through: Through, trade: Callable[[int], None], database_url: str
) -> None:
    """10 were bought for 4084.08: they are 10 again, for as much, also where two thirds of one were paid out."""
    through(ratio)
    assert position(market)[0] == units
    withdraw(market)
    trade(5)
    adopt(market, load_wallet(market, "paper"), only_finding(market).finding_id, request("adopt", 5))
    quantity, _, cost, realised = position(market)
    assert (quantity, cost - realised) == (10, Decimal("4084.08"))
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(10,)]
    assert rows(market, "SELECT balance FROM trading.cash") == [(Decimal("5915.92"),)]
    assert rows(market, "SELECT cash FROM trading.paper_venue_accounts") == [(Decimal("5915.92"),)]
    assert rows(market, "SELECT reason FROM trading.movements ORDER BY recorded_at")[1][0].endswith("taken back")
    assert verify_ledger(market, "paper") == []
    with connect(database_url) as theirs:
        assert reconcile_account(market, theirs, "paper/paper", now=close_of(5)).findings == []
    trade(6)
    assert position(market)[0] == 10


def buy_elsewhere(market: Connection, at: datetime, now: datetime) -> None:
    """A statement of 5 that were bought at `at`."""
    load(market, f"{stamp(at)},,AAPL,buy,5,103,0,,,,", now=now)


def test_a_trade_of_a_statement_from_after_a_split_is_in_its_shares_at_the_paper_venue_too(
    market: Connection, held: Wallet, add_days: AddCandles, run: Callable[..., None], split: Callable[..., None]
) -> None:
    """10 are 40; with 5 that were bought after the opening, before the split was told of, 45."""
    add_days(OLD)
    for day in (0, 1, 2):
        run(close_of(day))
    add_days(NEW[:1], start=START + 3 * DAY, recorded_at=close_of(3))
    buy_elsewhere(market, open_of(3), close_of(3))
    split(3)
    run(close_of(3))
    assert position(market)[0] == 45
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(45,)]


def test_a_trade_of_a_statement_from_after_a_false_split_stays_as_it_is(
    market: Connection, through: Through, trade: Callable[[int], None], database_url: str
) -> None:
    """10 that were 40 are 10 again, with 5 that were bought meanwhile 15; a quarter of all 45 is 11.25."""
    through()
    buy_elsewhere(market, close_of(4), close_of(4))
    withdraw(market)
    trade(5)
    adopt(market, load_wallet(market, "paper"), only_finding(market).finding_id, request("adopt", 5))
    assert position(market)[0] == 15
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(15,)]
    with connect(database_url) as theirs:
        assert reconcile_account(market, theirs, "paper/paper", now=close_of(5)).findings == []


def test_an_ignored_withdrawal_keeps_the_units_and_stops_nothing_more(
    market: Connection, through: Through, trade: Callable[[int], None], database_url: str
) -> None:
    through()
    withdraw(market)
    trade(5)
    ignore(market, only_finding(market).finding_id, request("ignore", 5))
    market.execute("UPDATE trading.wallets SET state = 'active', state_reason = NULL")
    market.commit()
    trade(6)
    assert position(market)[0] == 40
    assert rows(market, "SELECT state FROM trading.wallets") == [("active",)]


def test_units_that_were_sold_cannot_be_taken_back(
    market: Connection, through: Through, trade: Callable[[int], None]
) -> None:
    """30 of the 40 were sold: 10 less 30 is a debt."""
    through()
    wallet = load_wallet(market, "paper")
    [(intent_id,)] = rows(market, "SELECT intent_id FROM trading.intents")
    sold = fill_event("sell", "30", "104", fee="0", known_at=close_of(4) + timedelta(hours=1))
    sold = replace(sold, listing_id=AAPL, content_id="sold", intent_id=intent_id, currency="USD")
    assert post_fill(market, wallet, sold, now=close_of(5))
    market.commit()
    withdraw(market)
    trade(5)
    with pytest.raises(CannotBeSettledError, match="would hold -20 yahoo:AAPL"):
        adopt(market, load_wallet(market, "paper"), only_finding(market).finding_id, request("adopt", 5))
    market.rollback()
    assert position(market)[0] == 10


def test_a_strategy_cannot_be_left_with_a_debt_to_another(
    market: Connection, add_days: AddCandles, run: Callable[..., None], split: Callable[..., None], trade: Any
) -> None:
    """Two bought 10 each, which were 40; one sold 15 of its own: 10 less 15 is a debt, though the wallet holds 5."""
    sleeves = tuple(
        SleeveTemplate(name, HELD.strategy, HELD.parameters, HELD.instruments, Decimal(50)) for name in ("a", "b")
    )
    open_wallet(market, replace(HELD, strategy=SEVERAL, parameters={}, sleeves=sleeves), now=START)
    add_days(OLD)
    for day in (0, 1, 2):
        run(close_of(day))
    add_days(NEW, start=START + 3 * DAY, recorded_at=close_of(3))
    split(3)
    run(close_of(3))
    [(intent_id,)] = rows(
        market,
        "SELECT intent_id FROM trading.intents JOIN signals.decisions USING (decision_id)"
        " WHERE signals.decisions.strategy = 'a'",
    )
    sold = fill_event("sell", "15", "104", fee="0", known_at=close_of(3) + timedelta(hours=1))
    sold = replace(sold, listing_id=AAPL, content_id="sold", intent_id=intent_id, currency="USD")
    assert post_fill(market, load_wallet(market, "paper"), sold, now=close_of(4))
    withdraw(market)
    trade(5)
    with pytest.raises(CannotBeSettledError, match="wallet paper: a would hold -5 yahoo:AAPL"):
        adopt(market, load_wallet(market, "paper"), only_finding(market).finding_id, request("adopt", 5))
    market.rollback()
    owned = "SELECT owner, quantity FROM trading.owner_positions ORDER BY owner"
    assert rows(market, owned) == [("a", 25), ("b", 40)]


def test_a_split_that_was_taken_back_and_is_stated_again_stops_the_wallet(
    market: Connection, through: Through, trade: Callable[[int], None]
) -> None:
    through()
    withdraw(market, TO_ONE)
    trade(5)
    adopt(market, load_wallet(market, "paper"), only_finding(market).finding_id, request("adopt", 5))
    withdraw(market, "UPDATE records.corporate_actions SET ratio = 4")
    with pytest.raises(SplitError, match="expected none, as it was taken back, was stated again"):
        trade(6)
    market.rollback()
    assert position(market)[0] == 10
