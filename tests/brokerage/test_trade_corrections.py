"""A trade of a statement that was wrong: reversed and booked right, by whom and why; nothing booked is changed."""

import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.statement_formats import StatementError
from strades_pipelines.brokerage.statements import Imported
from strades_pipelines.brokerage.trade_corrections import Changes, correct_trade, undo_correction
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from tests.brokerage import correction_child
from tests.brokerage.conftest import BTC, MINUTE, START, Connection, rows
from tests.brokerage.test_ledger import record
from tests.brokerage.test_sleeves import SHARED
from tests.brokerage.test_statements import NOW, load, trade
from tests.children import run_child
from tests.waiting import MOMENT, wait_until

LATER = NOW + 5 * MINUTE
BOOKED = """
    SELECT side, quantity, price, fee, filled_at, known_at FROM trading.fills WHERE known_at <= %s
    ORDER BY known_at, side = %s DESC
"""


def request(minutes: int = 5) -> Request:
    return Request("statement", Scope("wallet", "paper"), "ann", NOW + minutes * MINUTE, "the confirmation says 101")


def bought(market: Connection) -> str:
    """The id of a purchase of 2 at 100 for a fee of 0.2, of which 1 was sold at 120."""
    load(market, trade(1, "buy", "2", "100", "0.2"), trade(5, "sell", "1", "120", "0.1"))
    [(fill_id,)] = rows(market, "SELECT fill_id FROM trading.fills WHERE side = 'buy' AND quantity = 2")
    market.rollback()
    return str(fill_id)


def only(market: Connection, kind: str) -> str:
    """The id of the one trade of a kind: `correction`, say."""
    [(fill_id,)] = rows(market, f"SELECT fill_id FROM trading.fills WHERE venue_fill_id LIKE '{kind} of%'")
    market.rollback()
    return str(fill_id)


def correct(market: Connection, fill_id: str, minutes: int = 5, *, price: str, fee: str | None = None) -> Imported:
    changes = Changes(price=Decimal(price), fee=None if fee is None else Decimal(fee))
    return correct_trade(market, fill_id, changes, request(minutes))


def books(market: Connection, wallet: Wallet) -> tuple[Decimal, Decimal, Decimal]:
    """Cash, units, and profit less cost, which is all that trades have brought."""
    found = load_books(market, wallet)
    position = found.positions[BTC]
    assert verify_ledger(market, "paper") == []
    assert rows(market, "SELECT quantity FROM trading.paper_venue_positions") == [(found.held(BTC),)]
    assert rows(market, "SELECT cash FROM trading.paper_venue_accounts") == [(found.cash,)]
    return found.cash, found.held(BTC), position.realised - position.cost


def test_the_books_are_those_of_the_right_trade_and_what_was_told_before_stays(
    market: Connection, wallet: Wallet
) -> None:
    """2 at 101 for a fee of 0.3 cost 202.3; the sale brought 119.9."""
    fill_id = bought(market)
    assert books(market, wallet) == (Decimal("919.7"), Decimal(1), Decimal("-80.3"))
    done = correct(market, fill_id, price="101", fee="0.3")
    assert (done.trades, done.rows) == (2, 2)
    assert books(market, wallet) == (Decimal("917.6"), Decimal(1), Decimal("-82.4"))
    first = [("buy", 2, 100, Decimal("0.2")), ("sell", 1, 120, Decimal("0.1"))]
    told = [row[:4] for row in market.execute(BOOKED, [NOW, "buy"]).fetchall()]
    told_later = [row[:4] for row in market.execute(BOOKED, [LATER, "sell"]).fetchall()][2:]
    assert told == first
    assert told_later == [("sell", 2, 100, Decimal("-0.2")), ("buy", 2, 101, Decimal("0.3"))]
    assert {row[4] for row in market.execute(BOOKED, [LATER, "buy"]).fetchall()[2:]} == {START + MINUTE}
    by = "SELECT requested_by, reason, requested_at FROM trading.commands ORDER BY command_id DESC LIMIT 1"
    assert rows(market, by) == [("ann", "the confirmation says 101", LATER)]


