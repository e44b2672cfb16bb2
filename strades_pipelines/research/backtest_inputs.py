"""From the words of a command line to bars and terms; whatever is wrong is refused before anything runs."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.action_files import ActionFile, read_actions
from strades_pipelines.bars.bar_files import Reading, name_of
from strades_pipelines.bars.rate_files import read_rates
from strades_pipelines.bars.trade_bars import parse_every
from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, CalendarError, Sessions, sessions
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.market.limits import LIMITS, as_floats
from strades_pipelines.market.wallet_limits import parse_limits, read_limit
from strades_pipelines.research.conversion import convertible, parse_currencies
from strades_pipelines.simulation.backtest import Bars, Terms
from strades_pipelines.simulation.trading_costs import parse_fee, parse_fills
from strades_pipelines.strategy.events import BEGINNING, microseconds, moment
from strades_pipelines.strategy.tactics import Tactic

Calendar = Callable[[int, int], Sessions]
NAMED = re.compile(r"(?P<name>[^=/\\]+)=(?P<rest>.+)")


@dataclass(frozen=True)
class DataChoice:
    """Which bars: the words of the options of these names."""

    files: Sequence[str] = ()
    adjust: Sequence[str] = ()
    calendars: Sequence[str] = ()
    instruments: Sequence[str] = ()
    interval: str | None = None
    start: str | None = None
    end: str | None = None
    multiplier: float = 1.0
    lot: float = 0.0
    as_of: str | None = None
    resample: str | None = None
    actions: str | None = None
    trades: Sequence[str] = ()
    every: str | None = None
    currencies: Sequence[str] = ()
    rates: str | None = None

    def bars(self) -> list[Bars]:
        """The bars of every instrument, with the rates of those in another currency than the account.

        Raises:
            BadInput: one line on what is wrong with a file or an option.
        """
        home, foreign = parse_currencies(self.currencies, self.rates is not None)
        file = None if self.rates is None else read_rates(Path(self.rates))
        return convertible(self._bars(), home, foreign, file)

    def _bars(self) -> list[Bars]:
        if bool(self.files or self.trades) == bool(self.instruments):
            raise BadInput("expected --bars FILE or --instrument VENUE:SYMBOL with --interval, or --trades FILE")
        if bool(self.trades) != (self.every is not None):
            raise BadInput("expected --trades FILE and --every, found one of them")
        start, end = self._range()
        if self.instruments:
            return self._stored(start, end)
        if self.as_of is not None:
            raise BadInput("--as-of: expected --instrument with it: files are what they are")
        interval = None if self.interval is None else _length(self.interval)
        longer = None if self.resample is None else _length(self.resample, "--resample")
        every = None if self.every is None else parse_every(self.every)
        if self.trades and self.resample:
            raise BadInput("--resample: expected bars of files; of --trades, --every says how long they are")
        files, trades = ([_named_file(text) for text in texts] for texts in (self.files, self.trades))
        names = [name for name, _ in (*files, *trades)]
        for name in names:
            if names.count(name) > 1:
                raise BadInput(f"--bars: expected a name for each file, found {name!r} twice; write --bars NAME=FILE")
        calendars, factors = self._calendars(names), self._factors(names[: len(files)])
        reading = Reading(None, interval, start, end, self.multiplier, self.lot, longer)
        readings = {name: replace(reading, sessions=calendars.get(name)) for name in names}
        actions = self._actions(names, factors)
        found = [readings[name].bars(path, name, factors.get(name), actions) for name, path in files]
        return [*found, *(readings[name].trade_bars(path, every, name, actions) for name, path in trades if every)]

    def benchmark(self, file: str) -> Bars:
        """The bars of another file, read as those are.

        Raises:
            BadInput: one line on what is wrong with the file.
        """
        common = [text for text in self.calendars if not NAMED.fullmatch(text)]
        plain = replace(
            self, adjust=(), currencies=(), rates=None, actions=None, trades=(), every=None, instruments=(), as_of=None
        )
        [bars] = replace(plain, files=[file], calendars=common, start=None, end=None).bars()
        return bars

    def _range(self) -> tuple[int | None, int | None]:
        start, end = (None if text is None else _time(text) for text in (self.start, self.end))
        if start is not None and end is not None and start >= end:
            raise BadInput(f"--to: expected a time after --from {self.start}, found {self.end}")
        return start, end

    def _calendars(self, names: Sequence[str]) -> dict[str, Calendar]:
        """The calendar of each instrument that has one: its own, or else the one that is written without a name."""
        common, own = (
            [text for text in self.calendars if bool(NAMED.fullmatch(text)) is named] for named in (False, True)
        )
        if len(common) > 1:
            raise BadInput(f"--calendar: expected one for all, others as NAME=CALENDAR; found {' and '.join(common)}")
        chosen = dict.fromkeys(names, common[0]) if common else {}
        for name, _, calendar in (text.partition("=") for text in own):
            if name not in names or [text.partition("=")[0] for text in own].count(name) > 1:
                raise BadInput(f"--calendar: expected one for one of {', '.join(names)}, found {name}={calendar}")
            chosen[name] = calendar
        return {name: partial(_sessions, text) for name, text in chosen.items() if text != ALWAYS_OPEN}

    def _factors(self, names: Sequence[str]) -> dict[str, Path]:
        """The factor file of each instrument: by name where one is given, else in the order of the files of bars."""
        if len(self.adjust) > len(names):
            raise BadInput(f"--adjust: expected at most {len(names)}, one for each --bars; found {len(self.adjust)}")
        found: dict[str, Path] = {}
        for default, text in zip(names, self.adjust, strict=False):
            given = NAMED.fullmatch(text)
            name, path = (given["name"], given["rest"]) if given else (default, text)
            if name not in names or name in found:
                raise BadInput(f"--adjust: expected a file for one of {', '.join(names)}, found {text!r}")
            found[name] = Path(path)
        return found

    def _actions(self, names: Sequence[str], factors: Mapping[str, Path]) -> ActionFile | None:
        if self.actions is None:
            return None
        file = read_actions(Path(self.actions))
        file.check_names(names)
        home, foreign = parse_currencies(self.currencies, self.rates is not None)
        if home:
            file.check_currencies({name: foreign.get(name, home) for name in names})
        for name in factors:
            if action := next(iter(file.of(name)), None):
                raise file.refuse(action, "symbol", "prices that --adjust leaves as they were traded", repr(name))
        return file

    def _stored(self, start: int | None, end: int | None) -> list[Bars]:
        from strades_pipelines.research.stored_bars import stored_bars

        if self.interval is None or self.adjust or self.calendars or self.resample or self.actions:
            others = "--adjust, --actions, --calendar nor --resample"
            raise BadInput(f"--instrument: expected --interval with it, and neither {others}")
        _length(self.interval)
        as_of = None if self.as_of is None else moment(_time(self.as_of))
        return stored_bars(
            self.instruments, self.interval, start, end, multiplier=self.multiplier, lot=self.lot, as_of=as_of
        )


@dataclass(frozen=True)
class TermsChoice:
    """On what terms: the words of the options of these names."""

    cash: float = 100_000.0
    fee: str = "none"
    fill: str = "next-open"
    size: str | None = None
    tactics: Sequence[str] = ()
    leverage: float | None = None
    long_only: bool = False
    max_weight: float | None = None
    lot: float = 0.0
    close_at_end: bool = False
    decide_from: str | None = None
    tick: float = 0.0
    limits: Sequence[str] = ()
    fit_cash: bool = False

    def terms(self) -> Terms:
        """The terms.

        Raises:
            BadInput: one line on the option that is wrong.
        """
        for name, value in (("--cash", self.cash), ("--leverage", self.leverage), ("--max-weight", self.max_weight)):
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{name}: expected a number above 0, found {value}")
        if not (math.isfinite(self.lot) and self.lot >= 0.0):
            raise BadInput(f"--lot: expected a number of 0 or more, found {self.lot}")
        if not (math.isfinite(self.tick) and self.tick >= 0.0):
            raise BadInput(f"--tick: expected a number of 0 or more, found {self.tick}")
        limits: dict[str, Any] = {"allow_short": not self.long_only, "lot": self.lot, "tick": self.tick}
        if self.leverage is not None:
            limits["leverage"] = self.leverage
        if self.max_weight is not None:
            limits["max_weight"] = self.max_weight / 100.0
        if self.fit_cash:
            if self.leverage is None or self.leverage > 1.0:
                raise BadInput(f"--fit-cash: expected --leverage of 1 or less with it, found {self.leverage}")
            limits["fits_cash"] = True
        written = self._written()
        known = parse_limits(written)
        fields = {limit.field for limit in LIMITS if limit.name in written}
        limits |= {name: value for name, value in as_floats(known.numbers).items() if name in fields}
        opened_at = BEGINNING if self.decide_from is None else _time(self.decide_from)
        terms = Terms(self.cash, parse_fee(self.fee), parse_fills(self.fill), limits, self._tactics(), opened_at)
        return replace(terms, restricted=known.restricted)

    def _written(self) -> dict[str, Any]:
        """The limits by name."""
        written: dict[str, Any] = {}
        for text in self.limits:
            try:
                name, value = read_limit(text)
            except ValueError as error:
                raise BadInput(f"--limit: {error}") from None
            apart = {"max_leverage": self.leverage, "max_position_percent": self.max_weight}
            if name in written or apart.get(name) is not None:
                raise BadInput(f"--limit: {name} is given twice")
            written[name] = value
        return written

    def _tactics(self) -> list[Callable[[int], Tactic]]:
        """The sizing rule first: the tactics then see what it aims at."""
        from strades_pipelines.strategy.tactics.tactic_registry import parse, parse_size

        return [
            *([_named("--size", parse_size, self.size)] if self.size is not None else []),
            *(_named("--tactic", parse, spec) for spec in self.tactics),
        ]

    @property
    def options(self) -> dict[str, Any]:
        """What changes a result besides data, code and parameters, as it was asked for."""
        limits = {"limits": list(self.limits)} if self.limits else {}
        # What is as it always was is left out: the trials of before are those of now.
        chosen = {
            name: value for name, value in vars(self).items() if name != "limits" and (value or name != "fit_cash")
        }
        return {**chosen, "tactics": list(self.tactics), **limits}


def _named(option: str, parsed: Callable[[str], Callable[[int], Tactic]], spec: str) -> Callable[[int], Tactic]:
    try:
        return parsed(spec)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def _named_file(text: str) -> tuple[str, Path]:
    given = NAMED.fullmatch(text)
    # A file that has a `=` in its own name is that file.
    if given and not Path(text).exists():
        return given["name"], Path(given["rest"])
    return name_of(Path(text)), Path(text)


def _sessions(calendar: str, first_year: int, last_year: int) -> Sessions:
    try:
        return sessions(calendar, first_year, last_year)
    except CalendarError as error:
        raise BadInput(f"--calendar: {error}") from None


def _length(interval: str, option: str = "--interval") -> int:
    try:
        return round(interval_length(interval).total_seconds() * 1_000_000)
    except ValueError as error:
        raise BadInput(f"{option}: {str(error).removeprefix('interval: ')}") from None


def _time(text: str) -> int:
    """A day or an ISO 8601 time as microseconds; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"expected a day or time such as 2012-01-31 or 2012-01-31T14:30Z, found {text!r}") from None
    return microseconds(found if found.tzinfo else found.replace(tzinfo=UTC))
