"""From decisions to intents: each listing's newest target and every order asked for pass the risk gate."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from strades_pipelines.brokerage.due_decisions import Due, Place, read_due, with_successors
from strades_pipelines.brokerage.gate_inputs import read_market
from strades_pipelines.brokerage.holdings import BooksRows, ask_books, load_books
from strades_pipelines.brokerage.model_trust import CODE
from strades_pipelines.brokerage.order_book import OpenOrder, cancels_ended_since, open_orders, plan
from strades_pipelines.brokerage.owner_accounts import OwnerAccount, read_owner_accounts
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.replacements import refusal_to_replace
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.brokerage.trading_rows import insert_many, refusal_row
from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.exposure import Market
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.limits import is_exit
from strades_pipelines.market.order_checks import GateError
from strades_pipelines.market.order_states import UNSETTLED, OrderState
from strades_pipelines.market.order_terms import Order, Refusal, TradingDecision
from strades_pipelines.market.risk import gate
from strades_pipelines.strategy.events import microseconds

LOGGER = logging.getLogger(__name__)
FIRST = datetime.min.replace(tzinfo=UTC)
SHARED = (
    "a venue knows the position of the wallet, not of each of its strategies: orders that only reduce, and brackets, "
    "are for a wallet with one strategy"
)
# Of each listing the newest decision for a target that became an intent.
NEWEST_INTENTS = """
    SELECT listing.id, newest.intended_at
    FROM unnest(%s::integer[]) AS listing (id)
    CROSS JOIN LATERAL (
        SELECT i.intended_at FROM trading.intents AS i INNER JOIN signals.decisions AS d USING (decision_id)
        WHERE i.wallet = %s AND i.listing_id = listing.id AND d.order_request IS NULL
            AND (%s::text IS NULL OR d.strategy = %s)
        ORDER BY i.intended_at DESC LIMIT 1
    ) AS newest
