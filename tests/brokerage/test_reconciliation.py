"""The comparison of an account with our books by itself: what follows from any set of trades, ours and others'.

It holds strades_pipelines.brokerage.account_matching too, which says whose each order and fill is.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.brokerage.account_books import AccountBooks, BookedFill, KnownOrder
from strades_pipelines.brokerage.brokers.venue import (
    AccountFill,
    AccountOrder,
    Holding,
    VenueAccount,
    VenueFill,
    VenueOrder,
)
from strades_pipelines.brokerage.findings import Code, Finding
from strades_pipelines.brokerage.reconciliation import Comparison
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import OrderState
from tests.brokerage.conftest import BTC, MINUTE, START

LISTING = Listing(BTC, "gateio", "BTC_USDT", "USDT", Decimal("0.1"), Decimal("0.00001"))
NOW = START + timedelta(hours=1)
OPENING = Decimal(100_000)


@dataclass(frozen=True)
class Trade:
    """A trade of the account: whose, and whether our books have it."""

    quantity: int
    price: int
    fee: int
    is_ours: bool
    is_booked: bool

    @property
    def moved(self) -> Decimal:
        """The cash that it moved."""
        return Decimal(-self.quantity * self.price - self.fee)


trades = st.lists(
    st.builds(
        Trade,
        st.integers(-9, 9).filter(bool),
        st.integers(1, 99),
        st.integers(0, 3),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


def told_and_booked(made: list[Trade]) -> tuple[VenueAccount, AccountBooks]:
    """What the venue tells of the trades, and what our books have of those that are ours and booked."""
    fills, orders, booked = [], {}, {}
    for n, trade in enumerate(made):
        side = "buy" if trade.quantity > 0 else "sell"
        fill = VenueFill(
            f"fill{n}", Decimal(abs(trade.quantity)), Decimal(trade.price), Decimal(trade.fee), NOW - MINUTE
        )
        fills.append(AccountFill(fill, f"order{n}", f"intent{n}" if trade.is_ours else None, "BTC_USDT", BTC, side))
        if trade.is_ours:
            state = OrderState.FILLED if trade.is_booked else OrderState.ACCEPTED
            orders[f"intent{n}"] = KnownOrder(f"intent{n}", "w", f"order{n}", state, None, NOW - MINUTE)
        if trade.is_ours and trade.is_booked:
            fill_id = base32_id(f"intent{n}", f"fill{n}")
            booked[fill_id] = BookedFill(fill_id, "w", "BTC_USDT", fill.quantity, fill.price, fill.filled_at, True)
    in_books = [trade for trade in made if trade.is_ours and trade.is_booked]
    held = sum(trade.quantity for trade in made)
    told = VenueAccount(
        (),
        tuple(fills),
        {"USDT": OPENING + sum(trade.moved for trade in made)},
        (Holding("BTC_USDT", BTC, Decimal(held)),) if held else (),
    )
    books = AccountBooks(
        "gate/live",
        ("w",),
        {BTC: LISTING},
        orders,
        booked,
        {"BTC_USDT": Decimal(sum(trade.quantity for trade in in_books))},
        {"USDT": OPENING + sum(trade.moved for trade in in_books)},
    )
    return told, books


def compared(told: VenueAccount, books: AccountBooks, now: datetime = NOW) -> Comparison:
    return Comparison(told, books, since=START, now=now, grace=timedelta(0))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code.value for finding in findings]


@given(trades)
def test_each_trade_of_nobodys_is_one_finding_and_nothing_else_is(made: list[Trade]) -> None:
    told, books = told_and_booked(made)
    found = compared(told, books).findings()
    assert codes(found) == ["external_fill"] * sum(not trade.is_ours for trade in made)
    assert sum(finding.quantity or 0 for finding in found) == sum(t.quantity for t in made if not t.is_ours)


@given(trades)
def test_the_orders_to_ask_are_those_whose_fills_we_lack(made: list[Trade]) -> None:
    told, books = told_and_booked(made)
    lacking = sorted(f"intent{n}" for n, trade in enumerate(made) if trade.is_ours and not trade.is_booked)
    assert compared(told, books).matched.orders_to_ask() == ({"w": lacking} if lacking else {})


@given(trades, st.integers(-9, 9).filter(bool))
def test_units_that_no_trade_explains_are_a_finding_of_that_many(made: list[Trade], units: int) -> None:
    told, books = told_and_booked(made)
    held = sum(trade.quantity for trade in made) + units
    moved = replace(told, holdings=(Holding("BTC_USDT", BTC, Decimal(held)),) if held else ())
    [found] = [one for one in compared(moved, books).findings() if one.code is Code.HOLDING_DIFFERS]
    assert found.quantity == units


@given(trades)
def test_what_is_found_again_has_the_same_ids_and_different_things_have_different_ones(made: list[Trade]) -> None:
    first, second = (compared(*told_and_booked(made)).findings() for _ in range(2))
    ids = [finding.finding_id for finding in first]
    assert ids == [finding.finding_id for finding in second]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("lot_parts", "found"),
    [(Decimal("0.99"), []), (Decimal(1), ["holding_differs"]), (-Decimal(1), ["holding_differs"])],
)
def test_less_than_a_lot_is_no_difference(lot_parts: Decimal, found: list[str]) -> None:
    told, books = told_and_booked([])
    held = replace(told, holdings=(Holding("BTC_USDT", BTC, lot_parts * LISTING.lot),))
    assert codes(compared(held, books).findings()) == found


def an_order(client_id: str) -> AccountOrder:
    order = VenueOrder(client_id, "77", OrderState.ACCEPTED, side="buy", quantity=Decimal(2))
    return AccountOrder(order, "BTC_USDT", BTC)


@pytest.mark.parametrize(
    ("state", "minutes", "found"),
    [
        (OrderState.ACCEPTED, 60, []),
        (OrderState.CANCELLED, 4, []),  # the venue's lists may be behind its answers
        (OrderState.CANCELLED, 6, ["order_still_open"]),
    ],
)
def test_an_order_that_is_over_here_and_open_there_is_a_finding_after_a_while(
    state: OrderState, minutes: int, found: list[str]
) -> None:
    told, books = told_and_booked([])
    known = KnownOrder("ours", "w", None, state, None, NOW - minutes * MINUTE)
    books = replace(books, orders={"ours": known})
    assert codes(compared(replace(told, orders=(an_order("ours"),)), books).findings()) == found


def test_a_fill_told_by_the_venues_id_alone_is_led_back_by_the_list_of_orders() -> None:
    """Our books do not know the venue's id of an order in doubt, its list of orders says whose it is."""
    told, books = told_and_booked([Trade(2, 50, 0, False, False)])
    [fill] = told.fills
    told = replace(told, fills=(replace(fill, venue_order_id="77"),), orders=(an_order("ours"),))
    known = KnownOrder("ours", "w", None, OrderState.UNKNOWN, None, NOW - MINUTE)
    comparison = compared(told, replace(books, orders={"ours": known}))
    assert comparison.findings() == []
    assert comparison.matched.orders_to_ask() == {"w": ["ours"]}


def test_an_accepted_order_that_the_venue_forgot_is_a_finding_after_a_while() -> None:
    told, books = told_and_booked([])
    known = KnownOrder("ours", "w", "77", OrderState.UNKNOWN, "it does not know it", NOW - 6 * MINUTE)
    [found] = compared(told, replace(books, orders={"ours": known})).findings()
    assert (found.code, found.wallets) == (Code.ORDER_MISSING, ("w",))
    known = replace(known, updated_at=NOW - 4 * MINUTE)
    assert compared(told, replace(books, orders={"ours": known})).findings() == []
