"""`strades study`: walk-forward and purged cross-validation of a strategy over sets of parameters."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from strades_pipelines.analysis.arrays import finite_or_none
from strades_pipelines.analysis.overfitting import probability_of_overfitting
from strades_pipelines.analysis.trials import Trial
from strades_pipelines.analysis.validation import Split, combinatorial_purged, walk_forward
from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
from strades_pipelines.research.backtesting import study_of
from strades_pipelines.research.cross_validation import (
    Choice,
    Figures,
    choose,
    figures,
    paths,
    sharpes,
    walk,
)
from strades_pipelines.research.study import Study, Trials
from strades_pipelines.research.study_sets import StudyInputs, run_study_sets
from strades_pipelines.research.swept import daily_sharpes
from strades_pipelines.settings import settings
from strades_pipelines.simulation.grid import axes, combinations

METHODS = ("walk-forward", "purged")
MOST_SETS = 10_000
BLOCKS = 16  # of the probability of overfitting, as its authors use


@dataclass(frozen=True)
class StudyChoice:
    """How sets are judged and told: the words of the options of these names; lengths are days that have a value."""

    ranges: Sequence[str] = ()
    choices: Sequence[str] = ()
    method: str = "walk-forward"
    train: int = 252
    test: int = 63
    anchored: bool = False
    groups: int = 6
    test_groups: int = 2
    purge: int = 0
    embargo: int | None = None
    as_json: bool = False
    keeps_trials: bool = True
    jobs: int = 1
    cluster: str | None = None

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            BadInput: one line on the option that is wrong.
        """
        if self.method not in METHODS:
            raise BadInput(f"--method: expected one of {', '.join(METHODS)}, found {self.method!r}")
        counts = {"--train": (self.train, 2), "--test": (self.test, 1), "--purge": (self.purge, 0)}
        counts |= {"--embargo": (self.embargo or 0, 0), "--groups": (self.groups, 2), "--jobs": (self.jobs, 1)}
        for name, (value, least) in (counts | {"--test-groups": (self.test_groups, 1)}).items():
            if value < least:
                raise BadInput(f"{name}: expected {least} or more, found {value}")
        if self.test_groups >= self.groups:
            raise BadInput(f"--test-groups: expected fewer than --groups {self.groups}, found {self.test_groups}")
        if math.comb(self.groups, self.test_groups) > MOST_SETS:
            raise BadInput(f"--groups: expected at most {MOST_SETS:,} choices of --test-groups of them")
        if self.method == "walk-forward" and self.purge >= self.train:
            raise BadInput(f"--purge: expected less than --train {self.train}, found {self.purge}")

    def splits(self, days: int) -> list[Split]:
        """The splits of so many days.

        Raises:
            BadInput: there are too few.
        """
        if self.method == "walk-forward":
            if days <= self.train:
                raise BadInput(f"--train: expected fewer than the {days} days of the bars, found {self.train}")
            steps = {"train": self.train, "test": self.test, "purge": self.purge}
            return list(walk_forward(days, **steps, anchored=self.anchored))
        if days < 2 * self.groups:
            raise BadInput(f"--groups: expected two days in each, found {days} days and {self.groups} groups")
        ends = np.minimum(np.arange(days) + self.purge, days - 1)
        embargo = math.ceil(0.01 * days) if self.embargo is None else self.embargo
        sizes = {"groups": self.groups, "test_groups": self.test_groups}
        found = list(combinatorial_purged(days, **sizes, label_end=ends, embargo=embargo))
        if any(len(split.train) < 2 for split in found):
            raise BadInput(f"--purge: expected days to fit on in each of the splits, found none of {days} left in one")
        return found


