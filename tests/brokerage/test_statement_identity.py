"""A line of an account's statement is booked once, in whichever wallet of the account it is imported."""

from dataclasses import replace
from datetime import datetime

import pytest

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import open_wallet
from strades_pipelines.brokerage.statement_formats import StatementError
from strades_pipelines.brokerage.statements import Imported, import_statement
from tests.brokerage.at_venue import AT_GATE
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, Connection, rows
from tests.brokerage.test_statements import HEADER, NOW, cash, trade

BOOKED = "SELECT wallet, count(*) FROM trading.fills GROUP BY wallet ORDER BY wallet"


@pytest.fixture
def account(market: Connection) -> Connection:
    """Two wallets of one account at a venue, `first` and `second`, and one on paper."""
    for name in ("first", "second"):
        open_wallet(market, replace(AT_GATE, name=name), now=START)
    open_wallet(market, PAPER, now=START)
    return market


def load(connection: Connection, wallet: str, *lines: str, now: datetime = NOW) -> Imported:
    body = "\n".join((HEADER, *lines, "")).encode()
    request = Request("statement", Scope("wallet", wallet), "ann", now, "my own")
    return import_statement(connection, body, file_name="mine.csv", format_name="generic", request=request)


def test_lines_that_another_wallet_of_the_account_has_are_not_booked_again(account: Connection) -> None:
    """With ids and without, of which the second of two equal ones is another trade; cash too."""
    lines = [
        trade(1, "buy", "1", "100", name="T1"),
        trade(2, "buy", "2", "100"),
        cash(3, "dividend", "7"),
        cash(3, "charge", "-1", name="C1"),
    ]
    assert (load(account, "first", *lines).trades, load(account, "first", *lines).known) == (2, 4)
    again = load(account, "second", *lines, trade(2, "buy", "2", "100"), cash(3, "dividend", "7"))
    assert (again.trades, again.movements, again.known) == (1, 1, 4)
    assert load(account, "first", *lines, trade(2, "buy", "2", "100")).known == 5
    assert rows(account, BOOKED) == [("first", 2), ("second", 1)]
    for wallet in ("first", "second"):
        assert verify_ledger(account, wallet) == []
    # What a wallet on paper has is nobody's account but its own.
    assert load(account, "paper", *lines).trades == 2


def test_an_id_that_another_wallet_has_as_something_else_refuses_the_file(account: Connection) -> None:
    load(account, "first", trade(1, "buy", "1", "100", name="T1"), cash(3, "charge", "-1", name="C1"))
    with pytest.raises(StatementError, match="expected the trade that is booked under it, buy 1 at 100, was buy 1 at"):
        load(account, "second", trade(1, "buy", "1", "101", name="T1"))
    with pytest.raises(StatementError, match="expected what wallet first has under it, charge of -1 USDT at"):
        load(account, "second", cash(3, "charge", "-2", name="C1"))
    assert rows(account, BOOKED) == [("first", 1)]


def test_a_trade_that_an_order_under_way_may_have_made_waits_until_that_is_over(account: Connection) -> None:
    """The venue would tell of it later, and it would be booked twice."""
    decision = "INSERT INTO signals.decisions VALUES ('D', 'first', 's', %s, %s, 'bar', 'b', 0, 0, 1, 'r', '{}', %s)"
    account.execute(decision, [BTC, START, START])
    intent = "INSERT INTO trading.intents VALUES ('I', 'D', 'first', %s, 0, 'buy', 2, 'market', %s, %s, 'ccxt:gate')"
    account.execute(intent, [BTC, START + MINUTE, START])
    event = "INSERT INTO trading.order_events (intent_id, state, recorded_at, filled) VALUES ('I', %s, %s, 0)"
    for state in ("planned", "submitting", "unknown"):
        account.execute(event, [state, START + MINUTE])
    account.commit()
    for line in (trade(2, "buy", "1", "100", name="T1"), trade(2, "buy", "2", "100")):
        with pytest.raises(StatementError, match="row 2: expected a trade of no order that is under way, was one that"):
            load(account, "second", line)
    others = trade(0.5, "buy", "1", "100"), trade(2, "sell", "1", "100"), trade(3, "buy", "3", "100")
    assert load(account, "second", *others).trades == 3
    account.execute(event, ["rejected", START + MINUTE])
    account.commit()
    assert load(account, "second", trade(2, "buy", "1", "100", name="T1")).trades == 1


def test_a_trade_that_an_order_of_another_wallet_made_is_known(account: Connection) -> None:
    load(account, "first", trade(1, "buy", "1", "100"))
    account.execute("ALTER TABLE trading.fills DISABLE TRIGGER append_only")
    account.execute("UPDATE trading.fills SET venue_fill_id = 'A-7'")
    account.commit()
    assert load(account, "second", trade(1, "buy", "1", "100", name="A-7")).known == 1
