"""What the venue says of an order becomes what our books say: its fills first, then its state."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from strades_pipelines.brokerage.brokers.venue import VenueBroker, VenueFill, VenueOrder, account_of
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.findings import Code, Finding, halt_for_finding
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.order_book import OpenOrder, postpone, settle_attempts
from strades_pipelines.brokerage.order_journal import OrderJournal
from strades_pipelines.brokerage.replacements import has_successor
from strades_pipelines.brokerage.venue_answers import (
    as_intended,
    contradiction,
    fill_fault,
    fill_id,
    new_fill,
    state_with,
)
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState

NEVER_HAD_IT = "the venue never had it"


class Settling:
    """Takes what a venue answers into the books of the journal's wallet."""

    def __init__(self, journal: OrderJournal, venue: VenueBroker) -> None:
        self._journal, self._venue, self._connection = journal, venue, journal.connection

    def look_up(self, known: OpenOrder) -> bool:
        """Ask the venue about an order that it may have; whether it is certain that it never had it. Commits."""
        if not self._journal.claim(known):
            return False
        is_absent = False
        try:
            found = self._venue.lookup(known.order, at=self._journal.now)
        except BrokerError as error:
            self._journal.postpone(known, f"no answer: {error}", error)
        else:
            if found is not None:
                self.adopt(known, found)
            elif known.venue_order_id is not None:
                self._journal.postpone(known, "the venue does not know an order it had accepted")
            elif known.sent_at is not None and self._age(known) < self._venue.grace:
                self._journal.postpone(known, "the venue does not show it yet")
            else:
                is_absent = True
        self._connection.commit()
        return is_absent

    def _age(self, known: OpenOrder) -> timedelta:
        assert known.sent_at is not None
        return self._journal.now - known.sent_at

    def look_up_again(self, known: OpenOrder) -> None:
        """Ask the venue about an order that may be over, and book the fills that we lack. Commits."""
        with suppress(BrokerError):  # the next pass asks again
            found = self._venue.lookup(known.order, at=self._journal.now)
            # What contradicts an order that is over cannot become its state: reconciliation says so.
            if found is not None and not (known.state.is_over and contradiction(known, found)):
                self.adopt(known, found)
        self._connection.commit()

    def adopt(self, known: OpenOrder, found: VenueOrder) -> None:
        """Record the fills that we do not have, one transaction each, then the venue's state; the caller commits that.

        A fill that cannot be the order's is booked nowhere, and kept as it came. A venue that repeats it stops the
        wallet: that is a finding.
        """
        found = as_intended(known, found)
        if found.state is OrderState.CANCELLED and has_successor(self._connection, known.order.intent_id):
            found = replace(found, state=OrderState.REPLACED)
        parts = self._new_parts(known, found) if found.fills else []
        fault = fill_fault(known, found, parts)
        if fault is not None and known.state.is_over:
            return  # reconciliation says so
        if fault is not None and (known.state, known.reason) == (OrderState.UNKNOWN, fault[1]):
            halt_for_finding(self._connection, self._finding(known, found, *fault), now=self._journal.now)
        reason = fault[1] if fault is not None else contradiction(known, found)
        if reason is not None:
            self._journal.postpone(known, reason, message=found.message, to_unknown=True)
            return
        lacks_fills = found.filled is not None and found.filled > found.filled_by_fills
        if lacks_fills:
            found = replace(found, state=OrderState.ACCEPTED)  # it is not over before all of them are booked
        after = self._book(known, found, parts)
        if known.next_attempt_at is not None:
            settle_attempts(self._connection, known.order.intent_id)
        if lacks_fills or (found.state is OrderState.FILLED and after.state is not OrderState.FILLED):
            # Its fills are still to be told.
            postpone(self._connection, known.order.intent_id, now=self._journal.now)

    def _book(self, known: OpenOrder, found: VenueOrder, parts: list[VenueFill]) -> OpenOrder:
        journal = self._journal
        for place, part in enumerate(parts):
            is_last = place == len(parts) - 1
            listing = journal.wallet.listings[known.order.i]
            fill = new_fill(known.order, part, listing, journal.wallet.currency, journal.now)
            if post_fill(self._connection, journal.wallet, fill, now=journal.now):
                journal.done.fills.append(fill.content_id)
            filled = known.filled + part.quantity
            state = found.state if is_last else OrderState.PARTIALLY_FILLED
            known = journal.record(known, state_with(known, state, filled), filled=filled, found=found)
            crash_point("trading.fill_written")
            self._connection.commit()
            crash_point("trading.fill_recorded")
        if not parts:
            known = journal.record(known, state_with(known, found.state, known.filled), found=found)
        return known

    def _new_parts(self, known: OpenOrder, found: VenueOrder) -> list[VenueFill]:
        """The fills of an order that are not recorded yet, oldest first."""
        rows = self._connection.execute(
            "SELECT fill_id FROM trading.fills WHERE intent_id = %s", [known.order.intent_id]
        )
        recorded = {row[0] for row in rows}
        parts = [part for part in found.fills if fill_id(known.order, part) not in recorded]
        return sorted(parts, key=lambda part: (part.filled_at, part.venue_fill_id))

    def _finding(self, known: OpenOrder, found: VenueOrder, part: VenueFill, detail: str) -> Finding:
        """A fill that cannot be the order's."""
        wallet, order = self._journal.wallet, known.order
        listing = wallet.listings[order.i]
        return Finding(
            account_of(wallet),
            (wallet.name,),
            Code.FILL_CONTRADICTS,
            fill_id(order, part),
            f"order {order.intent_id} ({order.side} {plain(order.quantity)} {listing.symbol}): {detail}",
            part.filled_at,
            symbol=listing.symbol,
            listing_id=order.listing_id,
            price=part.price,
            evidence={
                "client_order_id": order.intent_id,
                "venue_order_id": found.venue_order_id,
                "venue_fill_id": part.venue_fill_id,
                "quantity": plain(part.quantity),
                "side": part.side,
                "symbol": part.symbol,
            },
        )
