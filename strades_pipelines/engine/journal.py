"""What a session writes down: decisions, orders, fills, values; as tuples per event, as columns when compiled."""

from array import array
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from strades_pipelines.compiler.shapes import Floats, Integers, Reserve, Shape
from strades_pipelines.engine.memory import copied, floats
from strades_pipelines.strategy.orders import NOT_FINITE

FILL = ("order", "i", "quantity", "price", "fee", "filled_at", "time", "cash")
DECISION = ("time", "i", "previous", "target", "order", "outcome", "trigger")
ORDER = ("order", "i", "quantity", "time", "state", "reason")
VALUE = ("equity", "gross")
KINDS = {"fills": FILL, "decisions": DECISION, "orders": ORDER, "values": VALUE}
# Rows of a kind after which compiled code asks the host to take them; behind them is room for what one event writes.
CAPACITY = 65_536
RESERVES = 5
OUTCOME = DECISION.index("outcome")


@dataclass
class Journal:
    """The rows of each kind, in the order they came; the columns are named in `KINDS`."""

    fills: list[tuple[float, ...]] = field(default_factory=list)
    decisions: list[tuple[float, ...]] = field(default_factory=list)
    orders: list[tuple[float, ...]] = field(default_factory=list)
    equity: "array[float]" = field(default_factory=lambda: array("d"))
    gross: "array[float]" = field(default_factory=lambda: array("d"))

    def compiled_as(self) -> "CompiledJournal":
        """What stands in its place in compiled code."""
        return CompiledJournal()

    def rows(self, kind: str) -> Floats:
        """The rows of a kind so far, shape (rows, columns)."""
        if kind == "values":
            return np.array([self.equity, self.gross]).T
        return np.array(getattr(self, kind), np.float64).reshape(-1, len(KINDS[kind]))

    def fill(
        self,
        order: int,
        i: int,
        quantity: float,
        price: float,
        fee: float,
        filled_at: int,
        time: int,
        cash: float,
    ) -> None:
        """A part of an order was done; `cash` is what is left after it."""
        self.fills.append((order, i, quantity, price, fee, filled_at, time, cash))

    def decision(
        self, time: int, i: int, previous: float, target: float, order: int, outcome: int, trigger: int
    ) -> None:
        """A target or an order was wanted; `outcome` says what the gate made of it."""
        self.decisions.append((time, i, previous, target, order, outcome, trigger))

    def order(self, order: int, i: int, quantity: float, time: int, state: int, reason: int) -> None:
        """An order of the strategy's own came into a state, or one for a target ended without a fill."""
        self.orders.append((order, i, quantity, time, state, reason))

    def value(self, equity: float, gross: float) -> None:
        """What the account was worth, and its positions' gross value, when every event of an instant was in."""
        self.equity.append(equity)
        self.gross.append(gross)


class CompiledJournal:
    """The same over reserves of the host; `full` asks it to take what is there."""

    def __init__(self) -> None:
        self.fills: Any = Reserve(0)
        self.decisions: Any = Reserve(1)
        self.orders: Any = Reserve(2)
        self.equity: Any = Reserve(3)
        self.gross: Any = Reserve(4)
        self.fill_count = 0
        self.decision_count = 0
        self.order_count = 0
        self.value_count = 0
        self.not_finite = 0
        self.full = False

    def fill(
        self,
        order: int,
        i: int,
        quantity: float,
        price: float,
        fee: float,
        filled_at: int,
        time: int,
        cash: float,
    ) -> None:
        """See `Journal`."""
        at = self.fill_count * 8
        rows = self.fills
        rows[at] = order
        rows[at + 1] = i
        rows[at + 2] = quantity
        rows[at + 3] = price
        rows[at + 4] = fee
        rows[at + 5] = filled_at
        rows[at + 6] = time
        rows[at + 7] = cash
        self.fill_count += 1
        if self.fill_count >= CAPACITY:
            self.full = True

    def decision(
        self, time: int, i: int, previous: float, target: float, order: int, outcome: int, trigger: int
    ) -> None:
        """See `Journal`."""
        at = self.decision_count * 7
        rows = self.decisions
        rows[at] = time
        rows[at + 1] = i
        rows[at + 2] = previous
        rows[at + 3] = target
        rows[at + 4] = order
        rows[at + 5] = outcome
        rows[at + 6] = trigger
        self.decision_count += 1
        if outcome == NOT_FINITE:
            self.not_finite += 1
        if self.decision_count >= CAPACITY:
            self.full = True

    def order(self, order: int, i: int, quantity: float, time: int, state: int, reason: int) -> None:
        """See `Journal`."""
        at = self.order_count * 6
        rows = self.orders
        rows[at] = order
        rows[at + 1] = i
        rows[at + 2] = quantity
        rows[at + 3] = time
        rows[at + 4] = state
        rows[at + 5] = reason
        self.order_count += 1
        if self.order_count >= CAPACITY:
            self.full = True

    def value(self, equity: float, gross: float) -> None:
        """See `Journal`; an event makes at most one of them, so that the host can make room for all."""
        at = self.value_count
        self.equity[at] = equity
        self.gross[at] = gross
        self.value_count = at + 1


