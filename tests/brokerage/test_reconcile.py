"""What a venue has and our books lack, or the other way round: booked where it is ours, else a finding that halts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from sandbox.venue import execution as exchange_steps
from sandbox.venue import order_entry
from sandbox.venue.faults import fault_rule
from sandbox.venue.in_process import InProcessAdapter
from sandbox.venue.orders import OrderType, Side, Ticket
from sandbox.venue.venues import KEY, SECRET
from strades_pipelines.brokerage.adoption import adopt, ignore
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.command_log import ALL, Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.findings import CannotBeSettledError, StoredFinding, open_findings
from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import Reconciled, accounts, reconcile
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AT_ALPACA, SYMBOL, AtAlpaca
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, PAPER, START, Connection, rows

NOW = START + 2 * MINUTE


class Desk:
    """A wallet at Alpaca, a person who trades the same account by hand, and a clock that the test moves."""

    def __init__(self, market: Connection) -> None:
        prepare(market)
        self.market = market
        self.at = AtAlpaca(market, now=NOW)
        self.wallets = [self.at.wallet]

    @property
    def now(self) -> datetime:
        return self.at.clock()

    def later(self, minutes: float = 1) -> None:
        """Let time pass at the venue, too."""
        self.at.clock.move(60 * minutes)
        self.at.venue.advance()

    def by_hand(self, quantity: int, **terms: Any) -> str:
        """An order that somebody gives in the broker's own app; returns the venue's id of it."""
        side = Side.BUY if quantity > 0 else Side.SELL
        order_type = OrderType.LIMIT if "limit_price" in terms else OrderType.MARKET
        ticket = Ticket(SYMBOL, side, order_type, Decimal(abs(quantity)), **terms)
        order = order_entry.place(self.at.venue.exchange, KEY, ticket)
        exchange_steps.advance(self.at.venue.exchange)
        return order.id

    def decide(self, request: OrderRequest, wallet: str = "alpaca") -> str:
        """An order of ours at this instant; returns its intent."""
        made = TradingDecision(wallet, "test", 0, AAPL, self.now, "bar", "b", 0, 0.0, 0.0, "why", {}, request)
        assert insert(self.market, "signals.decisions", decision_row(made, self.now))
        self.market.commit()
        return made.intent_id()

    def execute(self, wallet: str = "alpaca") -> None:
        """One pass."""
        execute_pending(self.market, self.at.broker, wallet, now=self.now)

    def reconcile(self) -> Reconciled:
        """Compare the account now."""
        return reconcile(self.market, self.at.broker, self.wallets, now=self.now)

    def finding(self) -> StoredFinding:
        """The one finding that stands."""
        [found] = open_findings(self.market)
        self.market.commit()
        return found

    def state(self, wallet: str = "alpaca") -> str:
        """The state of a wallet that counts."""
        found = current_state(self.market, wallet)
        self.market.commit()
        return found

    def request(self, kind: str) -> Request:
        """A person's word."""
        scope = Scope("wallet", "alpaca") if kind == "adopt" else ALL
        return Request(kind, scope, "alice", self.now, "I did it")


@pytest.fixture
def desk(market: Connection) -> Desk:
    return Desk(market)


def limit(quantity: int, price: str) -> OrderRequest:
    return OrderRequest(Decimal(quantity), OrderTerms(limit=Decimal(price)))


def test_an_account_that_agrees_with_our_books_has_no_finding(desk: Desk) -> None:
    desk.decide(limit(3, "101"))
    desk.execute()
    desk.later()
    desk.execute()
    assert rows(desk.market, "SELECT quantity FROM trading.positions") == [(3,)]
    done = desk.reconcile()
    assert (done.findings, done.fills) == ([], 1)
    assert desk.state() == "active"