def test_the_same_correction_again_books_nothing_and_another_is_refused(market: Connection, wallet: Wallet) -> None:
    fill_id = bought(market)
    correct(market, fill_id, price="101")
    assert correct(market, fill_id, minutes=6, price="101").trades == 0
    before = books(market, wallet)
    for wrong in ("102", "100"):
        with pytest.raises(StatementError, match="trade "):
            correct(market, fill_id, minutes=7, price=wrong)
    reversal = only(market, "reversal")
    with pytest.raises(StatementError, match="was a reversal"):
        correct(market, reversal, minutes=7, price="102")
    with pytest.raises(LookupError, match="expected one of a statement of wallet paper"):
        correct(market, "nothing", minutes=7, price="102")
    assert books(market, wallet) == before


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_undo_brings_the_trade_back_and_it_can_be_corrected_once_more(
    is_removed: bool, market: Connection, wallet: Wallet
) -> None:
    load(market, trade(0.5, "buy", "1", "90"))  # so that the sale has something to sell without the purchase
    fill_id = bought(market)
    before = books(market, wallet)
    with pytest.raises(StatementError, match="was one that stands"):
        undo_correction(market, fill_id, request())
    correct_trade(market, fill_id, None if is_removed else Changes(quantity=Decimal(1)), request())
    assert books(market, wallet)[1] == (0 if is_removed else 1)
    undo_correction(market, fill_id, request(6))
    assert books(market, wallet) == before
    with pytest.raises(StatementError, match="or is restored"):
        undo_correction(market, fill_id, request(7))
    restored = only(market, "restoration")
    correct(market, restored, minutes=8, price="101")
    assert books(market, wallet)[0] == before[0] - 2


def test_a_restored_trade_is_corrected_in_its_own_name(market: Connection, wallet: Wallet) -> None:
    """Corrected to 101, undone, to 101 again: all of these rows are booked, and what stands is the one at 100."""
    fill_id = bought(market)
    before = books(market, wallet)
    correct(market, fill_id, price="101")
    undo_correction(market, fill_id, request(6))
    restored = only(market, "restoration")
    for changes in (Changes(price=Decimal(101)), None):
        with pytest.raises(StatementError, match=f"was one that is restored; correct {restored}"):
            correct_trade(market, fill_id, changes, request(7))
    assert books(market, wallet) == before


def test_a_correction_is_undone_also_where_its_successor_was_corrected_and_restored(
    market: Connection, wallet: Wallet
) -> None:
    """2 at 100, at 101, at 102, at 101 again, at 100 again."""
    fill_id = bought(market)
    before = books(market, wallet)
    correct(market, fill_id, price="101")
    right = only(market, "correction")
    correct(market, right, minutes=6, price="102")
    with pytest.raises(StatementError, match=f"its successor {right} was corrected too; undo that first"):
        undo_correction(market, fill_id, request(7))
    undo_correction(market, right, request(7))
    undo_correction(market, fill_id, request(8))
    assert books(market, wallet) == before
    with pytest.raises(StatementError, match="or is restored"):
        undo_correction(market, fill_id, request(9))


