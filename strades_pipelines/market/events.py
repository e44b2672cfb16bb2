"""A bar and a fill as they stand in the books: exact amounts, aware times, and the ids that lineage joins on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal


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
    """A part of an order that was done: at the price of `filled_at`, reported at `knowledge_time`."""

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

    @property
    def signed(self) -> Decimal:
        """The change of the position."""
        return self.quantity if self.side == "buy" else -self.quantity


def stamp(time: datetime) -> str:
    """ISO 8601 in UTC with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
