"""A strategy, bars and terms, run once; and what the run is called where trials are counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.analysis import periods, returns
from strades_pipelines.analysis.excursions import Bars as HeldBars
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.statistics import from_start
from strades_pipelines.analysis.trades import Trades, round_trips
from strades_pipelines.analysis.trials import FileTrialLedger, Trial
from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.bars.bar_files import data_hash
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.engine.session import Session, StrategyError
from strades_pipelines.research.database_trials import record_in_database
from strades_pipelines.simulation.backtest import Bars, Result, Terms, event_chain, result_of
from strades_pipelines.simulation.closing import close_positions
from strades_pipelines.strategy.orders import NOT_FINITE, OPEN, WAITING
from strades_pipelines.strategy.registry import code_hash
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.strategy_files import make_strategy


@dataclass(frozen=True)
class Study:
    """What is run on what terms.

    Args:
        parameters: those that are not the strategy's defaults.
        options: the terms as they were asked for, for the trial ledger and the reader.
        mode: auto, events or compiled.
        cache: the folder of compiled code.
    """

    strategy: type[Strategy]
    parameters: Mapping[str, Any]
    bars: Sequence[Bars]
    terms: Terms
    options: Mapping[str, Any]
    mode: str
    cache: Path
    close_at_end: bool = False

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over the bars, as they are traded on."""
        return data_hash(self.bars)

    def run(self) -> "Run":
        """Run the strategy over the bars.

        Raises:
            BadInput: the strategy refuses its parameters, cannot be compiled in mode compiled, raised, or asked for a
                number of units that is none.
        """
        strategy = make_strategy(self.strategy, dict(self.parameters))
        result, closed = self._stepped(strategy, self.terms)
        self._check(result)
        best = result
        # Without an order that waits, each path through a bar comes to the same.
        if np.isin(result.column("orders", "state"), (OPEN, WAITING)).any():
            terms = replace(self.terms, fills={**self.terms.fills, "best_path": True})
            best, _ = self._stepped(make_strategy(self.strategy, dict(self.parameters)), terms)
        return Run(self, strategy, result, closed, float(best.account.equity))

    def _stepped(self, strategy: Strategy, terms: Terms) -> tuple[Result, int]:
        from strades_pipelines.compiler.lowered_values import NotCompilable

        session = Session(
            event_chain(self.bars), None, [terms.engine(strategy, self.bars)], mode=self.mode, cache=self.cache
        )
        try:
            [progress] = session.run()
        except NotCompilable as error:
            raise BadInput(f"--mode compiled: {error}") from None
        if progress.error is not None:
            raise BadInput(f"{_line_of(progress.error, strategy)}{progress.error}") from progress.error
        closed = close_positions(progress) if self.close_at_end else 0
        return result_of(progress, [one.name for one in self.bars]), closed

    def _check(self, result: Result) -> None:
        """A number of units that is none is a mistake in the strategy, which may not go unseen."""
        bad = np.flatnonzero(result.column("decisions", "outcome") == NOT_FINITE)
        if len(bad):
            time, i, target = (result.column("decisions", name)[bad[0]] for name in ("time", "i", "target"))
            where = f"{self.strategy.title()}: target of {result.names[int(i)]} at {iso(int(time))}"
            raise BadInput(f"{where}: expected a finite number of units, found {target}")


