"""What a tear sheet is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from strades_pipelines.analysis.arrays import Floats, Ints
from strades_pipelines.analysis.significance_report import Significance
from strades_pipelines.analysis.trades import Trades, no_trades


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
    significance: Significance | None = None
    exposure: Floats | None = None
    benchmark: Floats | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    synthetic: bool = False
    sessions: Ints | None = None
    start: float | None = None
