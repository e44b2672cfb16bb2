"""Commands of pages that need a venue: cancel an order, or close every position of a wallet.

They do what `strades cancel` and `strades halt --flatten` do, and are idempotent, across processes too: an order is
cancelled once, and an exit that is under way is not sent again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.command_log import PendingCommand
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.flatten import CANCEL_SECONDS, Flattened, flatten
from strades_pipelines.brokerage.halts import wallets_of
from strades_pipelines.brokerage.live import for_each
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.person_orders import find_order
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.order_states import OrderState

Clock = Callable[[], datetime]
Connect = Callable[[], AbstractContextManager[Connection]]
ORDERS_DONE = frozenset({"cancelled", "flattened"})


def cancel_order(connection: Connection, command: PendingCommand, *, clock: Clock, connect_venue: Connect) -> str:
    """Cancel the order that a command names; returns `cancelled`, or why it was not. Commits."""
    request, intent_id = command.request, command.intent_id
    try:
        wallet, decision_id, before = find_order(connection, intent_id)
    except LookupError as error:
        return f"refused: {error}"
    finally:
        connection.rollback()
    if wallet not in wallets_of(connection, request.scope):
        return f"refused: order {intent_id} is not of {request.scope}"
    if before.is_over:
        return f"refused: order {intent_id} is {before.value}: there is nothing to cancel"
    request_cancel(connection, decision_id, by=request.by, at=request.at, now=clock())
    connection.commit()

    def execute(venue: VenueBroker) -> object:
        return execute_pending(connection, venue, wallet, now=clock())

    _, problem = _at_venue(connection, wallet, execute, connect_venue)
    # The order's own state, not the venue's answer, decides: it may have filled while it was cancelled.
    _, _, after = find_order(connection, intent_id)
    connection.rollback()
    if after is OrderState.FILLED:
        return f"not cancelled: order {intent_id} was filled first"
    if after.is_over:
        return "cancelled" if after is OrderState.CANCELLED else f"order {intent_id} is {after.value}"
    return (
        f"order {intent_id} is {after.value}: each pass over its wallet tries again{f' ({problem})' if problem else ''}"
    )


def flatten_wallet(connection: Connection, command: PendingCommand, *, clock: Clock, connect_venue: Connect) -> str:
    """Cancel all orders and close all positions of a wallet that the command halts; returns the outcome. Commits."""
    request = command.request
    names = wallets_of(connection, request.scope)
    connection.rollback()
    if not names:
        return f"refused: {request.scope} does not trade"

    def close_positions(venue: VenueBroker) -> Flattened:
        return flatten(connection, venue, request, clock=clock, seconds=CANCEL_SECONDS)

    done, problem = _at_venue(connection, names[0], close_positions, connect_venue)
    if not isinstance(done, Flattened):
        return f"not flattened: {problem}"
    return "; ".join(done.problems) or "flattened"


def _at_venue(
    connection: Connection, wallet: str, work: Callable[[VenueBroker], object], connect_venue: Connect
) -> tuple[object, str]:
    """Do the work at the wallet's venue; returns its result, and its error in one line. Raises nothing."""
    with connect_venue() as venue_connection:

        def work_for(name: str) -> object:
            opened = load_wallet(connection, name)
            connection.rollback()
            return work(venue_for(opened, venue_connection))

        results, errors = for_each([wallet], work_for, [connection, venue_connection])
    return results.get(wallet), errors.get(wallet, "")
