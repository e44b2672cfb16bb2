"""Seeded runs of a wallet at a venue where every request may go wrong, in time that the run moves.

Real PostgreSQL, the real client, the sandbox's venue. `make chaos` makes ten thousand; a
run that fails names its seed. Streams are not read by execution, which asks; so their faults do not apply.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.venue.faults import Fault, fault_rule
from sandbox.venue.venues import KEY
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.reconcile import reconcile
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AtAlpaca, AtGate
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection

STREAMED = {
    Fault.DUPLICATE_EVENT,
    Fault.LATE_EVENT,
    Fault.LOST_EVENT,
    Fault.CORRUPT_EVENT,
    Fault.FILL_BEFORE_ACK,
    Fault.DISCONNECT,
}
KINDS = [kind for kind in Fault if kind not in STREAMED]
SECONDS = {Fault.LATE_LOOKUP: 20.0, Fault.TIMEOUT_AFTER: 20.0, Fault.TIMEOUT_BEFORE: 20.0, Fault.CLOCK_SKEW: 5.0}
STEPS, CHANCE = 12, 0.06
UNSETTLED = ["submitting", "unknown", "cancelling"]


@dataclass(frozen=True)
class Books:
    """The database of many runs: `market` for what trades, `auditor` for what reconciles in the end.

    Two connections, since reconciliation rolls back what it has read, and psycopg then forgets every statement that it
    has prepared: a third of what the server did was to parse and plan the same again in each run.
    """

    market: Connection
    auditor: Connection


def prepare(market: Connection, listing_id: int = AAPL) -> None:
    """The one bar that orders are sized with."""
    market.execute(
        "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, 100, 100, 100, 100, 1, 1, 1, %s, 'stated', 1, %s)",
        [listing_id, START, START + MINUTE, START + MINUTE, START],
    )
    market.commit()


@contextmanager
def open_books(market: Connection, url: str, listing_id: int = AAPL) -> Iterator[Books]:
    """Books with the one bar that orders are sized with; each statement is parsed and planned once."""
    market.prepare_threshold, market.prepared_max = 0, 1000
    market.execute("SET plan_cache_mode = force_generic_plan")
    prepare(market, listing_id)
    with connect(url) as auditor:
        yield Books(market, auditor)


class ChaosRun:
    """One run: decisions at random, prices at random, faults at random; then a venue that answers again."""

    def __init__(self, books: Books, seed: int, venue: type[AtAlpaca] | type[AtGate] = AtAlpaca) -> None:
        market = books.market
        self.books, self.market, self.random = books, market, random.Random(seed)
        self.name = f"chaos_{venue.__name__.lower()}_{seed}"
        self.at = venue(market, name=self.name, seed=seed, now=START + MINUTE)
        self.decisions: list[str] = []
        self.price = 100
        for kind in KINDS:
            rule: dict[str, Any] = {"kind": kind.value, "chance": CHANCE, "seconds": SECONDS.get(kind, 1.0)}
            self.at.venue.faults.rules.append(fault_rule(rule))

    def run(self) -> Counter[Fault]:
        """Returns how often each kind of fault happened.

        Raises:
            AssertionError: when an invariant does not hold.
        """
        for _ in range(STEPS):
            self._act()
            self._pass(self.random.uniform(0, 40))
        self.at.venue.faults.rules.clear()
        self._settle(UNSETTLED)
        for decision_id in self.decisions:
            request_cancel(self.market, decision_id, by="the end", at=self.at.clock(), now=self.at.clock())
        self.market.commit()
        self._settle([*UNSETTLED, "planned", "accepted", "partially_filled"])
        self._check()
        return self.at.venue.faults.counts

    def _act(self) -> None:
        choice = self.random.random()
        if choice < 0.4:
            self._decide(target=float(self.random.randrange(0, 30)))
        elif choice < 0.75:
            self._decide(request=self._request())
        elif choice < 0.9 and self.decisions:
            decision_id = self.random.choice(self.decisions)
            request_cancel(self.market, decision_id, by="chaos", at=self.at.clock(), now=self.at.clock())
        else:
            self._bracket()
        self.price = max(50, self.price + self.random.randrange(-4, 5))
        self.at.set_price(str(self.price))
        self.market.commit()

    def _request(self) -> OrderRequest:
        size, away = self.random.randrange(1, 10), self.random.randrange(-3, 4)
        price = Decimal(self.price + away)
        if self.random.random() < 0.5:
            terms = OrderTerms(limit=price, time_in_force=self.random.choice(("gtc", "day", "ioc")))
        else:
            terms = OrderTerms(stop=price + (3 if self.random.random() < 0.5 else -3), reduce_only=True)
        return OrderRequest(Decimal(size if terms.limit else -size), terms)

    def _bracket(self) -> None:
        """An entry, and a stop and a limit of one group that wait for it; the venue keeps no links, execution does."""
        entry = self._decide(request=OrderRequest(Decimal(4), OrderTerms(limit=Decimal(self.price + 1))))
        for terms in ({"stop": Decimal(self.price - 3)}, {"limit": Decimal(self.price + 3)}):
            linked = OrderTerms(**terms, reduce_only=True, group=entry, parent_id=entry)  # type: ignore[arg-type]
            self._decide(request=OrderRequest(Decimal(-4), linked))

    def _decide(self, *, target: float = 0.0, request: OrderRequest | None = None) -> str:
        """A decision at this instant; returns the id of its intent."""
        at = self.at.clock()
        count = self.market.execute(
            "SELECT count(*) FROM signals.decisions WHERE wallet = %s AND decided_at = %s", [self.name, at]
        ).fetchone()
        assert count is not None
        made = TradingDecision(
            self.name, "chaos", 0, self.at.listing_id, at, "timer", "t", count[0], 0.0, target, "chance", {}, request
        )
        assert insert(self.market, "signals.decisions", decision_row(made, at))
        self.decisions.append(made.decision_id)
        return made.intent_id()

    def _pass(self, seconds: float) -> None:
        now = self.at.clock()
        execute_pending(
            self.market, self.at.broker, self.name, now=now, elapsed=lambda: (self.at.clock() - now).total_seconds()
        )
        self.at.clock.move(seconds)

    def _settle(self, states: list[str]) -> None:
        """Passes until no order is in one of these states."""
        query = "SELECT count(*) FROM trading.orders WHERE wallet = %s AND state = ANY(%s)"
        for _ in range(40):
            self._pass(400)
            left = self.market.execute(query, [self.name, states]).fetchone()
            self.market.commit()
            if left == (0,):
                self._pass(1)
                return
        query = "SELECT state, reason FROM trading.orders WHERE wallet = %s AND state = ANY(%s)"
        raise AssertionError(f"{self.name}: not settled: {self.market.execute(query, [self.name, states]).fetchall()}")

    def _check(self) -> None:
        exchange, execute = self.at.venue.exchange, self.market.execute
        at_venue = Counter(order.ticket.client_order_id.removeprefix("t-") for order in exchange.orders.values())
        assert set(at_venue.values()) <= {1}, f"{self.name}: two orders of one intent: {at_venue}"
        ours = dict(execute("SELECT intent_id, filled FROM trading.orders WHERE wallet = %s", [self.name]).fetchall())
        theirs = {order.ticket.client_order_id.removeprefix("t-"): order.filled for order in exchange.orders.values()}
        assert theirs.keys() <= ours.keys(), f"{self.name}: orders that nobody meant"
        wrong = {name: (filled, theirs.get(name, 0)) for name, filled in ours.items() if filled != theirs.get(name, 0)}
        assert not wrong, f"{self.name}: ours and theirs filled: {wrong}"
        booked = dict(
            execute(
                "SELECT intent_id, sum(quantity) FROM trading.fills WHERE wallet = %s GROUP BY 1", [self.name]
            ).fetchall()
        )
        assert booked == {name: filled for name, filled in ours.items() if filled}, f"{self.name}: fills booked twice"
        balances = exchange.accounts[KEY].balances
        cash = execute("SELECT balance FROM trading.cash WHERE wallet = %s", [self.name]).fetchone()
        held = execute("SELECT quantity FROM trading.positions WHERE wallet = %s", [self.name]).fetchone()
        assert cash == (balances[self.at.wallet.currency],), f"{self.name}: cash {cash}, the venue has {balances}"
        assert (held or (0,)) == (balances.get(self.at.symbol.partition("_")[0], 0),), (
            f"{self.name}: holds {held}, the venue has {balances}"
        )
        assert verify_ledger(self.market, self.name) == []
        self._reconcile()

    def _reconcile(self) -> None:
        """All that the venue did is ours, from the first order on; each run has a venue of its own under one name."""
        self.market.execute("DELETE FROM trading.reconciliations")
        self.market.commit()
        done = reconcile(self.books.auditor, self.at.broker, [self.at.wallet], now=self.at.clock())
        assert done.findings == [], f"{self.name}: {[finding.detail for finding in done.findings]}"
        told = self.market.execute("SELECT count(*) FROM trading.fills WHERE wallet = %s", [self.name]).fetchone()
        assert told == (done.fills,), f"{self.name}: {told} fills booked, {done.fills} told"
        self.market.commit()
