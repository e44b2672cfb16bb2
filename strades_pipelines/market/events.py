"""What a session steps through, and the one total order of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Bar:
    """A final bar, seen at its close. `i` is the listing's index in the session; times are aware UTC."""

    kind: ClassVar[str] = "bar"
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
class Prediction:
    """A stored forecast, known at the instant it was made for."""

    kind: ClassVar[str] = "prediction"
    i: int
    listing_id: int
    content_id: str
    name: str
    value: float
    knowledge_time: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of an order that was done: at the price of `filled_at`, reported at `knowledge_time`."""

    kind: ClassVar[str] = "fill"
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


@dataclass(frozen=True, slots=True)
class Timer:
    """Every event of one instant is in."""

    kind: ClassVar[str] = "timer"
    listing_id: ClassVar[int] = 0
    knowledge_time: datetime

    @property
    def content_id(self) -> str:
        """`timer@<instant>`."""
        return f"timer@{stamp(self.knowledge_time)}"


Event = Bar | Prediction | Fill | Timer
RANK = {"bar": 0, "prediction": 1, "fill": 2, "timer": 3}


def order_key(event: Event) -> tuple[datetime, int, int, str]:
    """The total order of events: knowledge time, kind, listing, content id."""
    return event.knowledge_time, RANK[event.kind], event.listing_id, event.content_id


def stamp(time: datetime) -> str:
    """ISO 8601 in UTC with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