@dataclass(frozen=True)
class Run:
    """The result of a study; `closed` of its last fills closed what was held when the bars ended."""

    study: Study
    strategy: Strategy
    result: Result
    closed: int
    best_equity: float

    @cached_property
    def fills(self) -> Fills:
        """The fills at the instants of their prices, oldest first, in the units after the last split."""
        rows = self.result
        i = rows.column("fills", "i").astype(np.int64)
        multiplier = np.array([one.multiplier for one in self.study.bars])[i]
        time = rows.column("fills", "filled_at").astype(np.int64)
        order = np.argsort(time, kind="stable")
        quantity, price, fee = (rows.column("fills", name)[order] for name in ("quantity", "price", "fee"))
        ratio, rate = self._ratio(i, rows.column("fills", "time"))[order], self.rates[order]
        return Fills.of(
            time[order], i[order], quantity * ratio, price / ratio, fee * rate, (multiplier * self.rates)[order]
        )

    @cached_property
    def rates(self) -> Floats:
        """What one unit of the currency of each fill was worth when it was done, in the order of the journal."""
        fills, closed = self.result.fills, self.closed
        i, time = self.result.column("fills", "i"), self.result.column("fills", "filled_at").astype(np.int64)
        time[len(fills) - closed :] = self.result.column("fills", "time")[len(fills) - closed :]
        rates = np.ones(len(fills))
        for k, one in enumerate(self.study.bars):
            if one.rates is not None:
                rates[i == k] = one.rates.at(time[i == k])
        return rates

    @cached_property
    def trades(self) -> Trades:
        """The round trips; what is still open is valued at the last close."""
        bars = {k: _held(one) for k, one in enumerate(self.study.bars)}
        account = self.result.account
        return round_trips(
            self.fills, bars=bars, marks=dict(enumerate(account.price)), units=dict(enumerate(account.unit))
        )

    def _ratio(self, i: Integers, time: Floats) -> Floats:
        """How many units of the end a unit of instrument `i` at each time has become, shape (n,)."""
        ratio = np.ones(len(i))
        for k, one in enumerate(self.study.bars):
            if one.actions:
                own = i == k
                ratio[own] = one.actions.ratio_after(time[own].astype(np.int64))
        return ratio

    @cached_property
    def sessions(self) -> Integers:
        """An instant of the day to which each of the result's times belongs, shape (n,), microseconds UTC, ascending.

        Where bars of several instruments end at once, the latest of their days: a week's bar belongs to the day of its
        open, which is over when the days in it have been valued.
        """
        bars = self.study.bars
        known, places = np.unique(np.concatenate([one.time for one in bars]), return_inverse=True)
        sessions = np.full(len(known), np.iinfo(np.int64).min)
        np.maximum.at(sessions, places, np.concatenate([one.sessions for one in bars]))
        return np.maximum.accumulate(sessions)[np.searchsorted(known, self.result.times)]

    @cached_property
    def trial(self) -> Trial:
        """The run as one of the trials on its data."""
        study = self.study
        equity = from_start(self.result.equity, study.terms.cash)
        change = returns.simple_returns(equity)
        return Trial(
            data_hash=study.data_hash,
            code_hash=code_hash(self.strategy),
            strategy=self.strategy.title(),
            parameters=self.strategy.parameters,
            sharpe=_none_if_nan(returns.sharpe_ratio(change)),
            n=len(change),
            options=study.options,
            periods_per_year=_none_if_nan(periods.periods_per_year(self.sessions)),
            total_return=_none_if_nan(returns.total_return(equity)),
        )


@dataclass(frozen=True)
class Trials:
    """The trials on the data of runs, kept in a folder; without one only the run itself is known."""

    folder: Path | None = field(default=None)

    def with_(self, trials: Sequence[Trial]) -> list[Trial]:
        """Every trial on the data ever, these recorded among them; not recorded where nothing is kept."""
        if self.folder is None or not trials:
            return list(trials)
        ledger = FileTrialLedger(self.folder)
        ledger.record(trials)
        data_hash = trials[0].data_hash
        known = {trial.key: trial for trial in ledger.of_data(data_hash)}
        return list((known | record_in_database(trials, data_hash)).values())


def _held(bars: Bars) -> HeldBars:
    """Highs and lows, in the units after the last split."""
    ratio = bars.actions.ratio_after(bars.time) if bars.actions else 1.0
    return HeldBars(bars.time, bars.prices[1] / ratio, bars.prices[2] / ratio)


def _none_if_nan(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _line_of(error: StrategyError, strategy: Strategy) -> str:
    """`FILE:LINE: ` of the line in the strategy's file that raised, where Python knows it."""
    import inspect
    import traceback

    file = inspect.getfile(type(strategy))
    cause = error.__cause__
    lines = (
        [frame.lineno for frame in traceback.extract_tb(cause.__traceback__) if frame.filename == file] if cause else []
    )
    return f"{file}:{lines[-1]}: " if lines else ""