class Reserves:
    """The memory that a compiled journal writes into, and what was taken out of it.

    Many rows are not copied: what holds them is kept, and new memory takes its place. The system gives pages only for
    what is written, so the capacity costs nothing.

    Args:
        shape: of the compiled journal, which lies at `n` in the integers.
        margin: the most rows that one event can write.
    """

    FEW: ClassVar = 4_096

    def __init__(self, shape: Shape, n: int, margin: int) -> None:
        fields = dict(shape.fields)
        self._counts = np.array([n + fields[f"{kind[:-1]}_count"].n for kind in KINDS])
        self._full, self._not_finite = n + fields["full"].n, n + fields["not_finite"].n
        self._rows = CAPACITY + margin
        self._held = {kind: self._room_for(kind) for kind in KINDS if kind != "values"}
        self.taken: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
        self._whole = self._values = np.empty((len(VALUE), 0))
        self.room(0)

    def room(self, instants: int) -> None:
        """Make room for the values of so many instants."""
        if instants or not self._whole.size:
            # One more, for what the host writes when all is over.
            self._whole = floats(len(VALUE) * (instants + 1)).reshape(len(VALUE), -1)
            self._values, self._part = self._whole, 0
            self.addresses = self._places()

    def _places(self) -> list[int]:
        """Where the reserves are now, by their numbers."""
        return [held.ctypes.data for held in (*self._held.values(), *self._values)]

    def _room_for(self, kind: str) -> Floats:
        return floats(self._rows * len(KINDS[kind])).reshape(self._rows, -1)

    def take(self, integers: Integers) -> None:
        """Take the rows written so far, and empty the journal."""
        counts = dict(zip(KINDS, integers[self._counts].tolist(), strict=True))
        for kind, held in self._held.items():
            count = counts[kind]
            if count > self.FEW:
                self._held[kind] = self._room_for(kind)
            if count:
                self.taken[kind].append(held[:count] if count > self.FEW else copied(held[:count]))
        if counts["values"]:
            self._keep_values(counts["values"])
        self.addresses = self._places() if max(counts.values()) > self.FEW or counts["values"] else self.addresses
        integers[self._counts] = 0
        integers[self._full] = 0

    def _keep_values(self, count: int) -> None:
        """Take so many more values; one part as long as they lie in one piece of memory."""
        taken = self.taken["values"]
        if self._part and taken:
            taken.pop()
        self._part += count
        taken.append(self._whole[:, : self._part].T)
        self._values = self._whole[:, self._part :]

    def all(self, kind: str, more: Floats) -> list[Floats]:
        """All rows of a kind that were taken, in parts, with what the host wrote after them."""
        room = self._values.shape[1]
        if kind == "values" and 0 < len(more) <= room:
            self._values[:, : len(more)] = more.T
            self._keep_values(len(more))
            more = more[:0]
        parts = [part for part in (*self.taken[kind], more) if len(part)]
        return parts or [more]


class Counts(Reserves):
    """Reserves of which no rows are kept, but what a sweep wants to know of them.

    `fills`: how many there were. `finite`: whether each target was a finite number of units.
    """

    def clear(self) -> None:
        """Before another run."""
        self.fills = 0
        self.finite = True

    def take(self, integers: Integers) -> None:
        """Count the rows written so far, and empty the journal."""
        self.fills += int(integers[self._counts[0]])
        self.finite = self.finite and not integers[self._not_finite]
        integers[self._counts] = 0
        integers[self._full] = 0
