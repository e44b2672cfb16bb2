"""The orders of a wallet with everything that happened to them, and the findings about it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.commands import CANCELLABLE
from dashboard.gateway.reading import read
from strades_pipelines.brokerage.findings import ADVICE, Code

OVER = "('filled', 'cancelled', 'replaced', 'rejected', 'expired')"
# The closed ones by the index of the wallet's intents: none is sorted for a page, however many there are.
ORDERS = f"""
    WITH picked AS (
        (
            SELECT o.intent_id, true AS is_open FROM trading.orders AS o
            WHERE o.wallet = %(wallet)s AND o.state NOT IN {OVER} LIMIT %(most_open)s
        )
        UNION ALL
        (
            SELECT i.intent_id, false FROM trading.intents AS i
            INNER JOIN trading.orders AS o ON o.intent_id = i.intent_id AND o.state IN {OVER}
            WHERE i.wallet = %(wallet)s AND (i.intended_at, i.intent_id) < (
                coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_id)s::text, '')
            )
            ORDER BY i.intended_at DESC, i.intent_id DESC LIMIT %(most)s
        )
    )
    SELECT i.intent_id, i.decision_id, i.listing_id, l.venue || ':' || l.symbol AS instrument, l.currency, i.side,
        i.quantity, i.order_type, i.limit_price, i.stop_price, i.trail, i.time_in_force, i.intended_at, o.state,
        o.filled, o.reason, o.updated_at, d.trigger_kind, d.reason AS wanted_because, picked.is_open
    FROM picked
    INNER JOIN trading.intents AS i ON i.intent_id = picked.intent_id
    INNER JOIN trading.orders AS o ON o.intent_id = picked.intent_id
    INNER JOIN signals.decisions AS d ON d.decision_id = i.decision_id
    INNER JOIN records.listings AS l ON l.listing_id = i.listing_id
    ORDER BY picked.is_open DESC, i.intended_at DESC, i.intent_id DESC
"""
EVENTS = """
    SELECT e.intent_id, e.sequence, e.state, e.filled, e.venue_order_id, e.venue_time, e.reason, e.recorded_at,
        substring(e.message FROM 1 FOR %(most_bytes)s) AS message, length(e.message) AS message_size
    FROM trading.orders AS o
    INNER JOIN trading.order_events AS e ON e.intent_id = o.intent_id AND e.sequence > o.sequence - %(most)s
    WHERE o.intent_id = ANY(%(ids)s) ORDER BY e.intent_id, e.sequence
"""
FINDINGS = """
    SELECT f.finding_id, f.code, f.detail, f.state, f.found_at, f.settled_at FROM trading.findings AS f
    WHERE %(wallet)s = ANY(f.wallets) ORDER BY f.state = 'open' DESC, f.found_at DESC, f.finding_id LIMIT %(most)s
"""
MOST_OPEN, MOST_EVENTS, MOST_BYTES, MOST_FINDINGS = 200, 60, 2_000, 50


@dataclass(frozen=True)
class OrderEvent:
    """Something that happened to an order; `message` is how the venue's words began, `message_size` in bytes."""

    intent_id: str
    sequence: int
    state: str
    filled: Decimal
    venue_order_id: str | None
    venue_time: datetime | None
    reason: str | None
    recorded_at: datetime
    message: bytes | None
    message_size: int | None

    @property
    def text(self) -> str:
        """The beginning of the venue's words as text."""
        words = bytes(self.message or b"").decode("utf-8", errors="replace")
        return words.replace("\0", "\N{SYMBOL FOR NULL}")


@dataclass(frozen=True)
class Order:
    """An order of a wallet, as it stands, with its newest events, oldest first. Prices are in `currency`."""

    intent_id: str
    decision_id: str
    listing_id: int
    instrument: str
    currency: str
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail: Decimal | None
    time_in_force: str
    intended_at: datetime
    state: str
    filled: Decimal
    reason: str | None
    updated_at: datetime
    trigger_kind: str
    wanted_because: str
    is_open: bool
    events: list[OrderEvent] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Where it stands among the orders of its wallet: older ones come after it."""
        return f"{self.intended_at.isoformat()}~{self.intent_id}"

    @property
    def can_be_cancelled(self) -> bool:
        """Whether to cancel it makes sense now; the venue has to have it, or not have it, for certain."""
        return self.state in CANCELLABLE


@dataclass(frozen=True)
class Finding:
    """Where a venue and the books of a wallet differ."""

    finding_id: str
    code: str
    detail: str
    state: str
    found_at: datetime
    settled_at: datetime | None

    @property
    def advice(self) -> str:
        """What to do about it; the same words as `strades reconcile`."""
        return ADVICE[Code(self.code)].format(id=self.finding_id)


def parse_place(text: str) -> tuple[datetime, str] | None:
    """The instant and the id that `Order.place` wrote, or None."""
    at, _, intent_id = text.partition("~")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    # The id goes into a query: PostgreSQL takes no NUL.
    return (instant, intent_id) if instant.tzinfo is not None and "\0" not in intent_id else None


def read_orders(wallet: str, *, before: tuple[datetime, str] | None, most: int) -> list[Order]:
    """Open orders, then those that are over, newest first, each with its events. Two queries.

    Args:
        before: go on behind this place, without the open ones.
        most: of those that are over.
    """
    before_at, before_id = before or (None, None)
    most_open = 0 if before else MOST_OPEN
    orders = read(
        Order, ORDERS, wallet=wallet, before_at=before_at, before_id=before_id, most=most, most_open=most_open
    )
    by_id = {order.intent_id: order for order in orders}
    for event in read(OrderEvent, EVENTS, ids=list(by_id), most=MOST_EVENTS, most_bytes=MOST_BYTES):
        by_id[event.intent_id].events.append(event)
    return orders


def read_findings(wallet: str) -> list[Finding]:
    """The findings about a wallet, those that stand first, then the newest."""
    return read(Finding, FINDINGS, wallet=wallet, most=MOST_FINDINGS)