def test_of_two_people_at_one_trade_the_second_is_refused(
    market: Connection, wallet: Wallet, database_url: str
) -> None:
    """An undo is booked after a correction to 102 has looked and before it has the lock: 2 at 100 stand, and not 4."""
    fill_id = bought(market)
    before = books(market, wallet)
    correct(market, fill_id, price="101")
    right = only(market, "correction")

    with ThreadPoolExecutor(1) as pool, connect(database_url) as theirs:
        with wallet_lock(market, "paper"):
            late = pool.submit(correct, theirs, right, minutes=7, price="102")
            wait_until(lambda: rows(market, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
            undo_correction(market, fill_id, request(6))
        with pytest.raises(StatementError, match="the trade was changed meanwhile"):
            late.result(MOMENT)
    assert books(market, wallet) == before


def test_a_correction_that_the_books_cannot_take_is_refused_whole(market: Connection, wallet: Wallet) -> None:
    """Without the purchase the sale of 1 has nothing to sell; 2 at 1000 cost more than there is."""
    fill_id = bought(market)
    before = books(market, wallet)
    with pytest.raises(StatementError, match="it would leave -1"):
        correct_trade(market, fill_id, None, request())
    with pytest.raises(StatementError, match="cash: it would leave"):
        correct(market, fill_id, price="1000")
    assert books(market, wallet) == before
    assert len(rows(market, "SELECT FROM trading.fills")) == 2


def test_a_file_of_the_broker_that_says_the_right_values_by_now_is_known(market: Connection, wallet: Wallet) -> None:
    load(market, trade(1, "buy", "2", "100", name="T1"))
    [(fill_id,)] = rows(market, "SELECT fill_id FROM trading.fills")
    market.rollback()
    with pytest.raises(StatementError, match="expected the trade that is booked under it, buy 2 at 100, was buy 2 at"):
        load(market, trade(1, "buy", "2", "101", name="T1"), now=NOW + MINUTE)
    correct(market, fill_id, price="101")
    for minute, price in enumerate(("101", "100"), 10):
        assert load(market, trade(1, "buy", "2", price, name="T1"), now=NOW + minute * MINUTE).known == 1
    undo_correction(market, fill_id, request(20))
    with pytest.raises(StatementError, match="expected the trade that is booked under it"):
        load(market, trade(1, "buy", "2", "101", name="T1"), now=NOW + 30 * MINUTE)


@pytest.mark.parametrize("point", ["trading.statement_written", "trading.statement_committed"])
def test_a_correction_that_was_killed_is_whole_or_not_there_and_done_once(
    point: str, market: Connection, wallet: Wallet, database_url: str
) -> None:
    fill_id = bought(market)
    words = (database_url, LATER.isoformat(), fill_id, "101")
    assert run_child("tests.brokerage.correction_child", *words, STRADES_CRASH_AT=point) == -signal.SIGKILL
    was_booked = point == "trading.statement_committed"
    assert len(rows(market, "SELECT FROM trading.fills")) == (4 if was_booked else 2)
    assert correction_child.main(database_url, LATER, fill_id, "101").trades == (0 if was_booked else 2)
    assert books(market, wallet) == (Decimal("917.7"), Decimal(1), Decimal("-82.3"))
    assert len(rows(market, "SELECT FROM trading.fills")) == 4


def test_what_a_strategy_holds_covers_no_trade_of_a_person_who_shares_its_wallet(market: Connection) -> None:
    """A strategy holds 2 and the person 1, of which 1 was sold: without the purchase the strategy's would be gone."""
    opened = open_wallet(market, SHARED, now=START)
    record(market, opened, 2, "buy", "2", "100", strategy="trend")
    load(market, trade(1, "buy", "1", "100"), trade(3, "sell", "1", "110"))
    [(fill_id,)] = rows(market, "SELECT fill_id FROM trading.fills WHERE filled_at = '2024-01-02 00:01:00+00'")
    with pytest.raises(StatementError, match="gateio:BTC_USDT: it would leave -1 of what is no strategy's"):
        correct_trade(market, fill_id, None, request())
    with pytest.raises(StatementError, match="gateio:BTC_USDT: it would leave -1 of what is no strategy's"):
        load(market, trade(4, "sell", "1", "110"), now=LATER)
    correct(market, fill_id, price="101")
    held = read_owner_positions(market, "paper")
    market.rollback()
    assert {owner: position.quantity for (owner, _), position in held.items()} == {"trend": 2, "unattributed": 0}
    assert verify_ledger(market, "paper") == []