def test_17_a_stop_that_was_filled_while_we_were_away_is_of_its_own_intent(desk: Desk) -> None:
    desk.decide(OrderRequest(Decimal(3), OrderTerms()))
    desk.execute()
    desk.later()
    desk.execute()
    stop = desk.decide(OrderRequest(Decimal(-3), OrderTerms(stop=Decimal(95), reduce_only=True)))
    desk.execute()
    desk.at.set_price("94")
    desk.later(60)
    done = desk.reconcile()
    assert done.findings == []
    assert len(done.executed["alpaca"].fills) == 1
    assert rows(desk.market, f"SELECT price, quantity FROM trading.fills WHERE intent_id = '{stop}'") == [(94, 3)]
    assert rows(desk.market, f"SELECT state FROM trading.orders WHERE intent_id = '{stop}'") == [("filled",)]
    assert rows(desk.market, "SELECT quantity FROM trading.positions") == [(0,)]


def test_18_an_order_that_is_none_of_ours_halts_and_is_gone_when_it_was_cancelled(desk: Desk) -> None:
    order_id = desk.by_hand(2, limit_price=Decimal(90))
    desk.reconcile()
    found = desk.finding()
    assert (found.code, found.reference, found.wallets) == ("external_order", order_id, ["alpaca"])
    assert found.detail == f"buy 2 AAPL, order {order_id}: it is open at the venue, and none of ours"
    assert desk.state() == "halted"
    order_entry.request_cancel(desk.at.venue.exchange, desk.at.venue.exchange.orders[order_id])
    desk.later()
    assert desk.reconcile().findings == []
    assert desk.state() == "halted"  # until a person resumes it


def test_a_fill_of_nobodys_halts_and_adopted_it_is_in_the_wallets_books_once(desk: Desk) -> None:
    desk.by_hand(5)
    desk.later()
    desk.reconcile()
    found = desk.finding()
    # One event, one finding: it explains that the account holds 5 more and 500 less.
    assert (found.code, found.quantity, found.price, found.amount) == (
        "external_fill",
        Decimal(5),
        Decimal(100),
        Decimal(-500),
    )
    assert desk.state() == "halted"
    adopt(desk.market, desk.wallets[0], found.finding_id.lower(), desk.request("adopt"))
    assert rows(desk.market, "SELECT quantity, average_price FROM trading.positions") == [(5, 100)]
    assert rows(desk.market, "SELECT balance FROM trading.cash") == [(99_500,)]
    assert rows(desk.market, "SELECT strategy, trigger_kind FROM signals.decisions") == [("external", "person")]
    assert rows(desk.market, "SELECT state, filled FROM trading.orders") == [("filled", 5)]
    assert verify_ledger(desk.market, "alpaca") == []
    assert rows(desk.market, "SELECT kind, requested_by, reason, outcome FROM trading.commands") == [
        ("adopt", "alice", "I did it", f"adopted external_fill {found.reference}")
    ]
    with pytest.raises(CannotBeSettledError, match="expected one that stands, was adopted"):
        adopt(desk.market, desk.wallets[0], found.finding_id, desk.request("adopt"))
    desk.market.rollback()
    # The venue goes on telling of it, now and after the next day.
    for minutes in (1, 60 * 24, 1):
        desk.later(minutes)
        assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT count(*) FROM trading.fills") == [(1,)]


def test_a_fill_that_was_ignored_stays_out_of_the_books_and_halts_no_more(desk: Desk) -> None:
    desk.by_hand(5)
    desk.later()
    desk.reconcile()
    ignore(desk.market, desk.finding().finding_id, desk.request("ignore"))
    for minutes in (1, 60 * 24, 1):
        desk.later(minutes)
        assert desk.reconcile().findings == []
    # What it has done is known: 3 of our own are 8 there, and that is right.
    desk.market.execute("UPDATE trading.wallets SET state = 'active'")
    desk.decide(limit(3, "101"))
    desk.execute()
    desk.later()
    desk.execute()
    assert desk.at.venue.exchange.accounts[KEY].balances["AAPL"] == 8
    assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT quantity FROM trading.positions") == [(3,)]
    # Another one of the same size is another finding.
    desk.by_hand(5)
    desk.later()
    assert len(desk.reconcile().findings) == 1


