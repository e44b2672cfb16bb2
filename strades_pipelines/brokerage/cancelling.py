"""What is no longer wanted is taken back: by a person, by its strategy, by its group, by the end of its wallet."""

from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.emulated_orders import working_in_group
from strades_pipelines.brokerage.linked_orders import is_cancelled_by_group, is_exit_now
from strades_pipelines.brokerage.live_permissions import planned_under_earlier
from strades_pipelines.brokerage.order_book import OpenOrder
from strades_pipelines.brokerage.order_journal import OrderJournal
from strades_pipelines.brokerage.settling import Settling
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

CLOSING = ("retiring",)


class Cancelling:
    """Cancels orders of the journal's wallet."""

    def __init__(self, journal: OrderJournal, venue: VenueBroker, settling: Settling) -> None:
        self._journal, self._venue, self._settling = journal, venue, settling
        self._connection = journal.connection

    def cancel_unapproved(self) -> None:
        """Cancel what a live wallet planned under an approval that counts no more, but for exits. Commits.

        A stop that is kept back waits as long as it takes: it would be sent under limits and code of another approval.
        """
        wallet = self._journal.wallet
        planned = planned_under_earlier(self._connection, wallet.name) if wallet.mode == "live" else set()
        for known in self._journal.open_orders() if planned else ():
            if known.order.intent_id in planned and not is_exit_now(self._connection, wallet, known.order):
                self.cancel(known, "the end of the approval that it was planned under")

    def is_wanted(self, known: OpenOrder) -> bool:
        """Whether nothing speaks for taking the order back."""
        wallet = self._journal.wallet
        if known.cancel_requested_by is not None or wallet.state in CLOSING or self.is_of_retired_sleeve(known):
            return False
        return known.state is OrderState.PLANNED or not self.is_linked_out(known.order)

    def is_of_retired_sleeve(self, known: OpenOrder) -> bool:
        """Whether it is of a strategy that Wallets.json no longer lists; a person may still sell what that holds."""
        order = known.order
        sells_off = order.is_by_person and (order.side == "sell" or order.terms.reduce_only)
        return not sells_off and order.strategy in self._journal.wallet.retired_sleeves

    def is_linked_out(self, order: Order) -> bool:
        """Whether an order of its group was filled, at a venue that does not keep groups itself."""
        name = self._journal.wallet.name
        return not self._venue.links_orders and is_cancelled_by_group(self._connection, name, order)

    def clear_group(self, order: Order) -> bool:
        """Cancel the other orders of its group, which hold the units that it sells; whether none is left. Commits."""
        name = self._journal.wallet.name
        others = working_in_group(self._connection, name, order)
        for known in self._journal.open_orders() if others else ():
            if known.order.intent_id in others:
                self.cancel(known, f"the stop of its group, {order.intent_id}")
        return not others or not working_in_group(self._connection, name, order)

    def cancel(self, known: OpenOrder, by: str) -> None:
        """Cancel what is left of an order; one that was never sent is cancelled here. Commits."""
        journal = self._journal
        if not journal.claim(known):
            return
        if known.state is OrderState.PLANNED:
            journal.record(known, OrderState.CANCELLED, reason=f"cancelled by {by}; it was never sent")
            self._connection.commit()
            return
        if known.state is OrderState.SUBMITTING or known.venue_order_id is None:
            return  # first the venue has to say that it has it
        if known.state is not OrderState.CANCELLING:
            known = journal.record(known, OrderState.CANCELLING)
        # Committed before the request: after a crash the next pass knows that a cancel may have reached the venue.
        self._connection.commit()
        crash_point("trading.order_cancelling")
        try:
            found = self._venue.cancel(known.order, at=journal.now)
        except BrokerError as error:
            # Refused, since it is over, or not heard: the next look-up says which.
            journal.postpone(known, f"cancel: {error}", error)
        else:
            if found is not None:
                self._settling.adopt(known, found)
        self._connection.commit()
        crash_point("trading.order_cancelled")