"""


def intend(
    connection: Connection, wallet: Wallet, *, now: datetime, under_way: Sequence[OpenOrder] | None = None
) -> tuple[list[OpenOrder], list[Refusal]]:
    """Make intents of the decisions that are due, and refusals of those that never will be. Commits nothing.

    A target waits while an order for it is unsettled (unsent, or unknown to us): its size depends on that. What hangs
    on an order that is being cancelled waits until the venue has said how that ended: it may be filled all the same.

    Args:
        under_way: the wallet's open orders as they are now; they are read where they are not given.
    """
    pending = list(with_successors(wallet, read_due(connection, wallet, now=now)))
    if not pending:
        return [], []
    asked = ask_books(connection, wallet)
    market = read_market(connection, wallet, now=now)
    books, unsettled = books_with_orders(connection, wallet, market.prices, under_way, asked)
    deciding = {due.decision.strategy for due, _ in pending if not due.decision.is_by_person}
    owners = read_owner_accounts(connection, wallet, books, deciding)
    newest = _newest_intents(connection, wallet) if any(due.is_target for due, _ in pending) else {}
    held_up = _held_up_until(connection, wallet, [due for due, _ in pending], books, now=now)
    entries = {due.parent_id for due, _ in pending}
    planned: list[OpenOrder] = []
    unwritten: list[tuple[Order, datetime]] = []
    refusals: list[Refusal] = []
    waiting: set[str] = set()  # intents that are not made yet, and what hangs on them
    for due, later in pending:
        decision, place = due.decision, due.place_in(wallet)
        if due.replaces is not None:  # what it replaces may be planned here
            planned += plan(connection, wallet, unwritten, now=now)
            unwritten = []
        if due.is_target and later is None and newest.get(place, FIRST) > decision.decided_at:
            later = "an intent"
        if due.is_target and later is None and place in unsettled:
            continue
        if due.parent_id in waiting or due.replaces in waiting:
            waiting.add(decision.intent_id())
            continue
        outcome: Order | Refusal | None
        if later is not None:
            outcome = Refusal(decision.decision_id, "superseded", f"{later} for the same listing is newer")
        elif due.cancelled_by is not None:
            outcome = Refusal(decision.decision_id, "cancelled", f"cancelled by {due.cancelled_by} before it was sent")
        elif due.splits_since and not due.is_target:
            detail = f"its sizes and prices are from before the {due.splits_since[0].title}"
            outcome = Refusal(decision.decision_id, "split", detail)
        elif (refusal := refusal_to_replace(connection, wallet.name, decision)) is not None:
            outcome = refusal
        elif due.needs_own_position(wallet) or (wallet.sleeves and decision.intent_id() in entries):
            outcome = Refusal(decision.decision_id, "shared_position", SHARED)
        else:
            account = owners.of(decision)
            # The two never work at once, so they need cash and room for one.
            replaced = books.open_orders.pop(due.replaces, None) if due.replaces else None
            if replaced is not None:
                owners.remove_order(replaced)
            recent = market.recent_orders + len(planned) + len(unwritten)
            since = _age_counts_from(due, wallet, held_up, now=now)
            market_now = replace(market, recent_orders=recent)
            outcome = _judge(due, wallet, books, account, market=market_now, now=now, since=since)
            if replaced is not None:
                books.open_orders[replaced.intent_id] = replaced
                owners.add_order(replaced)
        if outcome is None:
            waiting.add(decision.intent_id())
        elif isinstance(outcome, Refusal):
            refusals.append(outcome)
        else:
            _warn_of_crossing(wallet, books, outcome)
            books.open_orders[outcome.intent_id] = outcome
            owners.add_order(outcome)
            unwritten.append((outcome, since + wallet.max_age))
    insert_many(connection, "trading.refusals", [refusal_row(refusal, wallet.name, now) for refusal in refusals])
    return planned + plan(connection, wallet, unwritten, now=now), refusals


def _held_up_until(
    connection: Connection, wallet: Wallet, pending: Sequence[Due], books: Books, *, now: datetime
) -> dict[int, datetime]:
    """Until when an order of each listing was being cancelled; empty where no decision is too old."""
    if not any(_is_late(due, wallet, now) for due in pending):
        return {}
    ended = cancels_ended_since(connection, wallet, now - wallet.max_age)
    return ended | {books.open_orders[intent_id].listing_id: now for intent_id in books.cancelling}


def _is_late(due: Due, wallet: Wallet, now: datetime) -> bool:
    return now - due.available_at(wallet) > wallet.max_age and not due.decision.is_by_person


def _age_counts_from(due: Due, wallet: Wallet, held_up: Mapping[int, datetime], *, now: datetime) -> datetime:
    """When a decision could be taken up: when it was available, and one that a cancel has made late when that ended."""
    available_at = due.available_at(wallet)
    return held_up.get(due.decision.listing_id, available_at) if _is_late(due, wallet, now) else available_at


def _judge(
    due: Due, wallet: Wallet, books: Books, account: OwnerAccount, *, market: Market, now: datetime, since: datetime
) -> Order | Refusal | None:
    """What the gate makes of a decision; None while a strategy's hangs on an order that is being cancelled.

    In a backtest a cancel is done at once. A venue takes its time, and may fill the order: so all of it counts, and
    where without it there would be another order, the decision waits, as long as its age allows. A person is told now.

    Args:
        since: what its age counts from where it is an exit: one that a cancel holds up is never too old.
    """
    decision, available_at = due.decision, due.available_at(wallet)

    def outcome(books: Books, own: Books | None, since: datetime) -> Order | Refusal:
        return gate(
            decision,
            wallet.listings[decision.i],
            books,
            market=market,
            now=now,
            rules=account.rules,
            seen=(),
            available_at=since,
            held_back=_held_back(account, decision),
            own=own,
        )

    own = account.books
    at_worst = at_best = outcome(books, own, since)
    if books.cancelling and not decision.is_by_person:
        at_best = outcome(books.without_cancelling(), own.without_cancelling() if own else None, since)
    if since != available_at and not _is_exit_for_all(at_best, books, own):
        return outcome(books, own, available_at)
    return None if isinstance(at_best, Order) and at_best != at_worst else at_worst


def _is_exit_for_all(outcome: Order | Refusal, books: Books, own: Books | None) -> bool:
    """Whether it is an order that makes the positions of the wallet and of its owner smaller."""
    return isinstance(outcome, Order) and all(
        is_exit(account.held(outcome.listing_id), outcome.signed) for account in (books, own or books)
    )


def _warn_of_crossing(wallet: Wallet, books: Books, order: Order) -> None:
    """Say that strategies of a wallet trade against one another: both orders go out, each for its own price and fee."""
    against = [
        f"{other.strategy} ({other.side} {plain(other.quantity)})"
        for other in books.open_orders.values()
        if other.listing_id == order.listing_id and other.side != order.side and other.strategy != order.strategy
    ]
    if wallet.sleeves and against:
        own = f"{order.strategy} ({order.side} {plain(order.quantity)})"
        what = wallet.listings[order.i].name
        LOGGER.warning("wallet %s: %s trades %s against %s; both go out", wallet.name, own, what, ", ".join(against))


def _held_back(account: OwnerAccount, decision: TradingDecision) -> GateError | None:
    """Why a decision may make no position larger: the state it goes by, or its model's newest standing at the time."""
    rules = account.rules
    if rules.state == "reducing":
        return GateError(f"{rules.holder}_reducing", f"the {rules.holder} makes no position larger")
    if decision.is_by_person:
        return None  # it rests on no forecast
    if account.fault is not None:
        return GateError("strategy_fault", f"the strategy cannot be made: {account.fault}")
    worse = account.standings.worse_than_naive_at(microseconds(decision.decided_at))
    return GateError(CODE, worse.detail) if worse else None


