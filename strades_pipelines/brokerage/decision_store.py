"""Decisions in the database: each place in time once, and what to do where it comes out otherwise a second time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from strades_pipelines.brokerage.decisions import units_of
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import decision_row, insert, request_to_json, to_json
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.order_terms import BY_PERSON, TradingDecision

REVISED = "the past came out otherwise: inputs were late, revised, or the strategy was changed"
OVERTAKEN = "a split came between the decision and its fill: the target in the shares of after it"
Place = tuple[int, datetime, int]  # the listing, the instant, and the ordinal at it


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What is stored of a decision; `request` is None where it is about a target."""

    decision_id: str
    target: float
    request: dict[str, Any] | None


class Newest(NamedTuple):
    """A listing's newest decision for a target; of one that a split has overtaken the strategy is asked again."""

    decided_at: datetime
    ordinal: int
    target: float
    is_overtaken: bool = False


# Of each listing the newest decision for a target, and whether its order was sized in the shares of before a split and
# ended after that: cancelled for it, or filled with as many new shares, before anybody told of the split.
NEWEST = """
    SELECT listing.id, newest.decided_at, newest.ordinal, newest.target, EXISTS (
        SELECT FROM trading.intents AS i
        INNER JOIN trading.orders AS o USING (intent_id)
        INNER JOIN trading.movements AS m ON i.wallet = m.wallet AND i.listing_id = m.listing_id
        WHERE i.decision_id = newest.decision_id AND m.kind = 'split'
            AND i.intended_at < m.occurred_at AND m.occurred_at <= o.updated_at
            AND o.state IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
    )
    FROM unnest(%(listings)s::integer[]) AS listing (id)
    CROSS JOIN LATERAL (
        SELECT d.decision_id, d.decided_at, d.ordinal, d.target FROM signals.decisions AS d
        WHERE d.wallet = %(wallet)s AND d.listing_id = listing.id AND d.order_request IS NULL
            AND d.trigger_kind <> 'person' AND (%(sleeve)s::text IS NULL OR d.strategy = %(sleeve)s)
        ORDER BY d.decided_at DESC, d.ordinal DESC LIMIT 1
    ) AS newest
"""


def stored_decisions(connection: Connection, wallet: Wallet, *, since: datetime) -> dict[Place, StoredDecision]:
    """The decisions of a wallet's strategy from `since` on by their place; a person's may have the same place."""
    rows = connection.execute(
        """
        SELECT listing_id, decided_at, ordinal, decision_id, target, order_request
        FROM signals.decisions
        WHERE wallet = %(wallet)s AND decided_at >= %(since)s AND trigger_kind <> %(person)s
            AND (%(sleeve)s::text IS NULL OR strategy = %(sleeve)s)
        ORDER BY decided_at, ordinal
        """,
        {"wallet": wallet.name, "since": since, "person": BY_PERSON, "sleeve": wallet.sleeve_name},
    )
    return {(listing_id, at, ordinal): StoredDecision(*rest) for listing_id, at, ordinal, *rest in rows}


def store_decisions(
    connection: Connection,
    decisions: Sequence[TradingDecision],
    targets: Sequence[float],
    wallet: Wallet,
    *,
    now: datetime,
) -> list[TradingDecision]:
    """Store the decisions whose place is new; returns those. Commits nothing.

    Inputs that came late or were revised have a wallet stepped through its past again, and can make a decision come
    out otherwise. The one that is stored stands, since an order may have come of it; the other is kept
    in signals.remade_decisions. Where the strategy now wants to hold something else than the last stored decision
    says, that is a decision of the present, at `now`; so it is where a split came between that and its fill.

    Args:
        decisions: oldest first.
        targets: what the strategy wants to hold at `now`, by the listing's index.
    """
    # Read before anything is stored: `_corrections` adds what is new itself.
    newest = _newest_targets(connection, wallet)
    stored = stored_decisions(connection, wallet, since=decisions[0].decided_at) if decisions else {}
    new = []
    for made in decisions:
        known = stored.get((made.listing_id, made.decided_at, made.ordinal))
        if known is None:
            insert(connection, "signals.decisions", decision_row(made, now))
            new.append(made)
        elif not _is_same(known, made):
            insert(connection, "signals.remade_decisions", _remade_row(known, made, now))
    return new + _corrections(connection, newest, new, targets, wallet, now)


def _newest_targets(connection: Connection, wallet: Wallet) -> dict[int, Newest]:
    """Each listing's newest stored decision that is about a target."""
    ids = [listing.listing_id for listing in wallet.listings]
    of_strategy = {"listings": ids, "wallet": wallet.name, "sleeve": wallet.sleeve_name}
    return {listing_id: Newest(*found) for listing_id, *found in connection.execute(NEWEST, of_strategy)}


def _corrections(
    connection: Connection,
    newest: dict[int, Newest],
    decisions: Sequence[TradingDecision],
    targets: Sequence[float],
    wallet: Wallet,
    now: datetime,
) -> list[TradingDecision]:
    """Decisions of the present where the newest one of a listing, stored or new, is not what the strategy wants."""
    for made in decisions:
        place = made.decided_at, made.ordinal
        if made.request is None and place >= newest.get(made.listing_id, place)[:2]:
            newest[made.listing_id] = Newest(*place, made.target)
    corrections = []
    for i, listing in enumerate(wallet.listings):
        last = newest.get(listing.listing_id)
        if last is None or last.decided_at >= now:
            continue
        if _is_equal(last.target, targets[i]) and not last.is_overtaken:
            continue
        trigger = f"revision@{stamp(now)}"
        made = TradingDecision(
            wallet=wallet.name,
            strategy=wallet.title,
            i=i,
            listing_id=listing.listing_id,
            decided_at=now,
            trigger_kind="revision",
            trigger_id=trigger,
            ordinal=0,
            previous_target=last.target,
            target=targets[i],
            reason=OVERTAKEN if last.is_overtaken else REVISED,
            inputs={"trigger": {"kind": "revision", "id": trigger}, **units_of(wallet.splits, listing.listing_id)},
        )
        # A pass that is repeated at the same `now` gives the same id, and `insert` leaves it out.
        if insert(connection, "signals.decisions", decision_row(made, now)):
            corrections.append(made)
    return corrections


def _is_same(known: StoredDecision, made: TradingDecision) -> bool:
    request = None if made.request is None else request_to_json(made.request)
    return _is_equal(known.target, made.target) and known.request == request


def _is_equal(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _remade_row(known: StoredDecision, made: TradingDecision, now: datetime) -> dict[str, Any]:
    return {
        "decision_id": known.decision_id,
        "target": made.target,
        "trigger_id": made.trigger_id,
        "inputs": to_json(made.inputs),
        "recorded_at": now,
    }
