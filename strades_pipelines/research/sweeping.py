"""`strades sweep`: many sets of parameters, told as a table, a document, a heat map."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.analysis import periods
from strades_pipelines.bad_input import BadInput
from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
from strades_pipelines.research.backtesting import check_folder, study_of
from strades_pipelines.research.study import Study, Trials
from strades_pipelines.research.swept import FIGURES, Swept, document
from strades_pipelines.settings import settings
from strades_pipelines.simulation.grid import axes, combinations
from strades_pipelines.simulation.runner import Sweep
from strades_pipelines.simulation.sweep import mode_of, run_sets
from strades_pipelines.strategy.strategy import Strategy


@dataclass(frozen=True)
class SweepChoice:
    """How a sweep is run and told: the words of the options of these names."""

    ranges: Sequence[str] = ()
    choices: Sequence[str] = ()
    jobs: int | None = None
    cluster: str | None = None
    sort: str = "sharpe"
    as_json: bool = False
    html: Path | None = None
    keeps_trials: bool = True


def run_sweep(
    named: str, given: Sequence[str], data: DataChoice, terms: TermsChoice, mode: str, choice: SweepChoice
) -> None:
    """Run the sets, and tell; everything is checked before anything runs, and written when it is complete.

    Raises:
        BadInput: one line on what cannot be used.
    """
    if choice.sort not in FIGURES:
        raise BadInput(f"--sort: expected one of {', '.join(FIGURES)}, found {choice.sort!r}")
    if choice.jobs is not None and choice.jobs < 1:
        raise BadInput(f"--jobs: expected 1 or more, found {choice.jobs}")
    check_folder(choice.html)
    swept = sweep(named, given, data, terms, mode, choice)
    trials = Trials(settings().home / "trials" if choice.keeps_trials else None).with_(swept.trials())
    if choice.html:
        from strades_pipelines.research.heat_map import write_page

        write_page(swept, choice.html)
    if choice.as_json:
        json.dump(document(swept, trials), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        from strades_pipelines.research.sweep_table import show

        show(swept, trials)


def sweep(
    named: str, given: Sequence[str], data: DataChoice, terms: TermsChoice, mode: str, choice: SweepChoice
) -> Swept:
    """Run the sets, here or on a cluster."""
    from strades_pipelines.compiler.lowered_values import NotCompilable

    study = study_of(named, given, data, terms, mode, checks_values=False)
    varied = axes(study.strategy, choice.ranges, choice.choices)
    for name in set(varied) & set(study.parameters):
        raise BadInput(f"--param: parameter {name}: expected it there or in a range, found it in both")
    first = _first(study, combinations(varied))
    common = Sweep(named, study.parameters, study.bars, study.terms, mode, study.cache)
    began = time.perf_counter()
    try:
        how, reason = mode_of(common, combinations(varied))
        if how == "events":  # in mode auto each set of the others may still go on per event
            common = replace(common, mode=how)
        with redirect_stdout(sys.stderr):  # where Ray says what it tries again
            outcomes = [outcome for _, outcome in _run(common, combinations(varied), choice)]
    except NotCompilable as error:
        raise BadInput(f"--mode compiled: {error}") from None
    return Swept(
        study,
        varied,
        outcomes,
        how,
        reason,
        first,
        periods.days_per_year(np.concatenate([one.sessions for one in study.bars])),
        time.perf_counter() - began,
        choice.sort,
    )


def _first(study: Study, sets: Iterable[Mapping[str, Any]]) -> Strategy:
    """The strategy with the first set that its constructor takes."""
    reason = None
    for chosen in sets:
        try:
            return study.strategy(**{**study.parameters, **chosen})
        except ValueError as error:
            reason = reason or error
    raise BadInput(f"expected a set that {study.strategy.title()} takes, found none: {reason}")


def _run(common: Sweep, sets: Iterable[Mapping[str, Any]], choice: SweepChoice) -> Iterable[Any]:
    if choice.cluster is None:
        return run_sets(common, sets, jobs=choice.jobs)
    from strades_pipelines.simulation.cluster import run_on_cluster

    return run_on_cluster(common, sets, choice.cluster)