def test_an_adopted_order_is_ours_with_all_of_its_fills(desk: Desk) -> None:
    order_id = desk.by_hand(4, limit_price=Decimal(99))
    desk.reconcile()
    adopt(desk.market, desk.wallets[0], desk.finding().finding_id, desk.request("adopt"))
    assert desk.reconcile().findings == []
    client_id = desk.at.venue.exchange.orders[order_id].ticket.client_order_id
    assert rows(desk.market, "SELECT intent_id, state, venue_order_id FROM trading.orders") == [
        (client_id, "accepted", order_id)
    ]
    assert rows(desk.market, "SELECT order_type, limit_price, time_in_force FROM trading.intents") == [
        ("limit", 99, "gtc")
    ]
    desk.at.set_price("98")
    desk.later()
    assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT quantity, average_price FROM trading.positions") == [(4, 99)]
    assert verify_ledger(desk.market, "alpaca") == []


def test_an_order_that_was_ignored_takes_its_fills_with_it(desk: Desk) -> None:
    desk.by_hand(4, limit_price=Decimal(99))
    desk.reconcile()
    ignore(desk.market, desk.finding().finding_id, desk.request("ignore"))
    desk.at.set_price("98")
    desk.later()
    assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT code, state, command_id FROM trading.findings ORDER BY code") == [
        ("external_fill", "ignored", 1),
        ("external_order", "ignored", 1),
    ]
    assert rows(desk.market, "SELECT count(*) FROM trading.fills") == [(0,)]


def test_what_the_account_held_before_is_a_finding_until_a_person_says_whose_it_is(desk: Desk) -> None:
    desk.at.venue.exchange.accounts[KEY].balances["AAPL"] = Decimal(7)
    desk.reconcile()
    found = desk.finding()
    assert (found.code, found.detail) == ("holding_differs", "AAPL: expected 0, the account holds 7")
    adopt(desk.market, desk.wallets[0], found.finding_id, desk.request("adopt"), price=Decimal(90))
    assert rows(desk.market, "SELECT quantity, average_price FROM trading.positions") == [(7, 90)]
    assert rows(desk.market, "SELECT balance FROM trading.cash") == [(100_000 - 630,)]
    assert desk.reconcile().findings == []
    # Seven more from nowhere are another finding, though it is about the same number.
    desk.at.venue.exchange.accounts[KEY].balances["AAPL"] = Decimal(14)
    desk.later()
    desk.reconcile()
    again = desk.finding()
    assert again.quantity == Decimal(7)
    assert again.finding_id != found.finding_id
    ignore(desk.market, again.finding_id, desk.request("ignore"))
    desk.at.venue.exchange.accounts[KEY].balances["AAPL"] = Decimal(21)
    desk.later()
    assert len(desk.reconcile().findings) == 1


def test_an_instrument_that_nobody_trades_is_asked_about_once(desk: Desk) -> None:
    desk.at.venue.exchange.accounts[KEY].balances["IBM"] = Decimal(7)
    desk.reconcile()
    found = desk.finding()
    assert (found.symbol, found.listing_id) == ("IBM", None)
    with pytest.raises(CannotBeSettledError, match="expected a wallet that trades IBM"):
        adopt(desk.market, desk.wallets[0], found.finding_id, desk.request("adopt"))
    desk.market.rollback()
    ignore(desk.market, found.finding_id, desk.request("ignore"))
    desk.at.venue.exchange.accounts[KEY].balances["IBM"] = Decimal(8)
    desk.later()
    assert desk.reconcile().findings == []


def test_an_account_that_holds_less_than_its_wallets_count_on_is_short(desk: Desk) -> None:
    desk.at.venue.exchange.accounts[KEY].balances["USD"] = Decimal(150_000)
    assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT external_cash FROM trading.reconciliations") == [({"USD": "50000"},)]
    desk.at.venue.exchange.accounts[KEY].balances["USD"] = Decimal(99_000)
    desk.reconcile()
    found = desk.finding()
    assert (found.code, found.amount) == ("cash_short", Decimal(-1000))
    assert found.detail == "USD: the wallets count on 100000, the account holds 99000"
    ignore(desk.market, found.finding_id, desk.request("ignore"))
    assert desk.reconcile().findings == []


