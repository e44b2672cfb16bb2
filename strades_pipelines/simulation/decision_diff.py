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

# What an order of the strategy's own is asked for with; the first two columns are those of a decision.
ASKED = ("time", "i", "quantity", "limit", "stop", "trail")
NUMBER = DECISION.index("order")


@dataclass
class Decided:
    """The decisions of a run, shape (n, columns of `journal.DECISION`), and the orders asked for per event."""

    decisions: Floats
    asked: Floats
    mode: str
    not_compiled: str | None = None
    error: str | None = None

    def until(self, time: int) -> "Decided":
        """Those up to `time`, microseconds UTC."""
        return Decided(_until(self.decisions, time), _until(self.asked, time), self.mode, None, self.error)


@dataclass
class OrderRecorder:
    """Listens to what an account is asked for; only in sessions that run per event."""

    rows: list[tuple[float, ...]] = field(default_factory=list)

    def listen(self, account: Account) -> None:
        """From now on keep each order."""
        order = account.order

        def recorded(i: int, quantity: float, *arguments: Any, **named: Any) -> int:
            number = order(i, quantity, *arguments, **named)
            given = dict(zip(ASKED[3:], arguments, strict=False)) | named
            levels = (given.get(name, np.nan) for name in ASKED[3:])
            self.rows.append((account.now, i, quantity, *levels))
            return number

        account.order = recorded  # type: ignore[method-assign]

    def array(self) -> Floats:
        """The rows, shape (n, columns of `ASKED`)."""
        return np.array(self.rows, np.float64).reshape(-1, len(ASKED))


@dataclass(frozen=True)
class Difference:
    """The first place where two runs do not agree: when, in which instrument, and what each of them did there."""

    time: int
    i: int
    first: str
    second: str


def decided(progress: Progress, recorder: OrderRecorder | None = None) -> Decided:
    """What an engine of a session decided."""
    asked = recorder.array() if recorder else np.zeros((0, len(ASKED)))
    error = str(progress.error) if progress.error else None
    decisions = progress.journal["decisions"]
    # What still waits for a price is refused when the bars end: of a run that ends earlier, earlier.
    decisions = decisions[decisions[:, OUTCOME] != NO_PRICE]
    return Decided(decisions, asked, progress.mode, progress.not_compiled, error)


def difference(first: Decided, second: Decided, tolerance: float = 0.0) -> Difference | None:
    """The earliest difference of two runs, None where they agree.

    Args:
        tolerance: of targets and prices, relative; 0 for to the bit. Numbers of orders are not compared.
    """
    found = [
        _difference(np.delete(first.decisions, NUMBER, 1), np.delete(second.decisions, NUMBER, 1), 3, tolerance),
        _difference(first.asked, second.asked, 2, tolerance),
    ]
    return min((one for one in found if one), key=lambda one: one.time, default=None)


def _difference(first: Floats, second: Floats, told: int, tolerance: float) -> Difference | None:
    n = min(len(first), len(second))
    same = np.isclose(first[:n], second[:n], rtol=tolerance, atol=0.0, equal_nan=True).all(axis=1)
    k = n if same.all() else int(np.argmin(same))
    rows = [array[k] for array in (first, second) if k < len(array)]
    if not rows:
        return None
    row = min(rows, key=lambda one: one[0])
    time, i = int(row[0]), int(row[1])
    return Difference(time, i, _told(first, k, told, row), _told(second, k, told, row))


def _told(rows: Floats, k: int, column: int, row: Sequence[float]) -> str:
    """What a run did where the difference is."""
    if k >= len(rows) or tuple(rows[k][:2]) != tuple(row[:2]):
        return "nothing"
    if column == 3:
        return f"target {rows[k][3]:.12g}"
    levels = zip(ASKED[3:], rows[k][3:], strict=True)
    return f"order {rows[k][2]:.12g}" + "".join(f" {name} {level:.12g}" for name, level in levels if level == level)


def _until(rows: Floats, time: int) -> Floats:
    return rows[: int(np.searchsorted(rows[:, 0], time, side="right"))]
