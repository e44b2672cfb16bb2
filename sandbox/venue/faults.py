"""Faults of real venues on demand, seeded and counted.

A rule names the kind of fault, the operations, the chance, the number of times and the seconds. `docs/venue.md` says
what each kind imitates.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox.draws import uniform


class Operation(StrEnum):
    """What a request does; STREAM stands for the core's events."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    REPLACE = "replace"
    LOOKUP = "lookup"  # one order
    LIST = "list"  # orders, fills
    ACCOUNT = "account"  # balances, positions, instruments, clock
    STREAM = "stream"


class Fault(StrEnum):
    """Each kind of fault."""

    LATENCY = "latency"  # the answer comes `seconds` late
    TIMEOUT_BEFORE = "timeout_before"  # nothing was accepted, and no answer comes
    TIMEOUT_AFTER = "timeout_after"  # accepted, and no answer comes
    ERROR_BEFORE = "error_before"  # 5xx, and nothing was accepted
    ERROR_AFTER = "error_after"  # accepted, and the answer is a 5xx
    RATE_LIMIT = "rate_limit"  # 429 with Retry-After `seconds`
    FILL_BEFORE_ACK = "fill_before_ack"  # the stream tells of fills, then of the order, `seconds` before the answer
    PARTIAL_FILL = "partial_fill"  # a fill takes a part of the order
    LATE_LOOKUP = "late_lookup"  # look-ups and lists do not see a new order for `seconds`
    FORGET_CLIENT_ID = "forget_client_id"  # a finished order is not found by its client id
    DUPLICATE_EVENT = "duplicate_event"  # an event comes again, up to `seconds` later
    LATE_EVENT = "late_event"  # an event comes up to `seconds` late: behind those that followed it
    LOST_EVENT = "lost_event"  # an event does not come
    CORRUPT_EVENT = "corrupt_event"  # an event comes without its last third
    DISCONNECT = "disconnect"  # the stream ends where an event was due
    NOT_JSON = "not_json"  # done, and the answer is a web page
    MISSING_FIELDS = "missing_fields"  # done, and the answer lacks id, status and what is filled
    UNKNOWN_STATUS = "unknown_status"  # done, and the answer has a status that nobody knows
    CONTRADICTION = "contradiction"  # done, and the answer has the other side and twice the size
    CLOCK_SKEW = "clock_skew"  # the venue's clock is `seconds` off, for as long as the rule is in force


WRITES = frozenset({Operation.SUBMIT, Operation.CANCEL, Operation.REPLACE})
ORDER_REPLIES = WRITES | {Operation.LOOKUP, Operation.LIST}
REQUESTS = frozenset(Operation) - {Operation.STREAM}
# The operations that a kind can happen to; a rule may name fewer.
APPLIES_TO: Mapping[Fault, frozenset[Operation]] = {
    **dict.fromkeys(
        (Fault.LATENCY, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.ERROR_BEFORE, Fault.RATE_LIMIT), REQUESTS
    ),
    Fault.ERROR_AFTER: WRITES,
    **dict.fromkeys((Fault.NOT_JSON, Fault.MISSING_FIELDS, Fault.UNKNOWN_STATUS, Fault.CONTRADICTION), ORDER_REPLIES),
    **dict.fromkeys((Fault.FILL_BEFORE_ACK, Fault.LATE_LOOKUP), frozenset({Operation.SUBMIT, Operation.REPLACE})),
    Fault.FORGET_CLIENT_ID: frozenset({Operation.LOOKUP}),
    **dict.fromkeys(
        (
            Fault.DUPLICATE_EVENT,
            Fault.LATE_EVENT,
            Fault.LOST_EVENT,
            Fault.CORRUPT_EVENT,
            Fault.DISCONNECT,
            Fault.PARTIAL_FILL,
        ),
        frozenset({Operation.STREAM}),
    ),
    Fault.CLOCK_SKEW: frozenset(Operation),
}


class FaultRuleError(ValueError):
    """A rule that cannot be used: which key, what was expected, what was found, in one line."""


@dataclass
class FaultRule:
    """One kind of fault, and how many times it is still to happen (None: until it is taken back)."""

    kind: Fault
    operations: frozenset[Operation]
    chance: float
    times: int | None
    seconds: float
    status: int  # of ERROR_BEFORE and ERROR_AFTER


