"""The one way from decisions to fills: for the Dagster job, the live loop and the command alike.

An order's life: its intent is committed as `planned`; that it is `submitting` is committed; only then the venue is
called. Whatever happens after that, the venue's word alone settles it: what is not known stays `unknown`.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

import psycopg

from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.cancelling import CLOSING, Cancelling
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.lookup_schedule import LookupSchedule
from strades_pipelines.brokerage.order_book import OpenOrder, ask_open_orders, open_orders, orders_by_id, read_orders
from strades_pipelines.brokerage.order_journal import Elapsed, Executed, OrderJournal, stopwatch
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet, set_state
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sending import Sending
from strades_pipelines.brokerage.settling import Settling
from strades_pipelines.brokerage.sleeves import current_states
from strades_pipelines.brokerage.splits import ask_stated, book_splits
from strades_pipelines.brokerage.trading_rows import printable
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.pipelining import commit_together
from strades_pipelines.market.order_states import OrderState

LOGGER = logging.getLogger(__name__)
WORKING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def execute_pending(
    connection: Connection,
    venue: VenueBroker,
    name: str,
    *,
    now: datetime,
    lookups: LookupSchedule | None = None,
    elapsed: Elapsed | None = None,
) -> Executed:
    """Bring a wallet up to date with its venue, then send what its decisions ask for. Safe at any time, from anywhere.

    Under the wallet's lock: ask the venue about the orders that are due and record its fills; cancel what is no longer
    wanted; turn due decisions into intents or refusals; send each intent. Commits as it goes.

    Args:
        lookups: when orders that work are looked up; None: now.
        elapsed: seconds since `now`; None: `now` is the time of the call.

    Raises:
        ValueError: for a replay wallet, which is never edited.
        Exception: a fault of ours, after which the wallet is halted: nothing is sent until a person has looked at it.
    """
    with _pass(connection, venue, name, now, elapsed or stopwatch()) as one_pass:
        one_pass.run(lookups)
    return one_pass.done


def settle_orders(
    connection: Connection, venue: VenueBroker, name: str, intent_ids: Sequence[str], *, now: datetime
) -> Executed:
    """Ask the venue about some orders of a wallet, also ones that are over, and record its fills. Sends nothing.

    Commits as it goes. An order that the venue gives no answer about stays as it is.

    Raises:
        Exception: as `execute_pending`.
    """
    with _pass(connection, venue, name, now, stopwatch()) as one_pass:
        one_pass.settle(intent_ids)
    return one_pass.done


@contextmanager
def _pass(connection: Connection, venue: VenueBroker, name: str, now: datetime, elapsed: Elapsed) -> Iterator["_Pass"]:
    """Under the wallet's lock; a fault of ours halts it: nothing is sent until a person has looked at it."""
    with ExitStack() as lock:
        # One round trip for all of it; the server runs the statements in their order, so that the reads are made under
        # the lock.
        with connection.pipeline():
            lock.enter_context(wallet_lock(connection, name))
            wallet = load_wallet(connection, name)
            stated, under_way = ask_stated(connection, wallet, now=now), ask_open_orders(connection, wallet)
        if wallet.mode == "replay":
            raise ValueError(f"wallet {name}: expected the mode paper or live, was replay; what it did is over")
        current = book_splits(connection, wallet, now=now, asked=stated)
        with _halt_on_fault(connection, name):
            # A split changes orders.
            orders = list(read_orders(wallet, under_way) if current is wallet else open_orders(connection, current))
            yield _Pass(connection, venue, current, now, elapsed, orders)


