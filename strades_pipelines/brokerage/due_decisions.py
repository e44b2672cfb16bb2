"""Pending decisions: those with neither an intent nor a refusal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import prod
from operator import attrgetter

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import request_from_json
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.market.split_arithmetic import Split

PENDING = """
    SELECT wallet, strategy, listing_id, decided_at, trigger_kind, trigger_id, ordinal, previous_target, target,
        reason, inputs, order_request, recorded_at,
        (SELECT c.requested_by FROM trading.cancel_requests AS c WHERE c.decision_id = d.decision_id)
    FROM signals.decisions AS d
    WHERE is_pending AND wallet = %s AND decided_at <= %s
    ORDER BY decided_at, ordinal, listing_id, strategy
"""
Place = tuple[str, int]  # the owner and the listing


@dataclass(frozen=True, slots=True)
class Due:
    """A pending decision, when it was stored, and who has cancelled it since.

    `splits_since` are the splits of its listing that came after its numbers were written. A target is given in the
    units after them.
    """

    decision: TradingDecision
    recorded_at: datetime
    cancelled_by: str | None
    splits_since: tuple[Split, ...] = ()

    @property
    def is_target(self) -> bool:
        """Whether it sets a target position, and is no order of its own."""
        return self.decision.request is None

    @property
    def parent_id(self) -> str | None:
        """The intent whose fill its order waits for."""
        return self.decision.request.terms.parent_id if self.decision.request else None

    @property
    def replaces(self) -> str | None:
        """The intent in whose place its order is to stand."""
        return self.decision.request.terms.replaces if self.decision.request else None

    def place_in(self, wallet: Wallet) -> Place:
        """The owner and the listing whose target it sets."""
        return wallet.owner_of(self.decision.strategy), self.decision.listing_id

    def needs_own_position(self, wallet: Wallet) -> bool:
        """Whether a strategy that shares the wallet asks for an order that only reduces, or waits for an entry."""
        request = self.decision.request
        if not wallet.sleeves or request is None or self.decision.is_by_person:
            return False
        return request.terms.reduce_only or self.parent_id is not None

    def available_at(self, wallet: Wallet) -> datetime:
        """When its newest input became available: a decision is made and stored right after that.

        A daily bar of 21:00 is published in the evening. A bar that is late by its own length counts as available then:
        the next bar is there by that time.
        """
        latest = self.decision.decided_at + interval_length(wallet.interval)
        return max(self.decision.decided_at, min(self.recorded_at, latest))


def read_due(connection: Connection, wallet: Wallet, *, now: datetime) -> list[Due]:
    """The decisions of a wallet up to and with `now` that are pending, oldest first."""
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    found = []
    for name, strategy, listing, *rest, request, recorded_at, by in connection.execute(
        PENDING, [wallet.name, now]
    ).fetchall():
        made = TradingDecision(name, strategy, index[listing], listing, *rest)
        if request is not None:
            made = replace(made, request=request_from_json(request))
        # By when they were booked, not by their day: a decision counted what was booked by then, and a split may be
        # told of late.
        booked = sorted(wallet.splits, key=attrgetter("recorded_at"))
        # The decision counted the splits it knew: those after that number came since.
        own = [split for split in booked if split.listing_id == made.listing_id]
        since = tuple(own[made.inputs.get("splits", 0) :])
        found.append(Due(_in_new_units(made, since), recorded_at, by, since))
    return found


def _in_new_units(decision: TradingDecision, splits: Sequence[Split]) -> TradingDecision:
    """The decision with its targets in the units after the splits."""
    ratio = float(prod(split.ratio for split in splits))
    return replace(decision, previous_target=decision.previous_target * ratio, target=decision.target * ratio)


def with_successors(wallet: Wallet, pending: list[Due]) -> Iterator[tuple[Due, str | None]]:
    """Each decision, and for a target its strategy's newest one for the listing where that is another."""
    # `pending` is oldest first: what stays in the dictionary is the newest of each place.
    newest = {due.place_in(wallet): due.decision.decision_id for due in pending if due.is_target}
    for due in pending:
        last = newest.get(due.place_in(wallet))
        superseded = due.is_target and last != due.decision.decision_id
        yield due, f"decision {last}" if superseded else None
