"""The heat map of a sweep over two parameters, as a page and as text; each cell is the best over the others."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from rich.style import Style
from rich.text import Text

from strades_pipelines.engine.columns import Floats
from strades_pipelines.research.swept import FIGURES, Swept

WIDE, HIGH = 60, 24  # cells that a terminal shows
SHADES = "░▒▓█"
LOW, MIDDLE, TOP = (38, 70, 140), (240, 240, 235), (190, 45, 45)


@dataclass(frozen=True)
class HeatMap:
    """`values` of shape (rows, columns) over the values of two parameters; nan where there is no result."""

    names: tuple[str, str]
    rows: Sequence[Any]
    columns: Sequence[Any]
    values: Floats
    figure: str


def heat_map(swept: Swept) -> HeatMap:
    """Map the two parameters with the most values; each cell has the best result over all others."""
    names = list(swept.varied)
    lengths = [len(values) for values in swept.varied.values()]
    chosen = sorted(sorted(range(len(names)), key=lambda k: -lengths[k])[:2])
    better = FIGURES[swept.sort]
    rest = tuple(k for k in range(len(names)) if k not in chosen)
    # So that more is better, whatever the figure.
    grid = better * swept.grid()
    best = better * np.max(np.where(np.isnan(grid), -np.inf, grid), axis=rest)
    best = np.where(np.isinf(best), np.nan, best)
    if len(chosen) == 1:
        return HeatMap((names[0], ""), swept.varied[names[0]], [""], best.reshape(-1, 1), swept.sort)
    first, second = (names[k] for k in chosen)
    return HeatMap((first, second), swept.varied[first], swept.varied[second], best, swept.sort)


def as_text(drawn: HeatMap) -> Text:
    """Coloured cells for a terminal, thinned to fit; rows are the first parameter."""
    rows, columns = _some(len(drawn.rows), HIGH), _some(len(drawn.columns), WIDE)
    values = drawn.values[np.ix_(rows, columns)]
    low, high = (float(f(drawn.values)) for f in (np.nanmin, np.nanmax))
    width = max(len(str(drawn.rows[k])) for k in rows)
    text = Text(
        f"{drawn.figure} over {drawn.names[0]} (down) and {drawn.names[1]} (across)\n".replace(" and  (across)", "")
    )
    for k, row in zip(rows, values, strict=True):
        text.append(f"{drawn.rows[k]!s:>{width}} ")
        for value in row:
            if np.isnan(value):
                text.append("··")
                continue
            part = (value - low) / (high - low) if high > low else 0.5
            text.append(2 * SHADES[round(part * (len(SHADES) - 1))], _style(part))
        text.append("\n")
    span = f"{drawn.columns[columns[0]]} to {drawn.columns[columns[-1]]}, " if drawn.names[1] else ""
    text.append(f"{span}from {low:,.4g} (░) to {high:,.4g} (█)")
    return text


def _some(count: int, most: int) -> list[int]:
    return list(dict.fromkeys(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()))


def _style(part: float) -> Style:
    start, end, share = (LOW, MIDDLE, 2 * part) if part < 0.5 else (MIDDLE, TOP, 2 * part - 1)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return Style(color=f"rgb({red},{green},{blue})")


def write_page(swept: Swept, file: Path) -> None:
    """Write one page that works offline. The file is replaced in one step."""
    from plotly.graph_objects import Figure, Heatmap  # type: ignore[import-untyped]

    drawn = heat_map(swept)
    figure = Figure(
        Heatmap(
            z=[[None if np.isnan(value) else float(value) for value in row] for row in drawn.values],
            x=[str(value) for value in drawn.columns],
            y=[str(value) for value in drawn.rows],
            colorscale="RdBu_r",
            colorbar={"title": drawn.figure},
            hovertemplate=f"{drawn.names[0]} %{{y}}, {drawn.names[1]} %{{x}}: %{{z:,.4g}}<extra></extra>",
        )
    )
    title = f"{escape(swept.study.strategy.title())}: {drawn.figure} of {len(swept.outcomes):,} sets"
    axes = {
        "xaxis": {"title": drawn.names[1], "type": "category"},
        "yaxis": {"title": drawn.names[0], "type": "category"},
    }
    figure.update_layout(title=title, **axes)
    _write(file, figure.to_html(include_plotlyjs=True, full_html=True).encode())


def _write(file: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.chmod(part.name, 0o644)
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise
