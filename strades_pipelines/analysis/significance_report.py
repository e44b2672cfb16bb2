"""What the result of a run is worth: how likely it is skill, after all that was tried, and the bands of luck."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from strades_pipelines.analysis import periods, returns, significance
from strades_pipelines.analysis.arrays import Floats, Ints, finite_or_none
from strades_pipelines.analysis.bootstrap import Band, bootstrap_bands, trade_shuffle_bands
from strades_pipelines.analysis.significance import Moments
from strades_pipelines.analysis.statistics import from_start
from strades_pipelines.analysis.trades import Trades
from strades_pipelines.analysis.trials import Trial

LONG = 5_000  # more returns than this are bootstrapped by the day


@dataclass(frozen=True)
class Significance:
    """The figures of `significance_report`.

    observations: returns it rests on. psr: probability that the true Sharpe ratio is above 0. trials: sets ever run on
    these data, this one among them. threshold: annual Sharpe ratio that the best of them shows without skill. dsr:
    probability that the true ratio is above that. track_record_years: how long a record psr = 95 % takes. bootstrap,
    shuffle: bands over the order of returns and of trades.
    """

    observations: int
    psr: float
    trials: int
    threshold: float
    dsr: float
    track_record_years: float
    bootstrap: dict[str, Band]
    shuffle: dict[str, Band]

    def as_json(self) -> dict[str, Any]:
        """The same names; null for what is not defined."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: plain(part) for name, part in value.items()}
            return finite_or_none(value) if isinstance(value, float) else value

        found: dict[str, Any] = plain(asdict(self))
        return found


@np.errstate(all="ignore")  # nan in, nan out
def significance_report(
    times: Ints,
    equity: Floats,
    *,
    trades: Trades | None = None,
    trials: Sequence[Trial] = (),
    periods_per_year: float | None = None,
    seed: int = 0,
    samples: int = 1000,
    start: float | None = None,
) -> Significance:
    """Of one run.

    Args:
        times: int64 microseconds UTC, ascending, shape (n,); equity: money then, shape (n,).
        trades: for the bands over the order of trades.
        trials: every trial on these data (`TrialLedger.of_data`), this run recorded first. None is a single trial.
        periods_per_year: None infers it.
        seed: of the bands; the same seed gives the same numbers.
        start: the cash before the first valuation, as in `statistics.summary`. None is the first value.
    """
    scale = periods.periods_per_year(times) if periods_per_year is None else periods_per_year
    moments = Moments.of(returns.simple_returns(from_start(equity, start)))
    count = max(1, len(trials))
    variance = significance.variance_of_trials([_per_period(trial, scale) for trial in trials], moments)
    profits = trades.closed().profit if trades is not None else np.zeros(0)
    return Significance(
        observations=moments.n,
        psr=significance.probabilistic_sharpe_ratio(moments),
        trials=count,
        threshold=significance.expected_maximum_sharpe(count, variance) * float(np.sqrt(scale)),
        dsr=significance.deflated_sharpe_ratio(moments, count, variance),
        track_record_years=significance.minimum_track_record_length(moments) / scale if scale > 0 else np.nan,
        bootstrap=_bands(times, equity, start, scale, seed, samples),
        shuffle=trade_shuffle_bands(profits, _first(equity, start), seed=seed, samples=samples),
    )


def _per_period(trial: Trial, scale: float) -> float | None:
    """The trial's ratio per period of this run: one that was valued more often had a smaller one."""
    if trial.sharpe is None or not trial.periods_per_year:
        return trial.sharpe
    return trial.sharpe * float(np.sqrt(trial.periods_per_year / scale))


def _first(equity: Floats, start: float | None) -> float:
    """What the account began with."""
    return float(next(iter(from_start(equity, start)), 0.0))


def _bands(times: Ints, equity: Floats, start: float | None, scale: float, seed: int, samples: int) -> dict[str, Band]:
    if len(equity) > LONG:
        times, equity = periods.daily(times, equity)
        scale = periods.periods_per_year(times)
    change = returns.simple_returns(from_start(equity, start))
    return bootstrap_bands(change, periods_per_year=scale, seed=seed, samples=samples)
