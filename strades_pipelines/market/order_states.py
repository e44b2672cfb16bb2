"""The states of an order and the one table of how it may pass from one to another.

`trading.order_transitions` holds the same table, and the database refuses what is not in it.
"""

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    """Where an order stands, by the venue's word, or by ours as long as the venue has not heard of it."""

    PLANNED = "planned"  # the intent is committed; nothing was sent, or it is certain that nothing arrived
    SUBMITTING = "submitting"  # on the wire: the venue may have it
    UNKNOWN = "unknown"  # no answer, or one that makes no sense: only a look-up can tell
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLING = "cancelling"  # we asked the venue to cancel; it may still fill
    CANCELLED = "cancelled"
    REPLACED = "replaced"  # another order stands in its place
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of the order, but for a fill that is reported late."""
        return self in TERMINAL

    @property
    def is_unsettled(self) -> bool:
        """Whether we do not know if the venue has the order, so that its size counts at its worst."""
        return self in UNSETTLED


S = OrderState
TERMINAL = frozenset({S.FILLED, S.CANCELLED, S.REPLACED, S.REJECTED, S.EXPIRED})
UNSETTLED = frozenset({S.PLANNED, S.SUBMITTING, S.UNKNOWN})
WORKING = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING})
# What a venue can say of an order it has, whatever we believed before.
REPORTED = frozenset(
    {S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REPLACED, S.REJECTED, S.EXPIRED},
)
TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    # Cancelled and expired without the venue: a halt, or a decision that has grown too old to be sent.
    S.PLANNED: frozenset({S.SUBMITTING, S.REJECTED, S.CANCELLED, S.EXPIRED}),
    # Back to planned where it is certain that nothing arrived (no connection, or the venue's own "too many").
    S.SUBMITTING: REPORTED | {S.UNKNOWN, S.PLANNED},
    # Submitting again: the venue says that it never had it. The client order id is the same.
    S.UNKNOWN: REPORTED | {S.UNKNOWN, S.SUBMITTING, S.CANCELLING},
    S.ACCEPTED: frozenset(
        {S.PARTIALLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.REPLACED, S.REJECTED, S.EXPIRED, S.UNKNOWN}
    ),
    S.PARTIALLY_FILLED: frozenset(
        {S.PARTIALLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.REPLACED, S.EXPIRED, S.UNKNOWN}
    ),
    # A cancel that the venue refuses leaves the order what it was; a fill on the way counts.
    S.CANCELLING: REPORTED | {S.CANCELLING, S.UNKNOWN},
    # A fill that is reported after the end still counts: the same state with more filled, or the whole order.
    S.CANCELLED: frozenset({S.CANCELLED, S.FILLED}),
    S.REPLACED: frozenset({S.REPLACED, S.FILLED}),
    S.EXPIRED: frozenset({S.EXPIRED, S.FILLED}),
    S.REJECTED: frozenset(),
    S.FILLED: frozenset(),
}


def is_allowed(before: OrderState | None, after: OrderState) -> bool:
    """Whether an order may pass from one state to another; it begins as planned."""
    if before is None:
        return after is S.PLANNED
    return after in TRANSITIONS[before]
