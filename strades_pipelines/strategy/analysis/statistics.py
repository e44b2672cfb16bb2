"""The summary of a run: every figure by its name, for JSON and for the tear sheet."""

import numpy as np
import numpy.typing as npt

from strades_pipelines.strategy.analysis import drawdowns, periods, returns
from strades_pipelines.strategy.analysis.arrays import Floats, Ints, finite_or_none, floats, instants, same_length
from strades_pipelines.strategy.analysis.fills import Fills
from strades_pipelines.strategy.analysis.trade_statistics import mean, trade_statistics
from strades_pipelines.strategy.analysis.trades import Trades, no_trades, round_trips

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
) -> dict[str, float | int | None]:
    """Every figure of a run. The keys are always all there, in one order; one that is not defined is None.

    Args:
        times: when the account was valued, shape (n,), int64 microseconds UTC or datetime64, ascending.
        equity: its value then, money, shape (n,).
        exposure: gross exposure over equity then, shape (n,).
        fills: what was traded; trades are made of them unless given.
        trades: round trips, with bars held and excursions if they were made with bars.
        benchmark: a price or another account's value at the same instants, shape (n,), for alpha and beta.
        periods_per_year: what annualises; None infers it (`periods.periods_per_year`).
        risk_free: a rate per year, as a fraction.

    Raises:
        ValueError: for arrays of different lengths, or times that run backwards.
    """
    when, value = instants(times), floats(equity)
    same_length(times=when, equity=value)
    scale = periods.periods_per_year(when) if periods_per_year is None else float(periods_per_year)
    if trades is None:
        trades = round_trips(fills) if fills is not None else no_trades()
    figures = _of_account(when, value, scale, risk_free)
    figures |= _of_exposure(when, value, exposure, fills)
    figures |= _of_benchmark(when, value, benchmark, scale, risk_free)
    figures |= trade_statistics(trades)
    return {name: _for_json(name, figure) for name, figure in figures.items()}


def _of_account(times: Ints, equity: Floats, scale: float, risk_free: float) -> dict[str, float]:
    change = returns.simple_returns(equity)
    growth = returns.cagr(equity, periods.years(times))
    depth = drawdowns.max_drawdown(equity)
    bars, days = drawdowns.longest_drawdown(times, equity)
    best, worst = returns.best_and_worst_day(times, equity)
    return {
        "valuations": len(equity),
        "start_equity": equity[0] if len(equity) else np.nan,
        "final_equity": equity[-1] if len(equity) else np.nan,
        "years": periods.years(times),
        "periods_per_year": scale,
        "total_return": returns.total_return(equity),
        "cagr": growth,
        "annual_volatility": returns.annual_volatility(change, scale),
        "sharpe": returns.sharpe_ratio(change, scale, risk_free=risk_free),
        "sortino": returns.sortino_ratio(change, scale, target=risk_free),
        "calmar": drawdowns.calmar_ratio(growth, depth),
        "max_drawdown": depth,
        "max_drawdown_bars": bars,
        "max_drawdown_days": days,
        "skewness": returns.skewness(change),
        "kurtosis": returns.kurtosis(change),
        "best_day": best,
        "worst_day": worst,
    }


def _of_exposure(times: Ints, equity: Floats, exposure: npt.ArrayLike | None, fills: Fills | None) -> dict[str, float]:
    held = floats(exposure) if exposure is not None else np.zeros(0)
    if exposure is not None:
        same_length(times=times, exposure=held)
    return {
        "exposure": mean(held),
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


def _of_benchmark(
    times: Ints, equity: Floats, benchmark: npt.ArrayLike | None, scale: float, risk_free: float
) -> dict[str, float]:
    if benchmark is None:
        return dict.fromkeys(("alpha", "beta", "benchmark_return"), np.nan)
    other = floats(benchmark)
    same_length(times=times, benchmark=other)
    own, market = returns.simple_returns(equity), returns.simple_returns(other)
    alpha, beta = returns.alpha_beta(own, market, scale, risk_free=risk_free)
    return {"alpha": alpha, "beta": beta, "benchmark_return": returns.total_return(other)}


def _for_json(name: str, figure: float) -> float | int | None:
    number = finite_or_none(figure)
    return int(number) if number is not None and name in COUNTS else number
