"""What the strategies decided, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from dashboard.gateway.reading import read, read_one

# By the index of each wallet: the newest of all would be looked for among all that were ever made.
NEWEST = """
    WITH wallets AS (
        SELECT w.wallet, w.wallet AS name, w.mode, w.currency FROM trading.wallets AS w
        WHERE w.mode <> 'replay' AND w.state <> 'retired'
        UNION ALL
        SELECT c.wallet, c.name, c.mode, c.currency FROM results.current_wallets AS c WHERE c.mode = 'replay'
    )
    SELECT d.decision_id, d.decided_at, wallets.name AS wallet, wallets.mode, wallets.currency, d.strategy,
        d.listing_id, l.venue || ':' || l.symbol AS instrument, d.previous_target, d.target,
        d.order_request IS NOT NULL AS is_explicit, d.reason, d.trigger_kind, d.is_pending,
        r.code AS refusal, r.detail AS refusal_detail,
        i.intent_id, i.side, i.quantity, o.state AS order_state, o.reason AS order_reason
    FROM wallets
    CROSS JOIN LATERAL (
        SELECT * FROM signals.decisions AS own WHERE own.wallet = wallets.wallet
        ORDER BY own.decided_at DESC, own.ordinal DESC LIMIT %(each)s
    ) AS d
    INNER JOIN records.listings AS l ON l.listing_id = d.listing_id
    LEFT JOIN trading.refusals AS r ON r.decision_id = d.decision_id
    LEFT JOIN LATERAL (
        SELECT * FROM trading.intents AS leg WHERE leg.decision_id = d.decision_id ORDER BY leg.leg LIMIT 1
    ) AS i ON true
    LEFT JOIN trading.orders AS o ON o.intent_id = i.intent_id
    ORDER BY wallets.mode = 'replay', d.decided_at DESC, d.decision_id
"""
INSTRUMENT = """
    SELECT l.listing_id, l.venue || ':' || l.symbol AS name, l.currency FROM records.listings AS l
    WHERE l.listing_id = %(listing_id)s
"""
REFUSAL = "SELECT r.code, r.detail, r.recorded_at FROM trading.refusals AS r WHERE r.decision_id = %(decision_id)s"


@dataclass(frozen=True)
class Decision:
    """A decision of a strategy in a wallet; targets are units to hold."""

    decision_id: str
    decided_at: datetime
    wallet: str
    mode: str
    currency: str
    strategy: str
    listing_id: int
    instrument: str
    previous_target: float
    target: float
    is_explicit: bool
    reason: str
    trigger_kind: str
    is_pending: bool
    refusal: str | None
    refusal_detail: str | None
    intent_id: str | None
    side: str | None
    quantity: Decimal | None
    order_state: str | None
    order_reason: str | None

    @property
    def direction(self) -> str:
        """buy, sell or hold: what it wants; an explicit order has its side where it became an order."""
        if self.side is not None:
            return self.side
        if not (isfinite(self.target) and isfinite(self.previous_target)) or self.target == self.previous_target:
            return "hold"
        return "buy" if self.target > self.previous_target else "sell"

    @property
    def wanted(self) -> Any:
        """How many units it wants to buy or sell; None where only the order would say."""
        if self.quantity is not None:
            return self.quantity
        change = abs(self.target - self.previous_target)
        return Decimal(repr(change)) if isfinite(change) else None

    @property
    def refusal_words(self) -> str:
        """The code of its refusal as words."""
        return (self.refusal or "").replace("_", " ")

    @property
    def became(self) -> str:
        """What became of it: refused, pending, none, or the state of its order."""
        if self.refusal is not None:
            return "refused"
        return self.order_state or ("pending" if self.is_pending else "none")


@dataclass(frozen=True)
class DecisionRefusal:
    """Why a decision never became an order."""

    code: str
    detail: str
    recorded_at: datetime

    @property
    def words(self) -> str:
        """Its code as words."""
        return self.code.replace("_", " ")


@dataclass(frozen=True)
class Instrument:
    """A listing as `venue:symbol`, and the currency of its prices."""

    listing_id: int
    name: str
    currency: str


def read_instrument(listing_id: int) -> Instrument | None:
    """What a decision or forecast is about. One query."""
    return read_one(Instrument, INSTRUMENT, listing_id=listing_id)


def read_refusal(decision_id: str) -> DecisionRefusal | None:
    """The refusal of a decision, or None."""
    return read_one(DecisionRefusal, REFUSAL, decision_id=decision_id)


def read_newest_decisions(*, each: int = 6) -> list[Decision]:
    """The newest decisions of each wallet that trades and of each current replay; those that trade first. One query."""
    return read(Decision, NEWEST, each=each)