@dataclass(frozen=True)
class Studied:
    """What a study found: the sets that ran, the choices, and the returns that nobody chose by."""

    study: Study
    choice: StudyChoice
    varied: Mapping[str, Sequence[Any]]
    sets: Sequence[Mapping[str, Any]]
    skipped: Sequence[tuple[Mapping[str, Any], str]]
    days: Integers
    returns: Floats
    days_per_year: float
    trials: Sequence[Trial]
    mode: str
    seconds: float
    splits: Sequence[Choice]

    @property
    def paths(self) -> list[Figures]:
        """The figures of each out-of-sample history: of walk-forward there is one."""
        known = daily_sharpes(self.trials, self.days_per_year)
        if self.choice.method == "walk-forward":
            return [figures(walk(self.returns, self.splits), known)]
        return [
            figures(row, known) for row in paths(self.returns, self.splits, self.choice.groups, self.choice.test_groups)
        ]

    @property
    def best(self) -> tuple[int, Figures]:
        """The set that is best on all days, by its number: what one would have reported without a study."""
        every = Split(np.arange(len(self.returns)), np.arange(len(self.returns)))
        [found] = choose(self.returns, [every])
        known = daily_sharpes(self.trials, self.days_per_year)
        return found.chosen, figures(self.returns[:, found.chosen], known)

    @property
    def overfitting(self) -> float | None:
        """The probability that the best set in sample is below the median out of sample; None for too few of either."""
        if self.returns.shape[1] < 2 or len(self.returns) < 2 * BLOCKS:
            return None
        return probability_of_overfitting(self.returns, BLOCKS).probability


