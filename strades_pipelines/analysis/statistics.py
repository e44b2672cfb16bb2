"""The summary of a run: all figures by name, for JSON and the tear sheet."""

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis import drawdowns, periods, returns
from strades_pipelines.analysis.arrays import (
    DAY,
    Floats,
    Ints,
    finite_or_none,
    floats,
    instants,
    same_length,
)
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.trade_statistics import mean, trade_statistics
from strades_pipelines.analysis.trades import Trades, no_trades, round_trips

# The figures of the account, in the order of the report.
NAMES = (
    "valuations",
    "start_equity",
    "final_equity",
    "years",
    "periods_per_year",
    "total_return",
    "cagr",
    "annual_volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "max_drawdown_bars",
    "max_drawdown_days",
    "skewness",
    "kurtosis",
    "best_day",
    "worst_day",
)
COUNTS = frozenset({"valuations", "trades", "open_trades", "max_drawdown_bars", "fills"})


@np.errstate(all="ignore")  # nan in, nan out
def summary(
    times: npt.ArrayLike,
    equity: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    fills: Fills | None = None,
    trades: Trades | None = None,
    benchmark: npt.ArrayLike | None = None,
    periods_per_year: float | None = None,
    risk_free: float = 0.0,
    start: float | None = None,
    sessions: npt.ArrayLike | None = None,
) -> dict[str, float | int | None]:
    """All figures of a run. Keys and their order are always the same; an undefined figure is None.

    Args:
        times: when the account was valued, shape (n,), int64 microseconds UTC or datetime64, ascending.
        equity: its value then, money, shape (n,).
        exposure: gross exposure over equity then, shape (n,).
        fills: the fills of the run; `trades` defaults to their round trips.
        trades: round trips; with bars held and excursions if they were computed with bars.
        benchmark: a price or another account's value at the same instants, shape (n,), for alpha and beta.
        periods_per_year: annualises the returns between valuations. None annualises daily returns by
            `periods.days_per_year` instead, as sweeps do.
        risk_free: a rate per year, as a fraction.
        start: the cash before the first valuation, from which its return is measured. None: the first value.
        sessions: an instant of the trading day of each valuation, shape (n,); None: `times`.

    Raises:
        ValueError: for arrays of different lengths, or times that run backwards.
    """
    when, value = instants(times), floats(equity)
    same_length(times=when, equity=value)
    days = when if sessions is None else instants(sessions)
    same_length(times=when, sessions=days)
    rows = last_of_days(days) if periods_per_year is None else np.arange(len(value))
    scale = periods.days_per_year(days) if periods_per_year is None else float(periods_per_year)
    if trades is None:
        trades = round_trips(fills) if fills is not None else no_trades()
    figures = _account_figures(when, value, from_start(value, start), risk_free)
    figures |= _return_figures(from_start(value[rows], start), scale, risk_free)
    best, worst = returns.best_and_worst_day(days, value)
    figures |= {"best_day": best, "worst_day": worst}
    figures |= _exposure_figures(when, value, exposure, fills)
    figures |= _benchmark_figures(value, benchmark, rows, scale, risk_free)
    figures |= trade_statistics(trades)
    return {name: _for_json(name, figures[name]) for name in (*NAMES, *(name for name in figures if name not in NAMES))}


def from_start(equity: Floats, start: float | None) -> Floats:
    """Put the start value before the equity curve, unless the curve begins with it."""
    if start is None or len(equity) == 0 or equity[0] == start:
        return equity
    return np.concatenate(([start], equity))


def last_of_days(days: Ints) -> Ints:
    """The row of the last valuation of each UTC day."""
    return np.flatnonzero(np.diff(days // DAY, append=np.iinfo(np.int64).max))


def _account_figures(times: Ints, valued: Floats, equity: Floats, risk_free: float) -> dict[str, float]:
    """Figures of the equity curve: `valued` as it was valued, `equity` from the start value on (`from_start`)."""
    growth = returns.cagr(equity, periods.years(times))
    depth = drawdowns.max_drawdown(equity)
    # The start has no time of its own: it stands at the first valuation's.
    since = times if len(equity) == len(times) else np.concatenate((times[:1], times))
    bars, days = drawdowns.longest_drawdown(since, equity)
    return {
        "valuations": len(valued),
        "start_equity": equity[0] if len(equity) else np.nan,
        "final_equity": equity[-1] if len(equity) else np.nan,
        "years": periods.years(times),
        "total_return": returns.total_return(equity),
        "cagr": growth,
        "calmar": drawdowns.calmar_ratio(growth, depth),
        "max_drawdown": depth,
        "max_drawdown_bars": bars,
        "max_drawdown_days": days,
    }


def _return_figures(equity: Floats, scale: float, risk_free: float) -> dict[str, float]:
    change = returns.simple_returns(equity)
    return {
        "periods_per_year": scale,
        "annual_volatility": returns.annual_volatility(change, scale),
        "sharpe": returns.sharpe_ratio(change, scale, risk_free=risk_free),
        "sortino": returns.sortino_ratio(change, scale, target=risk_free),
        "skewness": returns.skewness(change),
        "kurtosis": returns.kurtosis(change),
    }


def _exposure_figures(
    times: Ints, equity: Floats, exposure: npt.ArrayLike | None, fills: Fills | None
) -> dict[str, float]:
    held = floats(exposure) if exposure is not None else np.zeros(0)
    if exposure is not None:
        same_length(times=times, exposure=held)
    return {
        "exposure": mean(held),
        # What is not known would count as out of the market: nan is not above 0.
        "time_in_market": mean(np.where(np.isnan(held), np.nan, np.abs(held) > 0)),
        "turnover": turnover(times, equity, fills),
        "fills": len(fills) if fills is not None else np.nan,
        "fees": float(np.sum(fills.fee)) if fills is not None else np.nan,
    }


def turnover(times: Ints, equity: Floats, fills: Fills | None) -> float:
    """Money bought and sold (both sides) over the mean equity, per year of calendar time. nan without fills or time."""
    if fills is None or len(equity) == 0 or not np.mean(equity) > 0:
        return np.nan
    return float(np.sum(fills.notional) / np.mean(equity)) / periods.years(times)


def _benchmark_figures(
    equity: Floats, benchmark: npt.ArrayLike | None, rows: Ints, scale: float, risk_free: float
) -> dict[str, float]:
    if benchmark is None:
        return dict.fromkeys(("alpha", "beta", "benchmark_return"), np.nan)
    other = floats(benchmark)
    same_length(equity=equity, benchmark=other)
    own, market = returns.simple_returns(equity[rows]), returns.simple_returns(other[rows])
    alpha, beta = returns.alpha_beta(own, market, scale, risk_free=risk_free)
    return {"alpha": alpha, "beta": beta, "benchmark_return": returns.total_return(other)}


def _for_json(name: str, figure: float) -> float | int | None:
    number = finite_or_none(figure)
    return int(number) if number is not None and name in COUNTS else number
