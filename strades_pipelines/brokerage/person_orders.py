"""A person's own orders beside those of the strategies: the same gate, the same execution, their own attribution."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count

from strades_pipelines.brokerage.command_log import Request, log_command
from strades_pipelines.brokerage.decisions import units_of
from strades_pipelines.brokerage.holdings import held_units
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.brokerage.trading_rows import decision_row, insert, request_to_json
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import BY_PERSON, OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.market.rounding import to_lots

# Units under way that an exit is not to close once more: of exits, and beside other strategies of every open sale.
CLOSING_UNDER_WAY = """
    SELECT d.strategy, i.listing_id, (i.quantity - o.filled) * CASE i.side WHEN 'buy' THEN 1 ELSE -1 END
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE o.wallet = %s AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
        AND (i.reduce_only AND i.order_type = 'market' OR %s AND i.side = 'sell')
"""
FIRST_BY_HAND = 1_000_000  # the ordinals of a sleeve's own decisions stay free at any instant


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of a person's order: the code of its refusal, or its state; `reason` says why."""

    intent_id: str
    state: str
    reason: str | None

    @property
    def is_good(self) -> bool:
        """Whether the venue has it, had it, or may have it."""
        return self.state not in ("refused", "rejected", "cancelled", "expired")


def find_instrument(wallet: Wallet, name: str) -> Listing:
    """The wallet's listing of that name, `SYMBOL` or `VENUE:SYMBOL`.

    Raises:
        LookupError: when the wallet trades none of that name, or several.
    """
    found = [one for one in wallet.listings if name in (one.name, one.symbol)]
    if len(found) != 1:
        listed = ", ".join(one.name for one in wallet.listings)
        raise LookupError(f"instrument: expected one that wallet {wallet.name} trades ({listed}), was {name!r}")
    return found[0]


def find_sleeve(wallet: Wallet, name: str, listing: Listing) -> str:
    """The name of a strategy that shares the wallet and trades the listing.

    Raises:
        LookupError: when none of that name does.
    """
    known = [sleeve.name for sleeve in wallet.sleeves if listing.name in sleeve.instruments]
    if name not in known:
        listed = ", ".join(known) or "none of several"
        raise LookupError(
            f"strategy: expected one that trades {listing.name} in wallet {wallet.name} ({listed}), was {name!r}"
        )
    return name


def decide_by_hand(
    connection: Connection,
    wallet: Wallet,
    listing: Listing,
    order: OrderRequest,
    request: Request,
    *,
    owner: str = UNATTRIBUTED,
) -> tuple[int, TradingDecision]:
    """Store a person's order as a decision of theirs; returns the command and it. Commits nothing.

    Args:
        owner: the sleeve of the wallet whose units it trades.
    """
    is_for_sleeve = owner != UNATTRIBUTED
    arguments = {"instrument": listing.name, **request_to_json(order)} | ({"strategy": owner} if is_for_sleeve else {})
    command_id = log_command(connection, request, arguments)
    held = float(held_units(connection, wallet, listing.listing_id))
    after = held + float(order.quantity)
    made = TradingDecision(
        wallet=wallet.name,
        strategy=owner if is_for_sleeve else BY_PERSON,
        i=wallet.listings.index(listing),
        listing_id=listing.listing_id,
        decided_at=request.at,
        trigger_kind=BY_PERSON,
        trigger_id=f"command@{command_id}",
        ordinal=0,
        previous_target=held,
        target=after if math.isfinite(after) else held,
        reason=request.reason or f"{request.kind} by {request.by}",
        inputs={
            "trigger": {"kind": BY_PERSON, "id": f"command@{command_id}"},
            "requested_by": request.by,
            **units_of(wallet.splits, listing.listing_id),
        },
        request=order,
    )
    for ordinal in count(FIRST_BY_HAND if is_for_sleeve else 0):
        made = replace(made, ordinal=ordinal)
        if insert(connection, "signals.decisions", decision_row(made, request.at)):
            return command_id, made
    raise AssertionError("an ordinal is free at last")


