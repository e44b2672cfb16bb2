"""What execution asks of a venue, and the venue for a wallet."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from strades_pipelines.market.orders import Order

if TYPE_CHECKING:
    from strades_pipelines.brokerage.portfolio import Wallet
    from strades_pipelines.brokerage.prices import Connection


class VenueRejectedError(RuntimeError):
    """The venue's own word that it did not take the order. Any other error of a submit leaves the order unknown."""


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
    """An order as the venue knows it: open, filled, rejected, cancelled or expired."""

    client_order_id: str
    venue_order_id: str
    state: str
    reason: str | None = None
    fills: tuple[VenueFill, ...] = ()


class VenueBroker(Protocol):
    """A venue that takes market orders under a client order id."""

    name: str

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order; an id the venue has already is the same order, placed once.

        Raises:
            VenueRejectedError: when the venue says no. Anything else means: nobody knows.
        """
        ...

    def lookup(self, client_order_id: str, *, at: datetime) -> VenueOrder | None:
        """The order with its fills, or None: only if the venue has never had it and no request under way can bring it.

        Raises:
            Exception: when the venue does not answer; the order stays what it is.
        """
        ...


def venue_for(wallet: "Wallet", connection: "Connection") -> VenueBroker:
    """The venue of a wallet.

    Args:
        connection: for the paper venue alone; nobody else may use it, since its transactions are the venue's.

    Raises:
        ValueError: for a wallet whose mode has no venue.
    """
    from strades_pipelines.brokerage.brokers.paper import PaperBroker

    if wallet.mode != "paper":
        raise ValueError(f"wallet {wallet.name}: expected the mode paper, was {wallet.mode}; nothing else trades yet")
    return PaperBroker(connection, wallet)
