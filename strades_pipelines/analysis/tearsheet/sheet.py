"""What a tear sheet is made from, and the files it is written to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from strades_pipelines.analysis.arrays import Floats, Ints
from strades_pipelines.analysis.trades import Trades, no_trades
from strades_pipelines.analysis.worth import Worth


@dataclass(frozen=True)
class TearSheet:
    """One run to show.

    times: int64 microseconds UTC, shape (n,). equity, exposure, benchmark: shape (n,); the benchmark is drawn scaled to
    the same start. figures: of `statistics.summary`. details: what else to say, by name: strategy, parameters, fees.
    names: of the instruments. synthetic: say so, plainly, on top. sessions: an instant of the day to which each time
    belongs, None for the times; start: the cash before the first of them.
    """

    title: str
    times: Ints
    equity: Floats
    figures: Mapping[str, float | int | None]
    trades: Trades = field(default_factory=no_trades)
    worth: Worth | None = None
    exposure: Floats | None = None
    benchmark: Floats | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    synthetic: bool = False
    sessions: Ints | None = None
    start: float | None = None


def write_html(sheet: TearSheet, file: Path) -> None:
    """One self-contained page, about 5 MB (Plotly's script is in it), whole or not at all."""
    from strades_pipelines.analysis.tearsheet.page import page

    _write(file, page(sheet).encode())


def write_png(sheet: TearSheet, file: Path) -> None:
    """One picture of 1600 x 1200 points, whole or not at all."""
    from strades_pipelines.analysis.tearsheet.picture import picture

    _write(file, picture(sheet))


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
