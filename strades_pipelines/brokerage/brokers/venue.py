"""What execution asks of a venue, and what a venue answers; `selection` opens the one of a wallet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, OrderTerms
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from strades_pipelines.brokerage.portfolio import Wallet
    from strades_pipelines.brokerage.wallets import WalletTemplate

OnOrder = Callable[[str], None]  # takes the client order id of an event; "" where it has none, or some were lost


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A fill as the venue tells it.

    Args:
        bar_interval, bar_open_time: of the bar that a paper venue took its price from.
        fee_currency: None for the wallet's; a venue may take its fee from what was bought.
        side, symbol: as the venue writes them, where it says them of the fill itself.
    """

    venue_fill_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    filled_at: datetime
    bar_interval: str | None = None
    bar_open_time: datetime | None = None
    fee_currency: str | None = None
    side: str | None = None
    symbol: str | None = None


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
        symbol: as the venue writes it.
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
    symbol: str | None = None

    @property
    def filled_by_fills(self) -> Decimal:
        """What its fills add up to."""
        return sum((part.quantity for part in self.fills), Decimal(0))


@dataclass(frozen=True, slots=True)
class AccountFill:
    """A fill of an account, with the order that it is of.

    Args:
        client_order_id: None where the venue's list of fills does not say it, or the order had none.
        listing_id: None for a symbol that the wallet does not trade.
    """

    fill: VenueFill
    venue_order_id: str
    client_order_id: str | None
    symbol: str
    listing_id: int | None
    side: str


@dataclass(frozen=True, slots=True)
class AccountOrder:
    """An open order of an account, ours or another's.

    Args:
        order: its `client_order_id` is "" where it has none.
        listing_id: None for a symbol that the wallet does not trade.
        terms: None where the venue does not say them, or we have no such terms.
        placed_at: by the venue's clock, where it says it.
    """

    order: VenueOrder
    symbol: str
    listing_id: int | None
    terms: OrderTerms | None = None
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What an account holds of an instrument, signed, and of what symbol; `listing_id` as in `AccountOrder`."""

    symbol: str
    listing_id: int | None
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account at a venue, at one time.

    Args:
        orders: that are open.
        fills: of all orders, those that are over too, since a time that was asked for; oldest first.
        cash: by currency, what open orders hold back too.
        holdings: without those of nothing.
    """

    orders: tuple[AccountOrder, ...]
    fills: tuple[AccountFill, ...]
    cash: Mapping[str, Decimal]
    holdings: tuple[Holding, ...]


class VenueBroker(Protocol):
    """A venue that takes orders under a client order id.

    Each of its methods raises `errors.BrokerError`, of the kind that says what is certain, and nothing else.

    `grace` is how long after an order was sent the venue may still say that it does not have it, though it does.
    `links_orders` says whether it keeps parents and groups itself; elsewhere execution does.
    `lacks` names the terms that it cannot keep itself, of `stop`, `trail` and `day`; an order with one is refused.
    """

    name: str
    grace: timedelta
    links_orders: bool
    lacks: frozenset[str]

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order; an id the venue has already is the same order, placed once."""
        ...

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """The order with its fills, also when it is over; None where the venue does not have it."""
        ...

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """Cancel what is left of the order, and say what became of it; one that is over stays what it is."""
        ...


class AccountBroker(VenueBroker, Protocol):
    """A venue that also says what the whole account holds and did: what reconciliation asks, and execution does not."""

    def account(self, since: datetime, *, at: datetime) -> VenueAccount:
        """The account: its open orders, its fills after `since`, its cash and holdings.

        A venue answers several requests for it, between which a fill may come: who compares it asks twice.
        """
        ...


@runtime_checkable
class DeadMansSwitch(Protocol):
    """A venue that cancels the open orders of an account by itself when it has not heard from it for some time."""

    def keep_alive(self, seconds: int) -> None:
        """Have the account's open orders cancelled `seconds` from now unless it is called again; 0 disarms it.

        Raises:
            BrokerError: as each of a venue's methods.
        """
        ...


@runtime_checkable
class ReplacesOrders(Protocol):
    """A venue that puts one order in the place of another in a single request, under a client id of its own.

    At other venues execution cancels the one and then sends the other.
    """

    def replace(self, old: Order, new: Order, *, filled: Decimal, at: datetime) -> VenueOrder:
        """Put `new` in the place of `old`; a `new` that is there already is the same order, placed once.

        Args:
            new: its size is what is to be done beside the `filled` units of the old one.

        Raises:
            BrokerError: as for `VenueBroker.submit`; Rejected leaves the old order as it is.
        """
        ...


@runtime_checkable
class TakesSeveral(Protocol):
    """A venue that takes several requests of an account at once."""

    def lanes(self) -> Sequence[VenueBroker]:
        """Brokers of the same account, this one first, of which each may be used by a thread of its own.

        There are as many as requests that the venue takes at once. Sessions of HTTP are not for several threads.
        """
        ...


@runtime_checkable
class LimitsRequests(Protocol):
    """A venue that takes `requests_per_minute` of an account, and refuses more."""

    requests_per_minute: int


def account_of(wallet: "Wallet | WalletTemplate") -> str:
    """The name of the account that a wallet trades."""
    return account_name(wallet.broker, wallet.mode, wallet.name)


def account_name(broker: str, mode: str, wallet: str) -> str:
    """The name of an account: on paper one for each wallet, elsewhere one for all wallets of the broker.

    Paper and live are two accounts at a broker. The sandbox's venues know one only.
    """
    if broker == "paper":
        return f"paper/{wallet}"
    return f"{broker}/{'sandbox' if settings().world == 'sandbox' else mode}"


class OrderStream(Protocol):
    """What a venue tells of an account's orders without being asked."""

    def run(self, on_order: OnOrder) -> None:
        """Tell each event, for as long as it is not stopped; connects again by itself."""
        ...

    def stop(self) -> None:
        """End `run`, from another thread."""
        ...
