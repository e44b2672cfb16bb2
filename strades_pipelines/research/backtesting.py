"""`strades backtest`: one run, told as a table, a document, a page or a picture."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from strades_pipelines.analysis.significance_report import Significance
from strades_pipelines.analysis.tearsheet.report_layout import DEFAULT, MOST_BYTES, Layout, parse_layout
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.sheet_files import write_html, write_png
from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.session import MODES
from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
from strades_pipelines.research.document import document, significance_of, statistics
from strades_pipelines.research.json_rows import write
from strades_pipelines.research.study import Run, Study, Trials
from strades_pipelines.settings import settings
from strades_pipelines.strategy.strategy_files import load_strategy, make_strategy, parameters
from strades_pipelines.system.regular_files import NotARegularFile, check_output, read_regular


@dataclass(frozen=True)
class Outputs:
    """Where the results go, and whether the run is kept as a trial."""

    as_json: bool = False
    html: Path | None = None
    png: Path | None = None
    layout: Path | None = None
    keeps_trial: bool = True


def run_backtest(
    named: str,
    given: Sequence[str],
    data: DataChoice,
    terms: TermsChoice,
    mode: str,
    outputs: Outputs,
    benchmark: str | None = None,
) -> None:
    """Run, and tell; everything is checked before anything runs, and written when it is complete.

    Raises:
        BadInput: one line on what cannot be used.
    """
    study = study_of(named, given, data, terms, mode)
    other = None if benchmark is None else data.benchmark(benchmark)
    layout = _layout_of(outputs)
    for file in (outputs.html, outputs.png):
        check_folder(file)
    began = time.perf_counter()
    run = study.run()
    seconds = time.perf_counter() - began
    figures = statistics(run, other)
    found = significance_of(run, Trials(settings().home / "trials" if outputs.keeps_trial else None).with_([run.trial]))
    if outputs.html:
        write_html(_sheet(run, figures, found), outputs.html, layout)
    if outputs.png:
        write_png(_sheet(run, figures, found), outputs.png)
    if outputs.as_json:
        write(document(run, figures, found), sys.stdout)
    else:
        from strades_pipelines.research.show import show

        show(run, figures, found, seconds, Console(highlight=False))


def _layout_of(outputs: Outputs) -> Layout:
    if outputs.layout is None:
        return DEFAULT
    if outputs.html is None:
        raise BadInput("--layout: expected --html beside it, which it lays out")
    try:
        return parse_layout(read_regular(outputs.layout, most_bytes=MOST_BYTES))
    except OSError as error:
        raise BadInput(f"{outputs.layout}: expected a layout that can be read, found {error.strerror}") from None


def study_of(
    named: str, given: Sequence[str], data: DataChoice, terms: TermsChoice, mode: str, *, checks_values: bool = True
) -> Study:
    """What the words of a command line ask for; the strategy and the terms are looked at before files are read.

    Args:
        checks_values: whether the parameters given, with the defaults, are all; a sweep has more of them.
    """
    if mode not in MODES:
        raise BadInput(f"--mode: expected one of {', '.join(MODES)}, found {mode!r}")
    cls = load_strategy(named)
    chosen = parameters(cls, given)
    if checks_values:
        make_strategy(cls, chosen)
    agreed = terms.terms()
    return Study(cls, chosen, data.bars(), agreed, terms.options, mode, settings().home / "cache", terms.close_at_end)


def check_folder(file: Path | None) -> None:
    """Refuse a file to write whose folder is not there, and a device or FIFO in its place."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise BadInput(f"{file}: expected a folder to write into, found none at {file.parent}")
    try:
        check_output(file)
    except NotARegularFile as error:
        raise BadInput(str(error)) from None


def _sheet(run: Run, figures: dict[str, float | int | None], found: Significance) -> TearSheet:
    result = run.result
    details = {name: str(value) for name, value in run.strategy.parameters.items()}
    details |= {name: str(value) for name, value in run.study.options.items() if value}
    return TearSheet(
        title=run.strategy.title(),
        times=result.times,
        sessions=run.sessions,
        start=run.study.terms.cash,
        equity=result.equity,
        figures=figures,
        trades=run.trades,
        significance=found,
        exposure=result.gross / result.equity,
        names=dict(enumerate(result.names)),
        details=details | {"mode": result.mode},
    )