def books_with_orders(
    connection: Connection,
    wallet: Wallet,
    prices: Mapping[int, Decimal],
    under_way: Sequence[OpenOrder] | None = None,
    asked: BooksRows | None = None,
) -> tuple[Books, set[Place]]:
    """The wallet's books with all that is under way, at its worst, and the targets that are unsettled.

    Args:
        under_way: as for `intend`.
        asked: as for `load_books`.
    """
    books = load_books(connection, wallet, asked)
    unsettled: set[Place] = set()
    for known in open_orders(connection, wallet) if under_way is None else under_way:
        rest = known.order.quantity - known.filled
        if rest <= 0:
            continue
        terms = known.order.terms
        price = (
            (terms.limit or terms.stop or prices.get(known.order.listing_id, ZERO))
            if _takes_cash(known.order)
            else ZERO
        )
        reserved = rest * price + percent_fee(rest, price, wallet.fee_rate)
        books.open_orders[known.order.intent_id] = replace(known.order, quantity=rest, reserved=reserved)
        if known.cancel_requested_by is not None or known.state is OrderState.CANCELLING:
            books.cancelling.add(known.order.intent_id)
        if known.state in UNSETTLED:
            books.unsettled.add(known.order.intent_id)
            if known.order.is_for_target:
                unsettled.add((wallet.owner_of(known.order.strategy), known.order.listing_id))
    return books, unsettled


def _takes_cash(order: Order) -> bool:
    return order.side == "buy" and not order.terms.reduce_only  # no wallet is short: no purchase is an exit


def _newest_intents(connection: Connection, wallet: Wallet) -> dict[Place, datetime]:
    ids = [listing.listing_id for listing in wallet.listings]
    owners: list[str | None] = [sleeve.name for sleeve in wallet.sleeves] or [None]
    return {
        (owner or UNATTRIBUTED, listing_id): at
        for owner in owners
        for listing_id, at in connection.execute(NEWEST_INTENTS, [ids, wallet.name, owner, owner])
    }
