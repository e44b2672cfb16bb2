"""Decisions and orders for trades that were made at a venue outside of Strades, as rows of our books."""

from datetime import datetime
from decimal import Decimal
from itertools import count

from strades_pipelines.brokerage.command_log import Request
from strades_pipelines.brokerage.findings import (
    CannotBeSettledError,
    StoredFinding,
)
from strades_pipelines.brokerage.holdings import held_units
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import (
    decision_row,
    insert,
    intent_row,
    order_event_row,
)
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import BY_PERSON, Order, OrderRequest, TradingDecision

EXTERNAL = "external"  # the strategy of what was done outside


def external_order(
    connection: Connection,
    wallet: Wallet,
    listing: Listing,
    finding: StoredFinding,
    request: Request,
    asked: OrderRequest,
    intent_id: str | None = None,
) -> tuple[TradingDecision, Order]:
    """Store a decision for a finding, at the time of the trade; returns it with its order, which is not stored."""
    held = held_units(connection, wallet, listing.listing_id)
    i = wallet.listings.index(listing)
    # A decision's id is a function of its place, where another adoption of the same instant may stand already.
    for ordinal in count():
        decision = TradingDecision(
            wallet=wallet.name,
            strategy=EXTERNAL,
            i=i,
            listing_id=listing.listing_id,
            decided_at=finding.occurred_at,
            trigger_kind=BY_PERSON,
            trigger_id=f"finding@{finding.finding_id}",
            ordinal=ordinal,
            previous_target=float(held),
            target=float(held + asked.quantity),
            reason=request.reason or f"adopted by {request.by}",
            inputs={"finding": finding.finding_id, "evidence": finding.evidence, "requested_by": request.by},
            request=asked,
        )
        if insert(connection, "signals.decisions", decision_row(decision, request.at)):
            break
    side = "buy" if asked.quantity > 0 else "sell"
    return decision, Order(
        intent_id or decision.intent_id(),
        decision.decision_id,
        i,
        listing.listing_id,
        side,
        abs(asked.quantity),
        finding.occurred_at,
        Decimal(0),
        asked.terms,
        is_for_target=False,
    )


def keep_order(connection: Connection, wallet: Wallet, decision: TradingDecision, order: Order, now: datetime) -> None:
    """Write the intent and its first events.

    Raises:
        CannotBeSettledError: the order is ours already.
    """
    row = intent_row(order, wallet.name, wallet.broker, now)
    if not insert(connection, "trading.intents", row):
        raise CannotBeSettledError(f"order {order.intent_id} of decision {decision.decision_id} is ours already")
    for state in (OrderState.PLANNED, OrderState.SUBMITTING):
        insert(connection, "trading.order_events", order_event_row(order.intent_id, state, now))