def fault_rule(document: Mapping[str, Any]) -> FaultRule:
    """A rule of its JSON form `{"kind", "operations", "chance", "times", "seconds", "status"}`; only `kind` is needed.

    Raises:
        FaultRuleError: naming the key.
    """
    known = {"kind", "operations", "chance", "times", "seconds", "status"}
    if unknown := set(document) - known:
        raise FaultRuleError(f"expected keys of {sorted(known)}, was {sorted(unknown)}")
    kind, chance = document.get("kind"), document.get("chance", 1.0)
    if kind not in set(Fault):
        raise FaultRuleError(f"kind: expected one of {', '.join(Fault)}, was {kind!r}")
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise FaultRuleError(f"chance: expected a number in (0, 1], was {chance!r}")
    seconds = document.get("seconds", 1.0)
    least = -3600 if kind == Fault.CLOCK_SKEW else 0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds <= 3600:
        raise FaultRuleError(f"seconds: expected a number from {least} to 3600, was {seconds!r}")
    status = document.get("status", 503)
    if status not in range(500, 600):
        raise FaultRuleError(f"status: expected a whole number from 500 to 599, was {status!r}")
    return FaultRule(Fault(kind), _operations(Fault(kind), document), chance, _times(document), seconds, status)


def _operations(kind: Fault, document: Mapping[str, Any]) -> frozenset[Operation]:
    names = document.get("operations")
    if names is None:
        return APPLIES_TO[kind]
    if not isinstance(names, list) or not names or not set(names) <= APPLIES_TO[kind]:
        raise FaultRuleError(f"operations: expected a list of {sorted(APPLIES_TO[kind])}, was {names!r}")
    return frozenset(map(Operation, names))


def _times(document: Mapping[str, Any]) -> int | None:
    times = document.get("times")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise FaultRuleError(f"times: expected a whole number from 1 or null, was {times!r}")
    return times


@dataclass
class Faults:
    """The rules in force, and how often each kind has happened. The same calls with the same seed draw the same."""

    seed: int = 0
    rules: list[FaultRule] = field(default_factory=list)
    counts: Counter[Fault] = field(default_factory=Counter)
    draws: Counter[Fault] = field(default_factory=Counter)
    forgotten: set[int] = field(default_factory=set)  # numbers of orders

    def take(self, kind: Fault, operation: Operation) -> FaultRule | None:
        """The rule by which a fault happens now, counted; None where all goes well."""
        for rule in self.rules:
            if rule.kind is not kind or operation not in rule.operations or rule.times == 0:
                continue
            # A rule that always strikes takes no number: the others draw the same with it.
            if rule.chance < 1 and self.draw(kind) >= rule.chance:
                continue
            if rule.times is not None:
                rule.times -= 1
            self.counts[kind] += 1
            return rule
        return None

    def undo(self, rule: FaultRule) -> None:
        """Take back a fault that had no effect, so that the counts say what happened."""
        self.counts[rule.kind] -= 1
        rule.times = None if rule.times is None else rule.times + 1

    def draw(self, kind: Fault) -> float:
        """The next number in [0, 1) of a kind."""
        self.draws[kind] += 1
        return uniform(self.seed, kind.value, self.draws[kind])

    def skew(self) -> float:
        """Seconds that the venue's clock is ahead."""
        return sum(rule.seconds for rule in self.rules if rule.kind is Fault.CLOCK_SKEW)

    def forgets(self, order_number: int) -> bool:
        """Whether a finished order's client id is forgotten: once it is, for good."""
        for rule in self.rules if order_number not in self.forgotten else ():
            is_in_force = rule.kind is Fault.FORGET_CLIENT_ID and rule.times != 0
            # By the order's number: it is the same whenever it is asked.
            if is_in_force and uniform(self.seed, rule.kind, "of", order_number) < rule.chance:
                self.forgotten.add(order_number)
                rule.times = rule.times and rule.times - 1
        if order_number in self.forgotten:
            self.counts[Fault.FORGET_CLIENT_ID] += 1
        return order_number in self.forgotten
