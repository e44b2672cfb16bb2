"""What a run of a sweep came to, of which nothing else is kept."""

from dataclasses import dataclass

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.journal import OUTCOME
from strades_pipelines.engine.tally import Tally
from strades_pipelines.strategy.orders import NOT_FINITE


@dataclass(frozen=True)
class RunSummary:
    """What a run came to; `fills`: how many there were; `finite`: whether each target was a finite number of units."""

    tally: Tally
    fills: int
    finite: bool


def summarize(engine: Engine, fills: int = 0, finite: bool = True) -> RunSummary:
    """End an engine after its last event, and count what it came to.

    Args:
        fills, finite: of what compiled code wrote into a journal of its own before.
    """
    engine.end_last_instant()
    engine.stop()
    journal = engine.journal
    finite = finite and all(row[OUTCOME] != NOT_FINITE for row in journal.decisions)
    return RunSummary(engine.valuation.tally, fills + len(journal.fills), finite)
