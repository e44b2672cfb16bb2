"""What a sweep says to people: the best sets, what they are worth, and where they lie among the others."""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from strades_pipelines.analysis.trials import Trial
from strades_pipelines.research.heat_map import as_text, heat_map
from strades_pipelines.research.swept import Swept

SHOWN = 10


def show(swept: Swept, trials: Sequence[Trial]) -> None:
    """The table, the heat map, and what the best set is worth."""
    console = Console(highlight=False)
    ranked = swept.ranked()
    where = f"{len(swept.outcomes):,} sets in {swept.seconds:.2f} s, {swept.mode}"
    console.print(f"[bold]{escape(swept.study.strategy.title())}[/] {where}", soft_wrap=True)
    if swept.not_compiled:
        console.print(f"[yellow]not compiled[/]: {escape(swept.not_compiled)}", soft_wrap=True)
    if ranked:
        console.print(_table(swept, ranked[:SHOWN]))
        console.print(as_text(heat_map(swept)))
        console.print(_significance_line(swept, trials), soft_wrap=True)
    skipped = [outcome.skipped for outcome in swept.outcomes if outcome.skipped is not None]
    if skipped:
        console.print(f"[yellow]skipped[/] {len(skipped):,} sets, the first: {escape(skipped[0])}", soft_wrap=True)


def _table(swept: Swept, numbers: Sequence[int]) -> Table:
    table = Table()
    for name in (*swept.varied, "final equity", "fills", "max drawdown", "Sharpe"):
        table.add_column(name, justify="right")
    for k in numbers:
        one = swept.outcomes[k]
        sharpe = swept.figure(one, "sharpe")
        cells = [
            f"{one.equity:,.2f}",
            f"{one.fills:,}",
            f"{one.drawdown:.2%}",
            "-" if math.isnan(sharpe) else f"{sharpe:.2f}",
        ]
        table.add_row(*(str(value) for value in swept.chosen(k).values()), *cells)
    return table


def _significance_line(swept: Swept, trials: Sequence[Trial]) -> str:
    plateau, deflated = swept.plateau(), swept.deflated(trials)
    said = [f"the best plateau is around {_pairs(plateau)}"] if plateau else []
    if not math.isnan(deflated):
        said.append(f"{deflated:.1%} that the best set has skill, after {len(trials):,} trials on these data")
    return "; ".join(said)


def _pairs(values: dict[str, Any]) -> str:
    return escape(" ".join(f"{name}={value}" for name, value in values.items()))
