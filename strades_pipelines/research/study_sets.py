"""The sets of a study, each run over all bars: in this process, in several, or on a Ray cluster, with the same returns.

The folds of a walk-forward study choose among these returns and judge by them, so they are the same bytes as well.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from strades_pipelines.analysis import periods
from strades_pipelines.analysis.trials import Trial
from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.research.cross_validation import daily_returns
from strades_pipelines.research.study import Study
from strades_pipelines.simulation.runner import SharedInputs
from strades_pipelines.simulation.sweep import run_in_processes
from strades_pipelines.strategy.strategy_files import load_strategy

CHUNK = 4  # sets of a task on a cluster: a set takes longer here than in a sweep, and a study has fewer


@dataclass(frozen=True)
class SetReturns:
    """What a set of parameters came to, day by day.

    Args:
        days: those that have a value, since 1970, UTC.
        returns: of each of the days, shape (days,).
        mode: events or compiled, as it ran.
    """

    days: Integers
    returns: Floats
    days_per_year: float
    mode: str
    trial: Trial


@dataclass(frozen=True)
class StudyInputs(SharedInputs["SetReturns | str"]):
    """What every set of a study has in common.

    Args:
        options: the terms as they were asked for, for the trial ledger.
        file: the strategy's file as it was named: a reason names it so on a node that has a copy.
    """

    options: Mapping[str, Any]
    file: str

    @staticmethod
    def of(study: Study, named: str) -> "StudyInputs":
        """The inputs of a study whose strategy is named so."""
        common = (named, study.parameters, study.bars, study.terms, study.mode, study.cache)
        return StudyInputs(*common, study.options, strategy_file(named))

    def runner(self) -> "StudyRunner":
        """A runner with the strategy loaded."""
        return StudyRunner(self)


class StudyRunner:
    """Runs the sets of a study one after another."""

    def __init__(self, inputs: StudyInputs) -> None:
        self._inputs, self._class = inputs, load_strategy(inputs.strategy)

    def run_all(self, sets: Sequence[Mapping[str, Any]]) -> list[SetReturns | str]:
        """The returns of each set, or the reason why it has none."""
        return [self._run(chosen) for chosen in sets]

    def _run(self, chosen: Mapping[str, Any]) -> SetReturns | str:
        common = self._inputs
        parameters = {**common.parameters, **chosen}
        study = Study(self._class, parameters, common.bars, common.terms, common.options, common.mode, common.cache)
        try:
            run = study.run()
        except BadInput as error:
            here = strategy_file(common.strategy)
            return str(error).replace(here, common.file) if here else str(error)
        days, returns = daily_returns(run.sessions, run.result.equity, common.terms.cash)
        return SetReturns(days, returns, periods.days_per_year(run.sessions), run.result.mode, run.trial)


def strategy_file(named: str) -> str:
    """The path in the name of a strategy; empty for one of the library."""
    path = named.rpartition(":")[0] if ".py:" in named else named
    return path if path.endswith(".py") else ""


def run_study_sets(
    inputs: StudyInputs, sets: Iterable[Mapping[str, Any]], *, jobs: int, cluster: str | None
) -> Iterator[tuple[Mapping[str, Any], SetReturns | str]]:
    """Each set with its returns or the reason why it has none, in the order of the sets.

    Args:
        jobs: how many run at once here; 1 is this process.
        cluster: the address of a Ray cluster to run on instead.

    Raises:
        BadInput: no cluster answers at the address.
    """
    if cluster is None:
        yield from run_in_processes(inputs, sets, jobs)
        return
    from strades_pipelines.simulation.cluster import run_on_cluster

    with redirect_stdout(sys.stderr):  # where Ray says what it tries again
        yield from run_on_cluster(inputs, sets, cluster, chunk=CHUNK)
