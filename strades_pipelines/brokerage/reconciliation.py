"""Compare an account as its venue reports it with our books: pure.

Four invariants, as nautilus_trader has them (quantity, average price, PnL, deterministic ids), in our terms:

1. Quantity: what the account holds of an instrument is what its wallets hold together, and what a person has said to be
   external; every order and fill is ours, or is a finding.
2. Price: each fill is booked at the venue's price, within 0.01 %, and so is the average of an order or position.
3. Cash: the account holds at least what its wallets count on, within 0.01 %; what it holds beyond is external. Each
   wallet's cash is the sum of its ledger, each position that of its fills.
4. Identity: a fill's id follows from the order and the venue's id of it, a finding's from what it is about: what is
   told, found or adopted again is the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.brokerage.account_books import AccountBooks, BookedFill, KnownOrder
from strades_pipelines.brokerage.brokers.venue import AccountFill, AccountOrder, VenueAccount
from strades_pipelines.brokerage.findings import AMOUNTS, Code, Finding
from strades_pipelines.brokerage.venue_evidence import fill_evidence, order_evidence
from strades_pipelines.market.books import ZERO
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import UNSETTLED, WORKING, OrderState

TOLERANCE = Decimal("0.0001")  # of a price or an amount of money
CENT = Decimal("0.01")
# A venue's lists may be behind its answers.
PATIENCE = timedelta(minutes=5)


class Comparison:
    """A venue's account compared with our books.

    Args:
        since: the venue reported its fills after that time.
        grace: for how long the venue's lists may lack what is new.
    """

    def __init__(
        self, account: VenueAccount, books: AccountBooks, *, since: datetime, now: datetime, grace: timedelta
    ) -> None:
        self._account, self._books, self._since, self._now = account, books, since, now
        self._patience = max(PATIENCE, grace)
        self._by_venue_id: dict[str | None, KnownOrder] = {
            order.venue_order_id: order for order in books.orders.values() if order.venue_order_id
        }
        # Of an order that we do not know the venue's id of yet, its list of orders may say it.
        for one in account.orders:
            if one.order.client_order_id in books.orders:
                self._by_venue_id[one.order.venue_order_id] = books.orders[one.order.client_order_id]
        # Fills of nobody, or of an order of ours that is over and cannot take them; those that we lack; those we have.
        self._external: list[tuple[AccountFill, KnownOrder | None]] = []
        self._unbooked: list[tuple[AccountFill, KnownOrder]] = []
        self._booked: list[tuple[AccountFill, KnownOrder, BookedFill]] = []
        for fill in account.fills:
            self._sort(fill)

    def _sort(self, fill: AccountFill) -> None:
        if self._books.symbol(fill.listing_id, fill.symbol) in self._books.ignored_symbols:
            return
        order = self._order(fill.client_order_id, fill.venue_order_id)
        booked = self._books.fills.get(base32_id(order.intent_id, fill.fill.venue_fill_id)) if order else None
        if order is not None and booked is not None:
            self._booked.append((fill, order, booked))
        elif order is not None and not order.state.is_over:
            self._unbooked.append((fill, order))
        elif fill.fill.venue_fill_id not in self._books.stated:
            self._external.append((fill, order))

    def _order(self, client_order_id: str | None, venue_order_id: str | None) -> KnownOrder | None:
        return self._books.orders.get(client_order_id or "") or self._by_venue_id.get(venue_order_id)

    def orders_to_ask(self) -> dict[str, list[str]]:
        """The orders that the venue has news of, by wallet: fills we lack, and orders not in its list of open ones."""
        listed = {order.intent_id for one in self._account.orders if (order := self._order_of(one)) is not None}
        lacking = [order for _, order in (*self._unbooked, *self._external) if order is not None]
        asked = {order.intent_id: order for order in lacking}
        for order in self._books.orders.values():
            is_open = order.state in WORKING or (order.state in UNSETTLED and order.state is not OrderState.PLANNED)
            if is_open and (order.intent_id not in listed or order.state in UNSETTLED):
                asked[order.intent_id] = order
        found: dict[str, list[str]] = {}
        for intent_id, order in sorted(asked.items()):
            found.setdefault(order.wallet, []).append(intent_id)
        return found

    def findings(self) -> list[Finding]:
        """Every difference; one that is kept already, and stays so by itself, is left out."""
        made = [
            *self._orders(),
            *self._missing_orders(),
            *(self._external_fill(*one) for one in self._external),
            *self._unbooked_fills(),
            *self._differing_fills(),
            *self._missing_fills(),
            *self._holdings(),
            *self._cash(),
            *self._ledgers(),
        ]
        return [finding for finding in made if finding.finding_id not in self._books.known]

    def surplus(self) -> dict[str, Decimal]:
        """By currency, the cash of the account that none of its wallets counts on."""
        expected = self._expected_cash()
        return {currency: cash - expected.get(currency, ZERO) for currency, cash in self._account.cash.items()}

    def _order_of(self, one: AccountOrder) -> KnownOrder | None:
        return self._order(one.order.client_order_id, one.order.venue_order_id)

    def _orders(self) -> Iterator[Finding]:
        for one in self._account.orders:
            symbol, order = self._books.symbol(one.listing_id, one.symbol), self._order_of(one)
            what = f"{one.order.side} {one.order.quantity} {symbol}, order {one.order.venue_order_id}"
            if symbol in self._books.ignored_symbols:
                continue
            if order is None:
                yield self._finding(
                    Code.EXTERNAL_ORDER,
                    one.order.venue_order_id,
                    f"{what}: it is open at the venue, and none of ours",
                    at=one.placed_at or one.order.at,
                    symbol=symbol,
                    listing_id=one.listing_id,
                    evidence=order_evidence(one),
                )
            elif order.state.is_over and order.updated_at < self._now - self._patience:
                yield self._finding(
                    Code.ORDER_STILL_OPEN,
                    order.intent_id,
                    f"{what}: it is open at the venue, and {order.state.value} in our books ({order.reason})",
                    wallet=order.wallet,
                    symbol=symbol,
                )

    def _missing_orders(self) -> Iterator[Finding]:
        listed = {one.order.venue_order_id for one in self._account.orders}
        for order in self._books.orders.values():
            is_lost = order.state is OrderState.UNKNOWN and order.venue_order_id not in (None, *listed)
            if is_lost and order.updated_at < self._now - self._patience:
                yield self._finding(
                    Code.ORDER_MISSING,
                    order.intent_id,
                    f"order {order.intent_id}, {order.venue_order_id} at the venue, is unknown: {order.reason}",
                    wallet=order.wallet,
                )

    def _external_fill(self, one: AccountFill, order: KnownOrder | None) -> Finding:
        symbol, fill = self._books.symbol(one.listing_id, one.symbol), one.fill
        whose = "none of ours"
        if order is not None:
            whose = f"ours, {order.intent_id}, is {order.state.value} in our books ({order.reason})"
        return self._finding(
            Code.EXTERNAL_FILL,
            fill.venue_fill_id,
            f"{_text(one)} {symbol} at {plain(fill.price)}, order {one.venue_order_id}: {whose}",
            wallet=order.wallet if order else None,
            at=fill.filled_at,
            symbol=symbol,
            listing_id=one.listing_id,
            quantity=_signed(one),
            price=fill.price,
            amount=self._moved(one),
            evidence=fill_evidence(one),
        )

    def _unbooked_fills(self) -> Iterator[Finding]:
        for one, order in self._unbooked:
            if one.fill.filled_at < self._now - self._patience:
                symbol = self._books.symbol(one.listing_id, one.symbol)
                yield self._finding(
                    Code.FILL_UNBOOKED,
                    one.fill.venue_fill_id,
                    f"{_text(one)} {symbol} at {plain(one.fill.price)} of order {order.intent_id}: it cannot be booked "
                    f"while the order is {order.state.value} ({order.reason})",
                    wallet=order.wallet,
                    at=one.fill.filled_at,
                    symbol=symbol,
                    evidence=fill_evidence(one),
                )

    def _differing_fills(self) -> Iterator[Finding]:
        for one, order, booked in self._booked:
            fill = one.fill
            if fill.quantity != booked.quantity or abs(fill.price - booked.price) > TOLERANCE * booked.price:
                yield self._finding(
                    Code.FILL_DIFFERS,
                    booked.fill_id,
                    f"fill {booked.fill_id} of order {order.intent_id}: expected {plain(booked.quantity)} at "
                    f"{plain(booked.price)}, as booked, the venue has {plain(fill.quantity)} at {plain(fill.price)}",
                    wallet=order.wallet,
                    at=fill.filled_at,
                    symbol=booked.symbol,
                    evidence=fill_evidence(one),
                )

    def _missing_fills(self) -> Iterator[Finding]:
        at_venue = {booked.fill_id for _, _, booked in self._booked}
        for booked in self._books.fills.values():
            # The venue was asked from `since` on, and its lists may be behind.
            is_due = self._since < booked.filled_at < self._now - self._patience
            if booked.is_of_venue and is_due and booked.fill_id not in at_venue:
                yield self._finding(
                    Code.FILL_MISSING,
                    booked.fill_id,
                    f"fill {booked.fill_id} over {plain(booked.quantity)} {booked.symbol} at {plain(booked.price)} "
                    "is in our books, and the venue does not show it",
                    wallet=booked.wallet,
                    at=booked.filled_at,
                    symbol=booked.symbol,
                )

    def _holdings(self) -> Iterator[Finding]:
        expected = dict(self._books.holdings)
        _add(expected, self._books.external_units.items())
        _add(expected, ((self._books.symbol(one.listing_id, one.symbol), _signed(one)) for one in self._new_external()))
        _add(expected, ((self._books.symbol(one.listing_id, one.symbol), _signed(one)) for one, _ in self._unbooked))
        held_units: dict[str, Decimal] = {}
        _add(
            held_units,
            ((self._books.symbol(one.listing_id, one.symbol), one.quantity) for one in self._account.holdings),
        )
        listings = {listing.symbol: listing for listing in self._books.listings.values()}
        for symbol in sorted({*expected, *held_units} - self._books.ignored_symbols):
            listing, held = listings.get(symbol), held_units.get(symbol, ZERO)
            difference = held - expected.get(symbol, ZERO)
            # No order makes a difference of less than a lot.
            if difference and (listing is None or abs(difference) >= listing.lot):
                yield self._finding(
                    Code.HOLDING_DIFFERS,
                    symbol,
                    f"{symbol}: expected {plain(expected.get(symbol, ZERO))}, the account holds {plain(held)}",
                    symbol=symbol,
                    listing_id=listing.listing_id if listing else None,
                    quantity=difference,
                )

    def _cash(self) -> Iterator[Finding]:
        for currency, expected in self._expected_cash().items():
            held = self._account.cash.get(currency, ZERO)
            short = expected - held
            # Of a small account the tolerance is less than what rounding makes.
            if short > max(CENT, TOLERANCE * abs(expected)):
                yield self._finding(
                    Code.CASH_SHORT,
                    currency,
                    f"{currency}: the wallets count on {plain(expected)}, the account holds {plain(held)}",
                    amount=-short,
                )

    def _expected_cash(self) -> dict[str, Decimal]:
        """What the account must hold. What is external is paid out of what the account holds beyond, while it lasts."""
        outside = dict(self._books.external_cash)
        _add(outside, ((self._books.currency(one.listing_id), self._moved(one)) for one in self._new_external()))
        expected = dict(self._books.cash)
        _add(expected, ((currency, min(ZERO, amount)) for currency, amount in outside.items()))
        _add(expected, self._books.shortfalls.items())
        _add(expected, ((self._books.currency(one.listing_id), self._moved(one)) for one, _ in self._unbooked))
        return expected

    def _new_external(self) -> Iterator[AccountFill]:
        """The external fills that no finding is kept of yet."""
        for one, order in self._external:
            if self._external_fill(one, order).finding_id not in self._books.known:
                yield one

    def _moved(self, one: AccountFill) -> Decimal:
        """The cash that a fill moved; a fee in another currency is not in it."""
        currency = self._books.currency(one.listing_id)
        fee = one.fill.fee if one.fill.fee_currency in (None, currency) else ZERO
        return -_signed(one) * one.fill.price - fee

    def _ledgers(self) -> Iterator[Finding]:
        for wallet, faults in self._books.ledger_faults.items():
            yield self._finding(Code.LEDGER_BROKEN, faults[0], "; ".join(faults[:3]), wallet=wallet)

    def _finding(
        self,
        code: Code,
        reference: str,
        detail: str,
        *,
        wallet: str | None = None,
        at: datetime | None = None,
        symbol: str | None = None,
        listing_id: int | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        evidence: Mapping[str, object] | None = None,
    ) -> Finding:
        return Finding(
            self._books.account,
            self._books.wallets if wallet is None else (wallet,),
            code,
            reference,
            detail,
            at or self._now,
            symbol,
            listing_id if listing_id in self._books.listings else None,
            quantity,
            price,
            amount,
            evidence or {},
            self._books.settled.get(reference, 0) if code in AMOUNTS else 0,
        )


def _signed(one: AccountFill) -> Decimal:
    return one.fill.quantity if one.side == "buy" else -one.fill.quantity


def _text(one: AccountFill) -> str:
    return f"{one.side} {plain(one.fill.quantity)}"


def _add(total: dict[str, Decimal], parts: Iterable[tuple[str, Decimal]]) -> None:
    for name, part in parts:
        total[name] = total.get(name, ZERO) + part
