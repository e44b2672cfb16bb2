"""The summary of a run, which is all that a sweep keeps of it."""

from dataclasses import dataclass

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.journal import OUTCOME
from strades_pipelines.engine.tally import Tally
from strades_pipelines.strategy.orders import NOT_FINITE


@dataclass(frozen=True)
class RunSummary:
    """Summary of a run.

    Args:
        tally: last equity, largest drawdown, sums of daily returns.
        fills: the number of fills.
        finite: whether each decided target was a finite number of units.
    """

    tally: Tally
    fills: int
    finite: bool


def summarize(engine: Engine, fills: int = 0, finite: bool = True) -> RunSummary:
    """Stop an engine after its last event and summarize its run.

    Args:
        fills, finite: those of compiled code, which has its own journal.
    """
    engine.end_last_instant()
    engine.stop()
    journal = engine.journal
    finite = finite and all(row[OUTCOME] != NOT_FINITE for row in journal.decisions)
    return RunSummary(engine.valuation.tally, fills + len(journal.fills), finite)
