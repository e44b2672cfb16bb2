"""Orders, refusals and fills of a replay in exact terms, from what its engine wrote down in floats."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.brokerage.model_trust import Standings
from strades_pipelines.brokerage.trading_rows import Row, order_event_row
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.market.bars_and_fills import Fill, stamp
from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import OrderState as S
from strades_pipelines.market.order_terms import MARKET, Order, Refusal, TradingDecision
from strades_pipelines.market.rounding import to_ticks
from strades_pipelines.strategy.events import moment
from strades_pipelines.strategy.orders import CANCELLED, DISTRUSTED, EXPIRED, FILLED, OTHER_DONE, OUTCOMES, REJECTED

# How an engine's order ends with a part, or all of it, left. One that is filled can have such a part too: that which
# another order of its group filled.
ENDS = {CANCELLED: S.CANCELLED, REJECTED: S.REJECTED, EXPIRED: S.EXPIRED, FILLED: S.CANCELLED}


class ReplayOrders:
    """What a replay's journal says in exact terms: orders, refusals, fills and the books after them."""

    def __init__(
        self, template: WalletTemplate, listings: Sequence[Listing], journal: DecisionJournal, standings: Standings
    ) -> None:
        self.decisions = journal.made
        self.books = Books(template.cash)
        self.orders: dict[int, Order] = {}
        self.refusals: list[Refusal] = []
        self.fills: list[Fill] = []
        self._changes = journal.orders
        for decision, row, quantity in zip(journal.made, journal.decisions, journal.quantities, strict=True):
            outcome = int(row[5])
            # A position that was to be turned and may only be closed is refused the rest, and has an order.
            if row[4] and decision.decision_id not in journal.refused:
                self.orders[int(row[4])] = _order(decision, listings[decision.i], quantity)
            else:
                worse = standings.worse_than_naive_at(int(row[0])) if outcome == DISTRUSTED else None
                detail = worse.detail if worse else f"target {decision.target}: {OUTCOMES[outcome]}"
                self.refusals.append(Refusal(decision.decision_id, OUTCOMES[outcome], detail))
        parts: Counter[int] = Counter()
        for (number, _, quantity, price, _, filled_at, time, _), opened in zip(
            journal.fills, journal.fill_bars, strict=True
        ):
            parts[int(number)] += 1
            fill = _fill(
                self.orders[int(number)], listings, template, quantity, price, int(filled_at), int(time), opened
            )
            # An order may be filled twice within one bar, and the id says no more than the bar.
            if parts[int(number)] > 1:
                fill = replace(fill, content_id=base32_id(fill.content_id, str(parts[int(number)])))
            self.fills.append(fill)
            self.books.apply(fill)

    def event_rows(self) -> list[Row]:
        """The rows of trading.order_events: each order planned and sent when it was decided, and its outcome."""
        filled: dict[str, list[Fill]] = defaultdict(list)
        for fill in self.fills:
            filled[fill.intent_id].append(fill)
        ends = {int(row[0]): row for row in self._changes if int(row[4]) in ENDS}
        rows = []
        for number, order in self.orders.items():
            events: list[tuple[S, datetime, Decimal, str | None]] = [
                (state, order.decided_at, ZERO, None) for state in (S.PLANNED, S.SUBMITTING)
            ]
            done = ZERO
            for fill in filled[order.intent_id]:
                done += fill.quantity
                state = S.FILLED if done == order.quantity else S.PARTIALLY_FILLED
                events.append((state, fill.knowledge_time, done, None))
            end = ends.get(number)
            if end is not None and done < order.quantity:
                state = ENDS[int(end[4])]
                # Rejected is only what nothing was filled of.
                state = S.CANCELLED if done and state is S.REJECTED else state
                reason = OTHER_DONE if int(end[4]) == FILLED else int(end[5])
                events.append((state, moment(int(end[3])), done, OUTCOMES[reason]))
            elif not done:
                # It stands at the end of the window.
                events.append((S.ACCEPTED, order.decided_at, ZERO, None))
            rows += [
                order_event_row(order.intent_id, state, at, sequence=place, filled=quantity, reason=reason)
                for place, (state, at, quantity, reason) in enumerate(events)
            ]
        return rows


def _order(decision: TradingDecision, listing: Listing, quantity: float) -> Order:
    return Order(
        intent_id=decision.intent_id(),
        decision_id=decision.decision_id,
        i=decision.i,
        listing_id=decision.listing_id,
        side="buy" if quantity > 0 else "sell",
        quantity=to_ticks(abs(quantity), listing.lot),
        decided_at=decision.decided_at,
        reserved=ZERO,
        terms=decision.request.terms if decision.request else MARKET,
        is_for_target=decision.request is None,
    )


def _fill(
    order: Order,
    listings: Sequence[Listing],
    template: WalletTemplate,
    quantity: float,
    price: float,
    filled_at: int,
    time: int,
    opened: int | None,
) -> Fill:
    listing = listings[order.i]
    exact_price, exact_quantity = to_ticks(price, listing.tick), to_ticks(abs(quantity), listing.lot)
    bar, kind_of_bar = moment(filled_at if opened is None else opened), template.every or template.interval
    return Fill(
        i=order.i,
        listing_id=order.listing_id,
        content_id=base32_id(order.intent_id, f"{kind_of_bar}@{stamp(bar)}"),
        intent_id=order.intent_id,
        side=order.side,
        quantity=exact_quantity,
        price=exact_price,
        fee=percent_fee(exact_quantity, exact_price, template.fee_rate),
        currency=listing.currency,
        filled_at=moment(filled_at),
        knowledge_time=moment(time),
        bar_interval=kind_of_bar,
        bar_open_time=bar,
    )