@pytest.mark.parametrize(("cash", "found"), [("99990.00", 0), ("99989.99", 1), ("100000", 0)])
def test_a_hundredth_of_a_per_cent_of_the_cash_may_lack(desk: Desk, cash: str, found: int) -> None:
    """0.0001 x 100,000 = 10."""
    desk.at.venue.exchange.accounts[KEY].balances["USD"] = Decimal(cash)
    assert len(desk.reconcile().findings) == found


def test_a_late_fill_of_a_cancelled_order_is_booked_to_it(desk: Desk) -> None:
    intent = desk.decide(limit(3, "101"))
    desk.execute()
    desk.later()
    # Our books heard of the cancel, and not of the fill before it.
    desk.market.execute(
        "INSERT INTO trading.order_events (intent_id, state, recorded_at) VALUES (%s, 'cancelled', %s)",
        [intent, desk.now],
    )
    desk.market.commit()
    done = desk.reconcile()
    assert done.findings == []
    assert len(done.executed["alpaca"].fills) == 1
    assert rows(desk.market, "SELECT state, filled FROM trading.orders") == [("filled", 3)]
    assert rows(desk.market, "SELECT quantity FROM trading.positions") == [(3,)]


def test_a_fill_of_an_order_that_cannot_take_it_is_a_finding_of_its_wallet(desk: Desk) -> None:
    intent = desk.decide(limit(3, "101"))
    desk.execute()
    desk.later()
    desk.market.execute(
        "INSERT INTO trading.order_events (intent_id, state, reason, recorded_at) VALUES (%s, 'rejected', 'no', %s)",
        [intent, desk.now],
    )
    desk.market.commit()
    desk.reconcile()
    found = desk.finding()
    assert found.code == "external_fill"
    assert found.detail.endswith(f"ours, {intent}, is rejected in our books (no)")
    adopt(desk.market, desk.wallets[0], found.finding_id, desk.request("adopt"))
    assert desk.reconcile().findings == []
    assert rows(desk.market, "SELECT quantity FROM trading.positions") == [(3,)]