def outcome_of(connection: Connection, decision: TradingDecision) -> OrderOutcome:
    """What became of an order after a pass over its wallet."""
    intent_id = decision.intent_id()
    row = connection.execute(
        """
        SELECT state, reason FROM trading.orders WHERE intent_id = %s
        UNION ALL
        SELECT 'refused', code || ': ' || detail FROM trading.refusals WHERE decision_id = %s
        """,
        [intent_id, decision.decision_id],
    ).fetchone()
    return OrderOutcome(intent_id, *row) if row else OrderOutcome(intent_id, "pending", "no pass has taken it up yet")


def find_order(connection: Connection, intent_id: str) -> tuple[str, str, OrderState]:
    """The wallet, decision and state of an order.

    Raises:
        LookupError: when there is none.
    """
    row = connection.execute(
        """
        SELECT o.wallet, i.decision_id, o.state
        FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
        WHERE o.intent_id = %s
        """,
        [intent_id],
    ).fetchone()
    if row is None:
        raise LookupError(f"intent: expected the id of an order, was {intent_id!r}; see `strades wallets --json`")
    return row[0], row[1], OrderState(row[2])


def cancel_by_hand(connection: Connection, decision_id: str, intent_id: str, request: Request) -> int:
    """Ask that an order be cancelled; the next pass over its wallet does it. Returns the command. Commits nothing."""
    command_id = log_command(connection, request, {"intent_id": intent_id})
    request_cancel(connection, decision_id, by=request.by, at=request.at, now=request.at)
    return command_id


def cancel_open_orders(
    connection: Connection,
    wallet: str,
    request: Request,
    *,
    keep_exits: bool,
    owners: Collection[str] | None = None,
) -> list[str]:
    """Ask that a wallet's orders be cancelled; returns their intents. Commits nothing.

    Args:
        owners: only those of these sleeves of the wallet; None for all.
        keep_exits: leave a person's market orders that only reduce, so that an exit is not cancelled for another one.
    """
    rows = connection.execute(
        """
        SELECT i.intent_id, i.decision_id FROM trading.orders AS o
        INNER JOIN trading.intents AS i USING (intent_id)
        INNER JOIN signals.decisions AS d USING (decision_id)
        WHERE o.wallet = %s AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
            AND NOT (%s AND d.trigger_kind = %s AND i.reduce_only AND i.order_type = 'market')
            AND (%s::text[] IS NULL OR d.strategy = ANY(%s))
        ORDER BY i.intent_id
        """,
        [wallet, keep_exits, BY_PERSON, *[None if owners is None else list(owners)] * 2],
    ).fetchall()
    for _, decision_id in rows:
        request_cancel(connection, decision_id, by=request.by, at=request.at, now=request.at)
    return [intent_id for intent_id, _ in rows]


def exits(
    connection: Connection, wallet: Wallet, owners: Collection[str] | None = None
) -> Iterator[tuple[str, Listing, OrderRequest]]:
    """The market orders that take a wallet's positions to zero, beside the exits that are under way, and whose each is.

    A decision that is stored and no order yet is not seen: call it after a pass, under the wallet's lock.

    In a wallet with one strategy a venue cuts an exit at the position, whatever else is sold. With several it sold
    units of another strategy: so what an open sale may still sell has no exit until that sale is over.

    Args:
        owners: only the positions of these sleeves; None for all.
    """
    under_way: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for strategy, listing_id, units in connection.execute(CLOSING_UNDER_WAY, [wallet.name, bool(wallet.sleeves)]):
        under_way[wallet.owner_of(strategy), listing_id] += units
    held = {key: position.quantity for key, position in read_owner_positions(connection, wallet.name).items()}
    for listing in wallet.listings:
        left = held_units(connection, wallet, listing.listing_id)
        if not wallet.sleeves:
            held[UNATTRIBUTED, listing.listing_id] = left
        for owner in (*(sleeve.name for sleeve in wallet.sleeves), UNATTRIBUTED):
            key = owner, listing.listing_id
            # One owner may have sold what another holds: together they close no more than the wallet has.
            units = min(held.get(key, Decimal(0)), left) if wallet.sleeves else left
            left -= units if units > 0 else 0
            rest = to_lots(units + under_way[key], listing.lot)
            is_to_close = rest > 0 if wallet.sleeves else rest != 0
            if is_to_close and (owners is None or owner in owners):
                yield owner, listing, OrderRequest(-rest, OrderTerms(reduce_only=True))
