"""A line of an account's statement is booked once, in whichever wallet of the account it is imported."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from strades_pipelines.brokerage import statements
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.statement_formats import StatementError
from strades_pipelines.brokerage.statements import Imported, import_statement
from strades_pipelines.brokerage.trade_corrections import Changes, correct_trade, undo_correction
from strades_pipelines.brokerage.wallet_opening import open_wallet
from tests.brokerage.at_venue import AT_GATE
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, Connection, rows
from tests.brokerage.test_statements import HEADER, NOW, cash, trade

BOOKED = "SELECT wallet, count(*) FROM trading.fills GROUP BY wallet ORDER BY wallet"


EVENT = "INSERT INTO trading.order_events (intent_id, state, recorded_at, filled) VALUES ('I', %s, %s, 0)"


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


def send_purchase(connection: Connection, at: datetime) -> None:
    """An order of the wallet `first` to buy 2, of which its venue has not told yet what became of it."""
    decision = "INSERT INTO signals.decisions VALUES ('D', 'first', 's', %s, %s, 'bar', 'b', 0, 0, 1, 'r', '{}', %s)"
    connection.execute(decision, [BTC, START, START])
    intent = "INSERT INTO trading.intents VALUES ('I', 'D', 'first', %s, 0, 'buy', 2, 'market', %s, %s, 'ccxt:gate')"
    connection.execute(intent, [BTC, at, START])
    for state in ("planned", "submitting", "unknown"):
        connection.execute(EVENT, [state, at])
    connection.commit()


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
    """The venue would tell of it later, and it would be booked twice.

    The order is of 00:02:00.4. Its trade is of 00:02:00 in a file of whole seconds, and of 00:01:30 by a clock that is
    30.4 s behind; one of 00:01:00 was 60.4 s before the order, which is more than a minute.
    """
    send_purchase(account, START + 2 * MINUTE + timedelta(milliseconds=400))
    for minutes in (2.5, 2, 1.5):
        for line in (trade(minutes, "buy", "1", "100", name="T1"), trade(minutes, "buy", "2", "100")):
            with pytest.raises(StatementError, match="row 2: expected a trade of no order that is under way, was one"):
                load(account, "second", line)
    others = trade(1, "buy", "1", "100"), trade(2, "sell", "1", "100"), trade(3, "buy", "3", "100")
    assert load(account, "second", *others).trades == 3
    account.execute(EVENT, ["rejected", START + 3 * MINUTE])
    account.commit()
    assert load(account, "second", trade(2, "buy", "1", "100", name="T1")).trades == 1


def test_an_order_under_way_holds_up_no_correction(account: Connection) -> None:
    """1 at 100 is bought, then an order for 2 is sent that stays open: both rows of a correction are our own words.

    100,000 - 100 at first, 100,000 - 101 once it is corrected, as before once that is undone, 100,000 without it.
    """
    load(account, "first", trade(3, "buy", "1", "100"))
    [(fill_id,)] = rows(account, "SELECT fill_id FROM trading.fills")
    send_purchase(account, START + 2 * MINUTE)
    cash_left = []
    for minutes, change in enumerate((Changes(price=Decimal(101)), "undo", None), 1):
        request = Request("statement", Scope("wallet", "first"), "ann", NOW + minutes * MINUTE, "as confirmed")
        if isinstance(change, str):
            done = undo_correction(account, fill_id, request)
            [(fill_id,)] = rows(account, "SELECT fill_id FROM trading.fills WHERE venue_fill_id LIKE 'restoration%'")
            account.rollback()
        else:
            done = correct_trade(account, fill_id, change, request)
        cash_left.append(rows(account, "SELECT balance FROM trading.cash WHERE wallet = 'first'")[0][0])
        account.rollback()
        assert done.trades == (1 if change is None else 2)
    assert cash_left == [99_899, 99_900, 100_000]


def test_a_long_file_is_split_where_other_wallets_of_the_account_would_wait_for_it(
    account: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of 2, 3 new rows are refused, and 2 beside a known one are not. A paper account has one wallet."""
    monkeypatch.setattr(statements, "MOST_FOR_SEVERAL_WALLETS", 2)
    lines = trade(1, "buy", "1", "100"), cash(2, "dividend", "7"), trade(3, "buy", "1", "100")
    with pytest.raises(StatementError, match="file: expected at most 2 new rows for an account with several wallets"):
        load(account, "first", *lines)
    assert rows(account, BOOKED) == []
    account.rollback()
    assert load(account, "paper", *lines).known == 0
    assert load(account, "second", lines[0]).known == 0
    assert load(account, "first", *lines).known == 1


def test_a_trade_that_an_order_of_another_wallet_made_is_known(account: Connection) -> None:
    load(account, "first", trade(1, "buy", "1", "100"))
    account.execute("ALTER TABLE trading.fills DISABLE TRIGGER append_only")
    account.execute("UPDATE trading.fills SET venue_fill_id = 'A-7'")
    account.commit()
    assert load(account, "second", trade(1, "buy", "1", "100", name="A-7")).known == 1
