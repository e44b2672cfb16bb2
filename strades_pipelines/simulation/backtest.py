"""A backtest: a strategy, bars, and the terms of trade in; fills, values and statistics out. Pure, but for a cache."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.actions import Actions
from strades_pipelines.engine.columns import Columns, Floats, Integers, bar_columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.journal import KINDS
from strades_pipelines.engine.rates import Rates, rate_streams
from strades_pipelines.engine.session import Progress, Session, StrategyError
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.fees import Fee
from strades_pipelines.strategy.account import ORDERS, Account
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic


@dataclass(frozen=True)
class Bars:
    """The bars of one instrument, oldest first: times in microseconds UTC, shape (n,); `prices` of shape (5, n).

    `time` is when a bar is final and known, its close; `open_time` when it opened; `prices` are open, high, low, close
    and volume. `multiplier` is the units of money a point of price is worth, `lot` the unit of quantities (0: any
    fraction). `actions` are its splits and dividends, None where they are not told. `days` are the days
    of their sessions since 1970 by a calendar, shape (n,), None without one. `rates` are what its currency is
    worth in the account's, None where it is that one.
    """

    name: str
    time: Integers
    open_time: Integers
    prices: Floats
    multiplier: float = 1.0
    lot: float = 0.0
    actions: Actions | None = None
    days: Integers | None = None
    rates: Rates | None = None
    _columns: dict[int, Columns] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def sessions(self) -> Integers:
        """An instant of the day to which each bar belongs, shape (n,).

        That is the day of its session, where a calendar says it. Else it is the day it ends in, whose midnight is its
        end; of bars longer than a day, the day of their open.
        """
        if self.days is not None:
            return self.days * DAY_LENGTH
        return np.where(self.time - self.open_time <= DAY_LENGTH, self.time - 1, self.open_time)

    @cached_property
    def day_offsets(self) -> tuple[int, int]:
        """The least and the most that may be added to the times of bars so that each is in its own session's UTC day.

        Microseconds; the least is above the most where nothing does.
        """
        if self.days is None or len(self.time) == 0:
            return -DAY_LENGTH, DAY_LENGTH
        into = self.time - 1 - self.days * DAY_LENGTH
        return -int(into.min()), DAY_LENGTH - 1 - int(into.max())

    def columns(self, i: int) -> Columns:
        """As events of instrument `i`; kept, with what is known of them, for the next run."""
        if i not in self._columns:
            self._columns[i] = bar_columns(i, self.time, self.open_time, self.prices)
        return self._columns[i]

    def streams(self, i: int) -> list[Columns]:
        """Everything that is known of it, as streams of events of instrument `i`."""
        return [self.columns(i), *([self.actions.columns(i)] if self.actions else [])]


def day_offset(bars: Sequence[Bars]) -> int:
    """What is added to an instant to have its session's day in UTC: microseconds, the least that does it.

    Sessions that begin the evening before need it, and hours behind midnight, which take one below 0. 0 where none of
    up to a day is right for all bars, of calendars at opposite ends of the world say.
    """
    least = max((one.day_offsets[0] for one in bars), default=0)
    most = min((one.day_offsets[1] for one in bars), default=0)
    return min(max(0, least), most) if least <= most else 0


def streams_of(bars: Sequence[Bars]) -> list[Columns]:
    """What is known of instruments, as streams of events: rates, bars, splits and dividends."""
    rates = rate_streams([(one.open_time, one.time, one.rates) for one in bars])
    return [*rates, *(stream for i, one in enumerate(bars) for stream in one.streams(i))]


def event_chain(bars: Sequence[Bars]) -> EventChain:
    """What is known of instruments, in its total order."""
    return EventChain([[stream] for stream in streams_of(bars)])


@dataclass(frozen=True)
class Terms:
    """The terms on which a strategy trades. Objects with state are made for each run, so they are given as makers.

    Args:
        cash: what the account starts with.
        fee: makes the fee; `lambda: PercentFee(0.001)`.
        fills: arguments of `SimulatedBroker`.
        limits: arguments of `Gate`: allow_short, lot, tick, margin, and the numbers of `market.limits.Limits`.
        tactics: makers of tactics, each given the number of instruments; they see a bar, and a target, in this order.
        opened_at: nothing is decided before this time (microseconds UTC): the strategy warms up.
        financing: interest a year on borrowed cash, as a part.
        borrowing: the fee a year for borrowed units, as a part of their value.
        orders: how many orders of its own a strategy may have under way.
        restricted: names of instruments whose positions may not grow.
    """

    cash: float = 100_000.0
    fee: Callable[[], Fee] = Fee
    fills: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    tactics: Sequence[Callable[[int], Tactic]] = ()
    opened_at: int = BEGINNING
    financing: float = 0.0
    borrowing: float = 0.0
    orders: int = ORDERS
    restricted: Sequence[str] = ()

    def engine(self, strategy: Strategy, bars: Sequence[Bars], *, keeps_values: bool = True) -> Engine:
        """A fresh engine for a strategy over such instruments.

        Raises:
            BadInput: for a restricted instrument that is not among them.
        """
        names = [one.name for one in bars]
        for name in self.restricted:
            if name not in names:
                raise BadInput(f"restricted: expected one of {', '.join(names)}, found {name!r}")
        size = len(bars)
        account = Account(size, float(self.cash), self.orders)
        gate = Gate(size, **self.limits)
        for i, one in enumerate(bars):
            account.multiplier[i] = account.unit[i] = float(one.multiplier)
            if one.rates is not None:
                # Not known until its first rate comes.
                account.rate[i] = account.unit[i] = math.nan
                account.converts = True
            # What the terms say goes before what the bars say.
            gate.lot[i] = gate.lot[i] or float(one.lot)
            if one.name in self.restricted:
                gate.restrict(i)
        engine = Engine(
            strategy,
            account,
            SimulatedBroker(self.fee(), **self.fills),
            gate,
            tactics=tuple(make(size) for make in self.tactics),
            opened_at=self.opened_at,
            financing=self.financing,
            borrowing=self.borrowing,
            keeps_values=keeps_values,
            is_backtest=True,
        )
        engine.valuation.tally.offset = day_offset(bars)
        return engine


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Args:
        names: of the instruments, by index.
        mode: compiled or events; `not_compiled` says why not compiled, where it was to be.
        error: what stopped the strategy, None when it ran through.
        fills, decisions, orders: arrays of shape (rows, columns); the columns are in `journal.KINDS`.
        times, equity, gross: the account at each instant, shape (n,); microseconds UTC, money, money.
        account: the account at the end.
        ruined_at: when it was worth nothing and was closed (microseconds UTC); margin_calls: how often positions had to
            be made smaller for the leverage.
    """

    names: Sequence[str]
    mode: str
    not_compiled: str | None
    error: StrategyError | None
    fills: Floats
    decisions: Floats
    orders: Floats
    times: Integers
    equity: Floats
    gross: Floats
    account: Account
    ruined_at: int | None = None
    margin_calls: int = 0

    @property
    def fees(self) -> float:
        """All fees paid."""
        return float(self.column("fills", "fee").sum())

    def column(self, kind: str, name: str) -> Floats:
        """A column of fills, decisions or orders."""
        rows: Floats = getattr(self, kind)
        return rows[:, KINDS[kind].index(name)]


