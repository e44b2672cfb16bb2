"""A bar and a fill as they stand in the books: exact amounts, aware times, and the ids that lineage joins on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from strades_pipelines.market.rounding import EXACT


@dataclass(frozen=True, slots=True)
class Bar:
    """A final bar, seen at its close. `i` is the listing's index in the session; times are aware UTC."""

    i: int
    listing_id: int
    interval: str
    open_time: datetime
    close_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    knowledge_time: datetime

    @property
    def content_id(self) -> str:
        """`<interval>@<open time>`."""
        return f"{self.interval}@{stamp(self.open_time)}"


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of an order that was done: at the price of `filled_at`, reported at `knowledge_time`.

    Args:
        currency: that the price is in.
        fee: positive where it was paid, in `fee_currency`.
        fee_currency: None for `currency`.
        fee_in_units: the fee was taken out of the units, as crypto venues do from what is bought.
        fee_value: a fee in a third currency in `currency`, at the rate known when it was booked; None without a rate.
        venue_fill_id: the venue's own id of it, where it has one.
    """

    i: int
    listing_id: int
    content_id: str
    intent_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    currency: str
    filled_at: datetime
    knowledge_time: datetime
    bar_interval: str | None = None
    bar_open_time: datetime | None = None
    fee_currency: str | None = None
    fee_in_units: bool = False
    fee_value: Decimal | None = None
    venue_fill_id: str | None = None

    @property
    def signed(self) -> Decimal:
        """What was done of the order, positive for a purchase."""
        return self.quantity if self.side == "buy" else -self.quantity

    @property
    def units(self) -> Decimal:
        """The change of the position."""
        return self.signed - self.fee if self.fee_in_units else self.signed

    @property
    def paid(self) -> Decimal:
        """What the units brought, in `currency`; negative where they were bought. Without the fee."""
        return EXACT.multiply(-self.signed, self.price)

    @property
    def is_fee_in_currency(self) -> bool:
        """Whether the fee is cash in `currency`."""
        return not self.fee_in_units and self.fee_currency in (None, self.currency)

    @property
    def cash(self) -> Decimal:
        """The change of the cash in `currency`."""
        return EXACT.subtract(self.paid, self.fee) if self.is_fee_in_currency else self.paid

    @property
    def fee_cost(self) -> Decimal | None:
        """What the fee cost in `currency`; None where no rate of its own currency was known."""
        if self.fee_in_units:
            return EXACT.multiply(self.fee, self.price)
        return self.fee if self.is_fee_in_currency else self.fee_value

    @property
    def fee_taken(self) -> Decimal:
        """What the fee took of the units and of the cash in `currency`, in `currency`: of another cash nothing."""
        if self.fee_in_units:
            return EXACT.multiply(self.fee, self.price)
        return self.fee if self.is_fee_in_currency else Decimal(0)

    @property
    def cash_after_fee(self) -> Decimal:
        """What the units brought less what the fee cost, as far as that is known, whatever it was paid in.

        A fee in units is in it already: it was paid with what was bought.
        """
        if self.fee_in_units:
            return self.paid
        return EXACT.subtract(self.paid, self.fee_cost or Decimal(0))


def stamp(time: datetime) -> str:
    """ISO 8601 in UTC with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
