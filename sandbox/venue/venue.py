"""A venue as its clients meet it: its limits, its faults, its API, and what its streams are told. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from threading import RLock
from typing import Protocol

from sandbox.limits import Limiter
from sandbox.venue import damage, execution
from sandbox.venue.calls import Request
from sandbox.venue.exchange import Exchange
from sandbox.venue.faults import Fault, Faults, Operation
from sandbox.venue.feed import Feed, Message
from sandbox.venue.orders import Order, OrderEvent
from sandbox.world import Reply, http_date

PART = 0.6  # a partial fill takes at most this part of an order


@dataclass(frozen=True)
class Outcome:
    """What becomes of a request: an answer after `delay` seconds, or none at all (the client is left waiting)."""

    reply: Reply | None
    delay: float = 0.0


class VenueApi(Protocol):
    """A provider's formats over the core."""

    host: str
    exchange: Exchange

    def operation(self, request: Request) -> Operation | None:
        """What a request does; None when this API does not serve it."""

    def answer(self, request: Request, *, with_fills: bool) -> Reply:
        """Carry a request out. `with_fills`: the answer to a new order may have its fills already."""

    def over_limit(self, request: Request, limiter: Limiter) -> tuple[int, Mapping[str, str]]:
        """Count a request. Returns the seconds to wait (0: it may pass) and the headers that say so."""

    def too_many(self, wait: int) -> Reply:
        """The provider's 429."""

    def server_error(self, status: int) -> Reply:
        """The provider's 5xx."""

    def messages(self, event: OrderEvent, feed: Feed) -> list[Message]:
        """What a stream is told of an event."""

    def hear(self, message: Message, feed: Feed) -> None:
        """Take a message of a stream's client, and queue the answer."""


@dataclass
class Venue:
    """One provider's venue. `clock` gives aware UTC times; faults shift what the venue takes for now."""

    clock: Callable[[], datetime]
    make_api: Callable[[Callable[[], datetime]], VenueApi]
    seed: int = 0
    limits_are_on: bool = True
    limit_clock: Callable[[], float] | None = None  # seconds; None: that of `clock`
    feeds: list[Feed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.faults = Faults(self.seed)
        self.limiter = Limiter(clock=self.limit_clock or (lambda: self.clock().timestamp()))
        self.api = self.make_api(self.now)
        self.exchange = self.api.exchange
        self.exchange.listeners.append(self._tell)
        self.exchange.partial_fill = self._partial_fill
        self.exchange.forgets_client_id = lambda order: self.faults.forgets(order.number)
        self._lock = RLock()
        self._held_back: list[tuple[bool, Feed, Message]] | None = None  # (is no fill, stream, message)

    def now(self) -> datetime:
        """The venue's own time."""
        return self.clock() + timedelta(seconds=self.faults.skew())

    def work(self) -> None:
        """Match what came on the market since the last step."""
        with self._lock:
            execution.work(self.exchange)

    def serves(self, request: Request) -> bool:
        """Whether this venue's API has such a request."""
        return self.api.operation(request) is not None

    def handle(self, request: Request) -> Outcome:
        """Serve one request, with the limits and faults that apply to it."""
        operation = self.api.operation(request) or Operation.ACCOUNT
        with self._lock:
            if self.faults.skew():
                self.faults.counts[Fault.CLOCK_SKEW] += 1
            wait, said = self.api.over_limit(request, self.limiter) if self.limits_are_on else (0, {})
            if wait:
                return Outcome(self._dressed(self.api.too_many(wait), said))
            latency = self.faults.take(Fault.LATENCY, operation)
            delay = latency.seconds if latency else 0.0
            refused = self._refused_before(operation, delay)
            outcome = refused or self._carried_out(request, operation, delay)
        if outcome.reply is None:
            return outcome
        return replace(outcome, reply=self._dressed(outcome.reply, said))

    def connect(self, wake: Callable[[], None] = lambda: None, *, is_packed: bool = False) -> Feed:
        """Open a stream. Events before it are not told; `wake` is called when a message was queued."""
        feed = Feed(self.clock, wake, is_packed)
        self.feeds.append(feed)
        return feed

    def hear(self, feed: Feed, message: Message) -> None:
        """Take a message of a stream's client."""
        with self._lock:
            self.api.hear(message, feed)

    def disconnect(self, feed: Feed) -> None:
        """Close a stream; what is queued for it is lost."""
        self.feeds.remove(feed)

    def _refused_before(self, operation: Operation, delay: float) -> Outcome | None:
        """Faults before the venue has done anything."""
        if rule := self.faults.take(Fault.TIMEOUT_BEFORE, operation):
            return Outcome(None, rule.seconds)
        if rule := self.faults.take(Fault.RATE_LIMIT, operation):
            return Outcome(self.api.too_many(max(1, round(rule.seconds))), delay)
        if rule := self.faults.take(Fault.ERROR_BEFORE, operation):
            return Outcome(self.api.server_error(rule.status), delay)
        return None

    def _carried_out(self, request: Request, operation: Operation, delay: float) -> Outcome:
        early = self.faults.take(Fault.FILL_BEFORE_ACK, operation)
        created = len(self.exchange.orders)
        execution.work(self.exchange)
        reply = self.api.answer(request, with_fills=early is None)
        self._hide(operation, created)
        self._work_early() if early else execution.work(self.exchange)
        return self._damaged_after(reply, operation, delay + (early.seconds if early else 0.0))

    def _damaged_after(self, reply: Reply, operation: Operation, delay: float) -> Outcome:
        """Faults after the venue has done what it was asked for: at most one."""
        if rule := self.faults.take(Fault.TIMEOUT_AFTER, operation):
            return Outcome(None, rule.seconds)
        if rule := self.faults.take(Fault.ERROR_AFTER, operation):
            return Outcome(self.api.server_error(rule.status), delay)
        if reply.status < 300:
            for kind in damage.KINDS:
                if self.faults.take(kind, operation):
                    return Outcome(damage.damaged(reply, kind), delay)
        return Outcome(reply, delay)

    def _hide(self, operation: Operation, created: int) -> None:
        """Keep the orders that a request created from look-ups for a while."""
        count = len(self.exchange.orders) - created
        if count and (rule := self.faults.take(Fault.LATE_LOOKUP, operation)):
            for order in islice(reversed(self.exchange.orders.values()), count):
                order.visible_at = self.now() + timedelta(seconds=rule.seconds)

    def _work_early(self) -> None:
        """Match now, and tell of fills before the orders that they belong to."""
        self._held_back = []
        execution.work(self.exchange)
        told, self._held_back = self._held_back, None
        for _, feed, message in sorted(told, key=lambda each: each[0]):
            feed.say_with_faults(message, self.faults)

    def _tell(self, event: OrderEvent) -> None:
        for feed in self.feeds:
            for message in self.api.messages(event, feed) if feed.account == event.order.account else ():
                if self._held_back is None:
                    feed.say_with_faults(message, self.faults)
                else:
                    self._held_back.append((event.fill is None, feed, message))

    def _partial_fill(self, order: Order) -> float:
        if not self.faults.take(Fault.PARTIAL_FILL, Operation.STREAM):
            return 1.0
        return PART * (1 - self.faults.draw(Fault.PARTIAL_FILL))

    def _dressed(self, reply: Reply, said: Mapping[str, str]) -> Reply:
        return replace(reply, headers={**reply.headers, **said, "Date": http_date(self.now())})