@contextmanager
def _halt_on_fault(connection: Connection, name: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise  # the database is away, or busy: the next pass goes on
    except Exception as error:
        LOGGER.exception("wallet %s: halted by a fault of ours; nothing more is sent", name)
        with suppress(psycopg.Error):
            connection.rollback()
            reason = printable(f"{type(error).__name__}: {error}".splitlines()[0])
            set_state(connection, name, "halted", reason=f"a fault of Strades: {reason}")
            connection.commit()
        raise


@contextmanager
def wallet_lock(connection: Connection, name: str, *, wait: str = "60s") -> Iterator[None]:
    """Hold the wallet's advisory lock; it ends with the connection, so a killed process leaves none.

    The transaction in which it is taken goes on, and waits as long for the locks of rows.

    Raises:
        psycopg.errors.LockNotAvailable: when another process holds it longer than `wait`.
    """
    key = f"strades.wallet:{name}"
    connection.execute(
        "SELECT set_config('lock_timeout', %s, true), pg_advisory_lock(hashtextextended(%s, 0))", [wait, key]
    )
    try:
        yield
    finally:
        # A broken connection has lost the lock with the rest.
        with suppress(psycopg.OperationalError):
            # First: a transaction that has failed refuses every statement, this one too.
            connection.rollback()
            with commit_together(connection):
                connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


class _Pass:
    def __init__(
        self,
        connection: Connection,
        venue: VenueBroker,
        wallet: Wallet,
        now: datetime,
        elapsed: Elapsed,
        under_way: Sequence[OpenOrder],
    ) -> None:
        self._connection, self._venue, self._wallet, self._under_way = connection, venue, wallet, under_way
        self._journal = OrderJournal(connection, wallet, now, elapsed)
        self._settling = Settling(self._journal, venue)
        self._cancelling = Cancelling(self._journal, venue, self._settling)
        self._sending = Sending(self._journal, venue, self._settling, self._cancelling)
        self.done = self._journal.done

    def settle(self, intent_ids: Sequence[str]) -> None:
        """Record what the venue says of some orders."""
        known_orders = list(orders_by_id(self._connection, self._wallet, intent_ids))
        # No transaction stays open, with its locks, while the venue is asked.
        self._connection.commit()
        for known in known_orders:
            self._settling.look_up_again(known)

    def run(self, lookups: LookupSchedule | None) -> None:
        """One pass."""
        under_way, wallet = self._under_way, self._wallet
        if under_way:
            under_way = self._bring_up_to_date(under_way, lookups)
            # It may have been halted while the venue was asked.
            wallet = wallet.in_states(current_states(self._connection, wallet.name, is_shared=bool(wallet.sleeves)))
        made = self._intend(wallet, under_way)
        planned = [known for known in under_way if known.state is OrderState.PLANNED]
        self._sending.send_planned([*planned, *made])
        if self._wallet.state in CLOSING and not self._journal.open_orders():
            set_state(self._connection, self._wallet.name, "retired", reason=self._wallet.state_reason)
            self._connection.commit()

    def _bring_up_to_date(self, under_way: Sequence[OpenOrder], lookups: LookupSchedule | None) -> Sequence[OpenOrder]:
        """Ask the venue, and cancel what is no longer wanted; returns what is under way after that."""
        # No transaction stays open, with its locks, while the venue is asked.
        self._connection.commit()
        for known in self._to_look_up(under_way, lookups):
            if self._settling.look_up(known):
                self._sending.send([known])
        self._cancelling.cancel_unapproved()
        for known in self._journal.open_orders():
            if not self._cancelling.is_wanted(known):
                ended = "strategy" if self._cancelling.is_of_retired_sleeve(known) else "wallet"
                self._cancelling.cancel(known, known.cancel_requested_by or f"the end of its {ended}")
        self._connection.commit()
        return self._journal.open_orders()

    def _to_look_up(self, under_way: Sequence[OpenOrder], lookups: LookupSchedule | None) -> Sequence[OpenOrder]:
        """The orders that the venue has, or may have, and is to be asked about."""
        at_venue = [known for known in under_way if known.state is not OrderState.PLANNED]
        if lookups is None:
            return at_venue
        waiting = [known for known in at_venue if known.state in WORKING and known.cancel_requested_by is None]
        ids = {known.order.intent_id for known in waiting}
        left = ids - lookups.take_due(self._wallet, self._venue, ids, self._journal.now)
        return [known for known in at_venue if known.order.intent_id not in left]

    def _intend(self, wallet: Wallet, under_way: Sequence[OpenOrder]) -> Sequence[OpenOrder]:
        """Commit an intent, or a refusal, for each decision that is due; returns the intents, parents first."""
        # That it is submitting is durable before it is sent, and this before that.
        with commit_together(self._connection, is_lazy=True):
            planned, refusals = intend(self._connection, wallet, now=self._journal.now, under_way=under_way)
            crash_point("trading.intents_written")
        crash_point("trading.intents_committed")
        self.done.intents += [known.order.intent_id for known in planned]
        self.done.refusals.update({refusal.decision_id: refusal.code for refusal in refusals})
        # The venue on paper rejects a child whose parent it does not have.
        return sorted(planned, key=lambda known: (known.order.decided_at, known.order.terms.parent_id is not None))
