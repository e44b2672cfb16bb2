"""Match the orders and fills that a venue reports with ours: pure."""

from strades_pipelines.brokerage.account_books import AccountBooks, BookedFill, KnownOrder
from strades_pipelines.brokerage.brokers.venue import AccountFill, AccountOrder, VenueAccount
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.order_states import UNSETTLED, WORKING, OrderState


class MatchedAccount:
    """A venue's account whose orders and fills are matched with ours.

    Attributes:
        external: fills of nobody (None), or of an order of ours that is over and cannot take them.
        unbooked: fills of ours that are not in our books.
        booked: fills that are in our books.
    """

    def __init__(self, account: VenueAccount, books: AccountBooks) -> None:
        self._account, self._books = account, books
        self._by_venue_id: dict[str | None, KnownOrder] = {
            order.venue_order_id: order for order in books.orders.values() if order.venue_order_id
        }
        # Of an order that we do not know the venue's id of yet, its list of orders may say it.
        for reported in account.orders:
            if reported.order.client_order_id in books.orders:
                self._by_venue_id[reported.order.venue_order_id] = books.orders[reported.order.client_order_id]
        self.external: list[tuple[AccountFill, KnownOrder | None]] = []
        self.unbooked: list[tuple[AccountFill, KnownOrder]] = []
        self.booked: list[tuple[AccountFill, KnownOrder, BookedFill]] = []
        for fill in account.fills:
            self._sort(fill)

    def order_of(self, reported: AccountOrder) -> KnownOrder | None:
        """Our order that the venue reports; None where it is none of ours."""
        return self._order(reported.order.client_order_id, reported.order.venue_order_id)

    def orders_to_ask(self) -> dict[str, list[str]]:
        """The orders that the venue has news of, by wallet: fills we lack, and orders not in its list of open ones."""
        listed = {order.intent_id for each in self._account.orders if (order := self.order_of(each)) is not None}
        lacking = [order for _, order in (*self.unbooked, *self.external) if order is not None]
        asked = {order.intent_id: order for order in lacking}
        for order in self._books.orders.values():
            # A planned order was not sent: its venue knows nothing of it.
            is_open = order.state in WORKING or (order.state in UNSETTLED and order.state is not OrderState.PLANNED)
            if is_open and (order.intent_id not in listed or order.state in UNSETTLED):
                asked[order.intent_id] = order
        by_wallet: dict[str, list[str]] = {}
        for intent_id, order in sorted(asked.items()):
            by_wallet.setdefault(order.wallet, []).append(intent_id)
        return by_wallet

    def _sort(self, fill: AccountFill) -> None:
        if self._books.symbol(fill.listing_id, fill.symbol) in self._books.ignored_symbols:
            return
        order = self._order(fill.client_order_id, fill.venue_order_id)
        booked = self._books.fills.get(base32_id(order.intent_id, fill.fill.venue_fill_id)) if order else None
        if order is not None and booked is not None:
            self.booked.append((fill, order, booked))
        elif order is not None and not order.state.is_over:
            self.unbooked.append((fill, order))
        elif fill.fill.venue_fill_id not in self._books.stated:
            self.external.append((fill, order))

    def _order(self, client_order_id: str | None, venue_order_id: str | None) -> KnownOrder | None:
        return self._books.orders.get(client_order_id or "") or self._by_venue_id.get(venue_order_id)