def test_a_fill_that_the_venue_does_not_have_and_one_at_another_price_are_findings(desk: Desk) -> None:
    desk.decide(limit(3, "101"))
    desk.execute()
    desk.later()
    desk.execute()
    [fill] = desk.at.venue.exchange.fills
    desk.at.venue.exchange.fills[0] = replace(fill, price=Decimal("100.01"))  # 0.01 % is rounding
    assert desk.reconcile().findings == []
    desk.at.venue.exchange.fills[0] = replace(fill, price=Decimal("100.02"))
    assert [one.code for one in desk.reconcile().findings] == ["fill_differs"]
    ignore(desk.market, desk.finding().finding_id, desk.request("ignore"))
    desk.at.venue.exchange.fills.clear()
    desk.later(6)
    assert [one.code for one in desk.reconcile().findings] == ["fill_missing"]
    assert desk.state() == "halted"


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A second wallet at the same account, and one on paper."""
    desk.at.venue.exchange.accounts[KEY].balances["USD"] = Decimal(200_000)
    desk.wallets.append(open_wallet(desk.market, replace(AT_ALPACA, name="beside"), now=NOW))
    open_wallet(desk.market, replace(AT_ALPACA, name="elsewhere", broker="paper"), now=NOW)
    return desk


def test_wallets_of_one_account_are_compared_together(two: Desk) -> None:
    for name, quantity in (("alpaca", 3), ("beside", 4)):
        two.decide(limit(quantity, "101"), name)
        two.execute(name)
    two.later()
    for name in ("alpaca", "beside"):
        two.execute(name)
    assert two.at.venue.exchange.accounts[KEY].balances["AAPL"] == 7
    assert two.reconcile().findings == []


def test_18_what_nobody_did_halts_the_wallets_of_that_account_and_no_other(two: Desk) -> None:
    two.by_hand(5)
    two.later()
    two.reconcile()
    assert [two.state(name) for name in ("alpaca", "beside", "elsewhere")] == ["halted", "halted", "active"]
    reason = load_wallet(two.market, "beside").state_reason
    assert reason == f"reconciliation: external_fill AAPL ({two.finding().finding_id}); see `strades reconcile`"


def test_books_that_do_not_add_up_halt_their_wallet_alone(two: Desk) -> None:
    two.market.execute("UPDATE trading.cash SET balance = balance + 1 WHERE wallet = 'beside'")
    two.market.commit()
    two.reconcile()
    found = two.finding()
    assert (found.code, found.wallets) == ("ledger_broken", ["beside"])
    assert [two.state(name) for name in ("alpaca", "beside")] == ["active", "halted"]


def test_a_wallet_takes_no_more_than_it_has(desk: Desk) -> None:
    desk.by_hand(-5)
    desk.later()
    desk.reconcile()
    with pytest.raises(CannotBeSettledError, match="wallet alpaca holds 0 yahoo:AAPL, 5 were sold"):
        adopt(desk.market, desk.wallets[0], desk.finding().finding_id, desk.request("adopt"))
    desk.market.rollback()
    assert desk.finding().state == "open"
    assert rows(desk.market, "SELECT count(*) FROM signals.decisions") == [(0,)]


def test_wallets_are_locked_in_the_order_in_which_an_import_locks_them(market: Connection) -> None:
    """Python sorts by code points, where _ (95) is before b (98); the database answers in the order of the openings."""
    for name in ("ab", "a_c"):
        open_wallet(market, replace(PAPER, name=name, broker="ccxt:gate"), now=START)
    assert list(accounts(market).values()) == [["a_c", "ab"]]


def test_two_at_once_book_each_fill_once_and_keep_each_finding_once(desk: Desk, database_url: str) -> None:
    desk.decide(limit(3, "101"))
    desk.execute()
    desk.by_hand(5)
    desk.later()

    def compare(_: int) -> None:
        client: Any = new_client(KEY, SECRET, f"http://venue/{desk.at.venue.api.host}")
        adapter = InProcessAdapter({desk.at.venue.api.host: desk.at.venue}, lambda seconds: None)
        client._session.mount("http://", adapter)
        with connect(database_url) as ours:
            reconcile(ours, AlpacaBroker(client, {AAPL: SYMBOL}), desk.wallets, now=desk.now)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(compare, range(4)))
    assert rows(desk.market, "SELECT quantity FROM trading.fills") == [(3,)]
    assert rows(desk.market, "SELECT code FROM trading.findings") == [("external_fill",)]
    assert verify_ledger(desk.market, "alpaca") == []


def test_a_venue_that_does_not_answer_says_nothing_about_our_books(desk: Desk) -> None:
    desk.by_hand(5)
    desk.later()
    desk.at.venue.faults.rules.append(fault_rule({"kind": "not_json", "operations": ["list"]}))
    with pytest.raises(BrokerError):
        desk.reconcile()
    desk.market.rollback()
    assert rows(desk.market, "SELECT count(*) FROM trading.findings") == [(0,)]
    assert rows(desk.market, "SELECT count(*) FROM trading.reconciliations") == [(0,)]
    assert desk.state() == "active"


def test_all_pages_of_a_long_history_are_compared(desk: Desk) -> None:
    """510 orders: two pages of orders, six of fills."""
    desk.at.venue.limits_are_on = False
    for _ in range(510):
        desk.by_hand(1)
        desk.at.clock.move(0.0001)
    assert desk.reconcile().fills == 510
    assert rows(desk.market, "SELECT count(*), sum(quantity) FROM trading.findings WHERE code = 'external_fill'") == [
        (510, 510)
    ]
    assert rows(desk.market, "SELECT count(*) FROM trading.findings WHERE evidence ->> 'client_order_id' IS NULL") == [
        (0,)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM trading.findings",
        "UPDATE trading.findings SET detail = 'nothing'",
        "UPDATE trading.findings SET state = 'open', settled_at = NULL, command_id = NULL",
    ],
)
def test_a_finding_is_not_changed_but_for_its_state(desk: Desk, statement: str) -> None:
    desk.by_hand(5)
    desk.later()
    desk.reconcile()
    ignore(desk.market, desk.finding().finding_id, desk.request("ignore"))
    with pytest.raises(CheckViolation, match="append-only"):
        desk.market.execute(statement)
    desk.market.rollback()