def run_study(
    named: str, given: Sequence[str], data: DataChoice, terms: TermsChoice, mode: str, choice: StudyChoice
) -> None:
    """Run the sets, choose and judge, and tell.

    Raises:
        BadInput: one line on what cannot be used.
    """
    choice.check()
    studied = study_sets(named, study_of(named, given, data, terms, mode, checks_values=False), choice)
    if choice.as_json:
        json.dump(document(studied), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        _show(studied, Console(highlight=False))


def study_sets(named: str, study: Study, choice: StudyChoice) -> Studied:
    """Run every set over all bars, and choose and judge by the splits of its days.

    Args:
        named: the study's strategy, as `load_strategy` takes it.
    """
    varied = axes(study.strategy, choice.ranges, choice.choices)
    for name in set(varied) & set(study.parameters):
        raise BadInput(f"--param: parameter {name}: expected it there or in a range, found it in both")
    if (count := math.prod(map(len, varied.values()))) > MOST_SETS:
        raise BadInput(f"expected at most {MOST_SETS:,} sets of parameters, found {count:,}")
    began = time.perf_counter()
    sets: list[Mapping[str, Any]] = []
    skipped: list[tuple[Mapping[str, Any], str]] = []
    columns: list[Floats] = []
    trials: list[Trial] = []
    days: Integers = np.zeros(0, np.int64)
    scale, how = math.nan, "events"
    inputs = StudyInputs.of(study, named)
    for chosen, found in run_study_sets(inputs, combinations(varied), jobs=choice.jobs, cluster=choice.cluster):
        if isinstance(found, str):
            skipped.append((chosen, found))
            continue
        if not sets:
            choice.splits(len(found.days) - 1)  # refuses what cannot be, before the other sets run
            days, scale, how = found.days, found.days_per_year, found.mode
        sets.append(chosen)
        columns.append(found.returns)
        trials.append(found.trial)
    if not sets:
        raise BadInput(f"expected a set that {study.strategy.title()} takes, found none: {skipped[0][1]}")
    matrix = np.array(columns).T
    if not matrix[0].any():  # nothing was held yet: as in a sweep, that is no return
        days, matrix = days[1:], matrix[1:]
    ratios = zip(trials, sharpes(matrix).tolist(), strict=True)
    # A set that does not vary has 0 there, and no ratio.
    trials = [replace(one, sharpe=ratio or None, n=len(days), periods_per_year=scale) for one, ratio in ratios]
    kept = Trials(settings().home / "trials" if choice.keeps_trials else None).with_(trials)
    splits = choose(matrix, choice.splits(len(days)))
    seconds = time.perf_counter() - began
    return Studied(study, choice, varied, sets, skipped, days, matrix, scale, kept, how, seconds, splits)


def document(studied: Studied) -> dict[str, Any]:
    """The document of `strades study --json`; Sharpe ratios are of a year."""
    number, best = studied.best
    names = ("method", "train", "test", "anchored", "groups", "test_groups", "purge", "embargo")
    return {
        "strategy": studied.study.strategy.title(),
        "parameters": dict(studied.study.parameters),
        "varied": {name: list(values) for name, values in studied.varied.items()},
        "sets": len(studied.sets),
        "skipped": [{"parameters": chosen, "reason": reason} for chosen, reason in studied.skipped],
        **{name: getattr(studied.choice, name) for name in names},
        "days": len(studied.days),
        "splits": [_split(studied, one) for one in studied.splits],
        "out_of_sample": [_figures(studied, one) for one in studied.paths],
        "best": {"parameters": studied.sets[number], **_figures(studied, best)},
        "overfitting": studied.overfitting,
        "trials": len(studied.trials),
        "mode": studied.mode,
        "seconds": studied.seconds,
        "data_hash": studied.study.data_hash,
        "options": dict(studied.study.options),
    }


def _figures(studied: Studied, found: Figures) -> dict[str, Any]:
    said = {name: finite_or_none(value) if isinstance(value, float) else value for name, value in asdict(found).items()}
    return {**said, "sharpe": finite_or_none(found.sharpe * math.sqrt(studied.days_per_year))}


def _split(studied: Studied, one: Choice) -> dict[str, Any]:
    scale = math.sqrt(studied.days_per_year)
    return {
        "train": _spans(studied.days, one.split.train),
        "test": _spans(studied.days, one.split.test),
        "parameters": studied.sets[one.chosen],
        "train_sharpe": finite_or_none(one.fitted * scale),
        "test_sharpe": finite_or_none(one.judged * scale),
    }


def _spans(days: Integers, rows: Integers) -> list[list[str]]:
    """The first and the last day of each stretch of rows without a hole."""
    parts = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [[str(np.datetime64(int(days[part[k]]), "D")) for k in (0, -1)] for part in parts if len(part)]


def _show(studied: Studied, console: Console) -> None:
    said = document(studied)
    where = f"{said['sets']:,} sets over {said['days']:,} days in {studied.seconds:.2f} s, {studied.mode}"
    console.print(f"[bold]{escape(said['strategy'])}[/] {said['method']}: {where}", soft_wrap=True)
    table = Table()
    for name in ("", "Sharpe", "return", "max drawdown", "above 0", "above luck"):
        table.add_column(name, justify="right" if name else "left")
    rows = [
        (f"out of sample {k}" if len(said["out_of_sample"]) > 1 else "out of sample", one)
        for k, one in enumerate(said["out_of_sample"], 1)
    ]
    best = ", ".join(f"{name}={value}" for name, value in said["best"]["parameters"].items())
    for name, one in [*rows, (f"best on all days: {best}", said["best"])]:
        cells = [_number(one["sharpe"], "{:.2f}")]
        cells += [_number(one[key], "{:.1%}") for key in ("total_return", "drawdown", "psr", "dsr")]
        table.add_row(escape(name), *cells)
    console.print(table)
    console.print(
        f"{len(said['splits'])} choices; {said['trials']:,} trials on these data count in 'above luck'", soft_wrap=True
    )
    if said["overfitting"] is not None:
        console.print(
            f"{said['overfitting']:.1%} that the best set is below the median where it was not chosen", soft_wrap=True
        )
    if studied.skipped:
        console.print(
            f"[yellow]skipped[/] {len(studied.skipped):,} sets, the first: {escape(studied.skipped[0][1])}",
            soft_wrap=True,
        )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
