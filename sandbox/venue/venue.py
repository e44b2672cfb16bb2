"""A provider's venue: API, rate limits, faults and streams over the core. No I/O."""

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

PART = 0.6  # largest fraction of an order that a partial fill takes


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request: a reply after `delay` seconds, or None: no reply for `delay` seconds."""

    reply: Reply | None
    delay: float = 0.0


class VenueApi(Protocol):
    """A provider's formats over the core."""

    host: str
    exchange: Exchange

    def operation(self, request: Request) -> Operation | None:
        """Classify a request; None when this API does not serve it."""

    def answer(self, request: Request, *, with_fills: bool) -> Reply:
        """Execute a request. `with_fills`: a new order may be matched before the reply."""

    def over_limit(self, request: Request, limiter: Limiter) -> tuple[int, Mapping[str, str]]:
        """Count a request; return the seconds to wait (0: within the limit) and the limit headers."""

    def too_many(self, wait: int) -> Reply:
        """The provider's 429."""

    def server_error(self, status: int) -> Reply:
        """The provider's 5xx."""

    def messages(self, event: OrderEvent, feed: Feed) -> list[Message]:
        """Return the messages of an event for a stream."""

    def receive(self, message: Message, feed: Feed) -> None:
        """Handle a message from a stream's client and queue the reply."""


@dataclass
class Venue:
    """One provider's venue. `clock` returns aware UTC times; the CLOCK_SKEW fault shifts `now`."""

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
        self.exchange.listeners.append(self._publish)
        self.exchange.partial_fill = self._partial_fill
        self.exchange.forgets_client_id = lambda order: self.faults.forgets(order.number)
        self._lock = RLock()
        self._buffer: list[tuple[bool, Feed, Message]] | None = None  # (is no fill, stream, message)

    def now(self) -> datetime:
        """Return the venue's time."""
        return self.clock() + timedelta(seconds=self.faults.skew())

    def advance(self) -> None:
        """Advance the core to now."""
        with self._lock:
            execution.advance(self.exchange)

    def serves(self, request: Request) -> bool:
        """Whether this venue's API has this endpoint."""
        return self.api.operation(request) is not None

    def handle(self, request: Request) -> Outcome:
        """Serve one request, subject to limits and faults."""
        operation = self.api.operation(request) or Operation.ACCOUNT
        with self._lock:
            if self.faults.skew():
                self.faults.counts[Fault.CLOCK_SKEW] += 1
            wait, limit_headers = self.api.over_limit(request, self.limiter) if self.limits_are_on else (0, {})
            if wait:
                return Outcome(self._with_headers(self.api.too_many(wait), limit_headers))
            latency = self.faults.take(Fault.LATENCY, operation)
            delay = latency.seconds if latency else 0.0
            outcome = self._fault_before(operation, delay)
            outcome = outcome or self._carry_out(request, operation, delay)
        if outcome.reply is None:
            return outcome
        return replace(outcome, reply=self._with_headers(outcome.reply, limit_headers))

    def connect(self, wake: Callable[[], None] = lambda: None, *, is_packed: bool = False) -> Feed:
        """Open a stream for later events; `wake` is called when a message is queued."""
        feed = Feed(self.clock, wake, is_packed)
        self.feeds.append(feed)
        return feed

    def receive(self, feed: Feed, message: Message) -> None:
        """Handle a message from a stream's client."""
        with self._lock:
            self.api.receive(message, feed)

    def disconnect(self, feed: Feed) -> None:
        """Close a stream and drop its queue."""
        self.feeds.remove(feed)

    def _fault_before(self, operation: Operation, delay: float) -> Outcome | None:
        """Return the outcome of a fault that strikes before execution, or None."""
        if rule := self.faults.take(Fault.TIMEOUT_BEFORE, operation):
            return Outcome(None, rule.seconds)
        if rule := self.faults.take(Fault.RATE_LIMIT, operation):
            return Outcome(self.api.too_many(max(1, round(rule.seconds))), delay)
        if rule := self.faults.take(Fault.ERROR_BEFORE, operation):
            return Outcome(self.api.server_error(rule.status), delay)
        return None

    def _carry_out(self, request: Request, operation: Operation, delay: float) -> Outcome:
        execution.advance(self.exchange)
        early, created = self.faults.take(Fault.FILL_BEFORE_ACK, operation), len(self.exchange.orders)
        reply = self.api.answer(request, with_fills=early is None)
        self._hide(operation, created)
        if early is None:
            execution.advance(self.exchange)
        elif self._advance_fills_first():
            delay += early.seconds
        else:
            self.faults.undo(early)
        return self._fault_after(reply, operation, delay)

    def _fault_after(self, reply: Reply, operation: Operation, delay: float) -> Outcome:
        """Apply at most one fault that strikes after execution."""
        if rule := self.faults.take(Fault.TIMEOUT_AFTER, operation):
            return Outcome(None, rule.seconds)
        if rule := self.faults.take(Fault.ERROR_AFTER, operation):
            return Outcome(self.api.server_error(rule.status), delay)
        for kind in damage.KINDS if reply.status < 300 else ():
            if rule := self.faults.take(kind, operation):
                if (damaged := damage.damage(reply, kind)) != reply:
                    return Outcome(damaged, delay)
                self.faults.undo(rule)
        return Outcome(reply, delay)

    def _hide(self, operation: Operation, created: int) -> None:
        """Hide the orders that a request created, if a LATE_LOOKUP fault strikes."""
        count = len(self.exchange.orders) - created
        if count and (rule := self.faults.take(Fault.LATE_LOOKUP, operation)):
            for order in islice(reversed(self.exchange.orders.values()), count):
                order.visible_at = self.now() + timedelta(seconds=rule.seconds)

    def _advance_fills_first(self) -> bool:
        """Match now and publish fills before all other events. Returns whether there were fills."""
        self._buffer, fills = [], len(self.exchange.fills)
        execution.advance(self.exchange)
        messages, self._buffer = self._buffer, None
        # Fills stay in their order, and so do the others.
        for _, feed, message in sorted(messages, key=lambda entry: entry[0]):
            feed.send_with_faults(message, self.faults)
        return len(self.exchange.fills) > fills

    def _publish(self, event: OrderEvent) -> None:
        for feed in self.feeds:
            is_told = feed.is_open and feed.account == event.order.account
            for message in self.api.messages(event, feed) if is_told else ():
                if self._buffer is None:
                    feed.send_with_faults(message, self.faults)
                else:
                    self._buffer.append((event.fill is None, feed, message))

    def _partial_fill(self, order: Order) -> float:
        if not self.faults.take(Fault.PARTIAL_FILL, Operation.STREAM):
            return 1.0
        return PART * (1 - self.faults.draw(Fault.PARTIAL_FILL))

    def _with_headers(self, reply: Reply, limit_headers: Mapping[str, str]) -> Reply:
        return replace(reply, headers={**reply.headers, **limit_headers, "Date": http_date(self.now())})