def backtest(
    strategy: Strategy,
    bars: Sequence[Bars],
    terms: Terms | None = None,
    *,
    mode: str = "auto",
    cache: Path | None = None,
    until: int | None = None,
) -> Result:
    """Run a strategy over bars.

    Args:
        cache: the folder for compiled code; without one everything runs per event.
        until: bars known at this time or later are not seen.

    Raises:
        NotCompilable: in mode compiled, with the file, line and reason.
        ValueError: when bars are out of order.
    """
    terms = terms or Terms()
    engine = terms.engine(strategy, bars)
    [progress] = Session(event_chain(bars), until, [engine], mode=mode, cache=cache).run()
    return result_of(progress, [one.name for one in bars])


def result_of(progress: Progress, names: Sequence[str]) -> Result:
    """The result of an engine of a session."""
    engine, journal = progress.engine, progress.journal
    instants = progress.instants or [np.zeros(0, np.int64)]
    times = instants[0] if len(instants) == 1 else np.unique(np.concatenate(instants))
    times = times[np.searchsorted(times, engine.state.opened_at) :]
    values = journal["values"]
    return Result(
        names,
        progress.mode,
        progress.not_compiled,
        progress.error,
        journal["fills"],
        journal["decisions"],
        journal["orders"],
        times[: len(values)],
        np.ascontiguousarray(values[:, 0]),
        np.ascontiguousarray(values[:, 1]),
        engine.account,
        engine.margin_calls.ruined_at if engine.state.is_ruined else None,
        engine.margin_calls.count,
    )
