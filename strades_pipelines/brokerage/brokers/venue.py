"""What execution asks of a venue, and the venue for a wallet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.orders import Order

if TYPE_CHECKING:
    from strades_pipelines.brokerage.portfolio import Wallet
    from strades_pipelines.brokerage.prices import Connection


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A fill as the venue tells it; `bar_*` name the bar a paper venue took its price from."""

    venue_fill_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    filled_at: datetime
    bar_interval: str | None = None
    bar_open_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue knows it.

    Args:
        state: one that a venue can report (`order_states.REPORTED`), or UNKNOWN for a word that we do not know.
        fills: all of its fills so far.
        at: by the venue's clock, where it says one.
        message: what the venue said, as it came.
        side, quantity: of the whole order as the venue has it, where it says them.
        filled: how much of it is done, where the order itself says so: its fills may be told later.
    """

    client_order_id: str
    venue_order_id: str
    state: OrderState
    reason: str | None = None
    fills: tuple[VenueFill, ...] = ()
    at: datetime | None = None
    message: bytes | None = None
    side: str | None = None
    quantity: Decimal | None = None
    filled: Decimal | None = None

    @property
    def filled_by_fills(self) -> Decimal:
        """What its fills add up to."""
        return sum((part.quantity for part in self.fills), Decimal(0))


class VenueBroker(Protocol):
    """A venue that takes orders under a client order id.

    Each of its methods raises `errors.BrokerError`, of the kind that says what is certain, and nothing else.

    `grace` is how long after an order was sent the venue may still say that it does not have it, though it does.
    `links_orders` says whether it keeps parents and groups itself; elsewhere execution does.
    """

    name: str
    grace: timedelta
    links_orders: bool

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order; an id the venue has already is the same order, placed once."""
        ...

    def lookup(self, client_order_id: str, *, at: datetime) -> VenueOrder | None:
        """The order with its fills, also when it is over; None where the venue does not have it."""
        ...

    def cancel(self, client_order_id: str, *, at: datetime) -> VenueOrder | None:
        """Cancel what is left of the order, and say what became of it; one that is over stays what it is."""
        ...


def venue_for(wallet: "Wallet", connection: "Connection") -> VenueBroker:
    """The venue of a wallet.

    Args:
        connection: for the paper venue alone; nobody else may use it, since its transactions are the venue's.

    Raises:
        ValueError: for a wallet whose mode has no venue.
        SettingsError: the account's keys are not set.
    """
    if wallet.mode != "paper":
        raise ValueError(f"wallet {wallet.name}: expected the mode paper, was {wallet.mode}; nothing else trades yet")
    if wallet.broker == "alpaca":
        from strades_pipelines.brokerage.brokers.alpaca.account import open_account

        return open_account({listing.listing_id: listing.symbol for listing in wallet.listings})
    from strades_pipelines.brokerage.brokers.paper import PaperBroker

    return PaperBroker(connection, wallet)
