"""What a session writes down: decisions, orders, fills, values; as tuples per event, as columns when compiled."""

from dataclasses import dataclass, field

from strades_pipelines.strategy.compiler.shapes import Floats, Integers, Reserve, Shape

FILL = ("order", "i", "quantity", "price", "fee", "filled_at", "time", "cash")
DECISION = ("time", "i", "previous", "target", "order", "outcome", "trigger")
ORDER = ("order", "i", "quantity", "time", "state", "reason")
VALUE = ("equity", "gross")
KINDS = {"fills": FILL, "decisions": DECISION, "orders": ORDER, "values": VALUE}
# Rows of a kind that compiled code may write before the host takes them; an event never writes as many as the margin.
CAPACITY, MARGIN = 65_536, 1_024


@dataclass
class Journal:
    """The rows of each kind, in the order they came; the columns are named in `KINDS`."""

    fills: list[tuple[float, ...]] = field(default_factory=list)
    decisions: list[tuple[float, ...]] = field(default_factory=list)
    orders: list[tuple[float, ...]] = field(default_factory=list)
    values: list[tuple[float, ...]] = field(default_factory=list)
    expected: int = CAPACITY

    def compiled_as(self) -> "CompiledJournal":
        """What stands in its place in compiled code; there is room for the values of `expected` events."""
        return CompiledJournal(self.expected)

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
        self.values.append((equity, gross))


class CompiledJournal:
    """The same over fixed lists; `full` asks the host to take what is there."""

    def __init__(self, expected: int) -> None:
        self.fills = Reserve(CAPACITY * len(FILL))
        self.decisions = Reserve(CAPACITY * len(DECISION))
        self.orders = Reserve(CAPACITY * len(ORDER))
        self.values = Reserve((expected + MARGIN) * len(VALUE))
        self.fill_count = 0
        self.decision_count = 0
        self.order_count = 0
        self.value_count = 0
        self.full = False
        self.room = expected

    def fill(self, order: int, i: int, quantity: float, price: float, fee: float, filled_at: int, time: int, cash: float) -> None:
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
        if self.fill_count >= CAPACITY - MARGIN:
            self.full = True

    def decision(self, time: int, i: int, previous: float, target: float, order: int, outcome: int, trigger: int) -> None:
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
        if self.decision_count >= CAPACITY - MARGIN:
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
        if self.order_count >= CAPACITY - MARGIN:
            self.full = True

    def value(self, equity: float, gross: float) -> None:
        """See `Journal`."""
        at = self.value_count * 2
        rows = self.values
        rows[at] = equity
        rows[at + 1] = gross
        self.value_count += 1
        if self.value_count >= self.room:
            self.full = True


def take(shape: Shape, f: int, n: int, floats: Floats, integers: Integers) -> dict[str, Floats]:
    """The rows of a compiled journal that lies at (f, n), which is emptied; views of shape (rows, columns)."""
    taken = {}
    for kind, columns in KINDS.items():
        count_at = n + _field(shape, f"{kind[:-1]}_count")
        start, count = int(integers[n + _field(shape, kind)]), int(integers[count_at])
        taken[kind] = floats[start : start + count * len(columns)].reshape(count, len(columns))
        integers[count_at] = 0
    integers[n + _field(shape, "full")] = 0
    return taken


def _field(shape: Shape, name: str) -> int:
    found = shape.get(name)
    assert found is not None
    return found.n
