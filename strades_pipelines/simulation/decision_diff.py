"""What a strategy decided in a run, and where two runs differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strades_pipelines.engine.columns import Floats
from strades_pipelines.engine.journal import DECISION, OUTCOME
from strades_pipelines.engine.session import Progress
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.orders import NO_PRICE

# The columns of a requested explicit order; the first two are those of a decision.
REQUESTED_ORDERS = ("time", "i", "quantity", "limit", "stop", "trail")
NUMBER = DECISION.index("order")


@dataclass
class DecisionLog:
    """The decisions of a run, shape (n, columns of `journal.DECISION`), and the explicit orders that it requested.

    `requested_orders`: shape (n, columns of `REQUESTED_ORDERS`); only a run per event knows them.
    """

    decisions: Floats
    requested_orders: Floats
    mode: str
    not_compiled: str | None = None
    error: str | None = None

    def until(self, time: int) -> "DecisionLog":
        """Those up to `time`, microseconds UTC."""
        return DecisionLog(
            _until(self.decisions, time), _until(self.requested_orders, time), self.mode, None, self.error
        )


@dataclass
class OrderRecorder:
    """Records each call of `Account.order`; only in sessions that run per event."""

    rows: list[tuple[float, ...]] = field(default_factory=list)

    def listen(self, account: Account) -> None:
        """Record each order from now on."""
        order = account.order

        def recorded(i: int, quantity: float, *arguments: Any, **named: Any) -> int:
            number = order(i, quantity, *arguments, **named)
            given = dict(zip(REQUESTED_ORDERS[3:], arguments, strict=False)) | named
            levels = (given.get(name, np.nan) for name in REQUESTED_ORDERS[3:])
            self.rows.append((account.now, i, quantity, *levels))
            return number

        account.order = recorded  # type: ignore[method-assign]

    def array(self) -> Floats:
        """The rows, shape (n, columns of `REQUESTED_ORDERS`)."""
        return np.array(self.rows, np.float64).reshape(-1, len(REQUESTED_ORDERS))


@dataclass(frozen=True)
class Difference:
    """The first place where two runs do not agree: when, in which instrument, and what each of them did there."""

    time: int
    i: int
    first: str
    second: str


def decision_log(progress: Progress, recorder: OrderRecorder | None = None) -> DecisionLog:
    """What an engine of a session decided, without what was refused because the bars ended."""
    requested = recorder.array() if recorder else np.zeros((0, len(REQUESTED_ORDERS)))
    error = str(progress.error) if progress.error else None
    decisions = progress.journal["decisions"]
    # What still waits for a price is refused when the bars end: of a run that ends earlier, earlier.
    decisions = decisions[decisions[:, OUTCOME] != NO_PRICE]
    return DecisionLog(decisions, requested, progress.mode, progress.not_compiled, error)


def difference(first: DecisionLog, second: DecisionLog, tolerance: float = 0.0) -> Difference | None:
    """The earliest difference of two runs, None where they agree.

    Args:
        tolerance: of targets and prices, relative; 0 for to the bit. Numbers of orders are not compared.
    """
    found = [
        _difference(np.delete(first.decisions, NUMBER, 1), np.delete(second.decisions, NUMBER, 1), 3, tolerance),
        _difference(first.requested_orders, second.requested_orders, 2, tolerance),
    ]
    return min((one for one in found if one), key=lambda one: one.time, default=None)


def _difference(first: Floats, second: Floats, value_column: int, tolerance: float) -> Difference | None:
    n = min(len(first), len(second))
    same = np.isclose(first[:n], second[:n], rtol=tolerance, atol=0.0, equal_nan=True).all(axis=1)
    k = n if same.all() else int(np.argmin(same))
    rows = [array[k] for array in (first, second) if k < len(array)]
    if not rows:
        return None
    row = min(rows, key=lambda one: one[0])
    time, i = int(row[0]), int(row[1])
    return Difference(time, i, _action(first, k, value_column, row), _action(second, k, value_column, row))


def _action(rows: Floats, k: int, column: int, row: Sequence[float]) -> str:
    """What a run did where the difference is, in words."""
    if k >= len(rows) or tuple(rows[k][:2]) != tuple(row[:2]):
        return "nothing"
    if column == 3:
        return f"target {rows[k][3]:.12g}"
    levels = zip(REQUESTED_ORDERS[3:], rows[k][3:], strict=True)
    return f"order {rows[k][2]:.12g}" + "".join(f" {name} {level:.12g}" for name, level in levels if level == level)


def _until(rows: Floats, time: int) -> Floats:
    return rows[: int(np.searchsorted(rows[:, 0], time, side="right"))]
