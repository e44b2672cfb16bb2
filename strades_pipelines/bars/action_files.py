"""Files of splits and dividends: read, checked, and put to the bars in which they take effect."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.bars.csv_rows import date_of, number_of, read_rows
from strades_pipelines.engine.actions import Actions
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.strategy.events import DAY_LENGTH

FIELDS = ("symbol", "date", "kind", "value")
SPLIT, DIVIDEND = "split", "dividend"
MOST = {SPLIT: 1e6, DIVIDEND: 1e12}
CURRENCY = re.compile(r"[A-Z]{3,5}")
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Action:
    """A row of the file: `day` is the ex date as days since 1970, `currency` empty where the file does not say."""

    row: int
    day: int
    kind: str
    value: float
    currency: str


@dataclass(frozen=True)
class ActionFile:
    """The corporate actions of each instrument, by its name, in the order of their days; a split before a dividend."""

    path: Path
    actions: Mapping[str, Sequence[Action]]

    def of(self, name: str) -> Sequence[Action]:
        """Those of an instrument; none where the file does not have it."""
        return self.actions.get(name, ())

    def check_names(self, names: Sequence[str]) -> None:
        """Refuse what is of no instrument of the run.

        Raises:
            BadInput: naming the row.
        """
        for name, actions in self.actions.items():
            if name not in names:
                row = min(one.row for one in actions)
                raise bad_row(self.path, row, "symbol", f"one of {', '.join(names)}", repr(name))

    def check_currencies(self, currencies: Mapping[str, str]) -> None:
        """Refuse a dividend in another currency than its instrument's.

        Raises:
            BadInput: naming the row.
        """
        for name, actions in self.actions.items():
            for one in actions:
                if one.currency not in ("", currencies[name]):
                    raise self.refuse(one, "currency", f"{currencies[name]}, as {name} is in", repr(one.currency))

    def check_length(self, name: str, interval: int) -> None:
        """Refuse the actions of an instrument whose bars are longer than a day: prices in them are in units of both.

        Args:
            interval: the length of a bar in microseconds.

        Raises:
            BadInput: naming the first row.
        """
        if interval > DAY_LENGTH and (action := next(iter(self.of(name)), None)):
            found = f"{name!r} with bars of {interval / DAY_LENGTH:g} days"
            raise self.refuse(action, "symbol", "bars of a day or less (--resample makes longer ones)", found)

    def refuse(self, action: Action, field: str, expected: str, found: object) -> BadInput:
        """The error for a field of an action."""
        return bad_row(self.path, action.row, field, expected, found)


def read_actions(path: Path) -> ActionFile:
    """A csv with the columns symbol, date (the ex date), kind (split or dividend), value and, if wanted, currency.

    The value of a split is the new units for an old one (4 for four to one, 0.1 for one to ten), that of a dividend the
    cash a unit.

    Raises:
        BadInput: naming the file, the row and the field.
    """
    found: dict[str, list[Action]] = {}
    seen: set[tuple[str, int, str]] = set()
    for row, cells in read_rows(path, FIELDS, ("currency",)):
        if not cells["symbol"]:
            raise bad_row(path, row, "symbol", "the name of an instrument", "nothing")
        kind, currency = cells["kind"], cells.get("currency", "")
        if kind not in MOST:
            raise bad_row(path, row, "kind", f"{SPLIT} or {DIVIDEND}", repr(kind))
        if currency and not CURRENCY.fullmatch(currency):
            raise bad_row(path, row, "currency", "a code such as USD, or nothing", repr(currency))
        day = date_of(path, row, "date", cells["date"]).toordinal() - EPOCH
        value = number_of(path, row, "value", cells["value"], MOST[kind])
        if (key := (cells["symbol"], day, kind)) in seen:
            raise bad_row(
                path, row, "date", f"one {kind} of {key[0]!r} on a day (their sum, or product)", cells["date"]
            )
        seen.add(key)
        found.setdefault(cells["symbol"], []).append(Action(row, day, kind, value, currency))
    return ActionFile(
        path, {name: sorted(rows, key=lambda one: (one.day, one.kind != SPLIT)) for name, rows in found.items()}
    )


@dataclass(frozen=True)
class Placement:
    """In which bar of a file each action takes effect: `bars` their indices, shape of `actions`."""

    file: ActionFile
    actions: Sequence[Action]
    bars: Integers

    @classmethod
    def of(cls, file: ActionFile, name: str, days: Integers) -> "Placement":
        """The first bar of the ex date or, where it has none, of the day after it that has.

        Args:
            days: the session of each bar as days since 1970, shape (n,).

        Raises:
            BadInput: an action is before the first bar or after the last.
        """
        actions = file.of(name)
        for action in actions:
            if not days[0] <= action.day <= days[-1]:
                first, last = (np.datetime64(int(day), "D") for day in (days[0], days[-1]))
                found = np.datetime64(action.day, "D")
                raise file.refuse(action, "date", f"a day of the bars of {name}, {first} to {last}", found)
        return cls(file, actions, np.searchsorted(days, [one.day for one in actions]).astype(np.int64))

    def before(self, end: int) -> "Placement":
        """Those that take effect before bar `end`."""
        count = int(np.searchsorted(self.bars, end))
        return replace(self, actions=self.actions[:count], bars=self.bars[:count])

    def restated(self, prices: Floats, first: Integers) -> Floats:
        """Prices in which the bars of a group are all in the units of its last one, a new array of shape (5, n).

        Args:
            prices: open, high, low, close and volume of the bars.
            first: the first bar of each group that becomes one longer bar, shape (groups,).
        """
        prices = prices.copy()
        for action, k in zip(self.actions, self.bars.tolist(), strict=True):
            if action.kind == SPLIT:
                start = int(first[np.searchsorted(first, k, side="right") - 1])
                prices[:4, start:k] /= action.value
                prices[4, start:k] *= action.value
        return prices

    def grouped(self, first: Integers, closes: Integers, prices: Floats, kept: slice) -> Actions:
        """The events, of the bars that are kept; the actions before and after them are left out.

        Those of the first open are before it: nobody held, and who asks then asks for units of that day. What takes
        effect inside a longer bar is a split at its open, in whose new units that bar is, and a dividend behind its
        orders, paid to who holds then.

        Args:
            first: the first bar of each group; of shape (groups,), as are closes (microseconds UTC).
            prices: of the groups, shape (5, groups).

        Raises:
            BadInput: a dividend is not below the close before it.
        """
        rows: dict[tuple[int, bool], tuple[float, float]] = {}
        groups = np.searchsorted(first, self.bars, side="right") - 1
        for n, (action, g) in enumerate(zip(self.actions, groups.tolist(), strict=True)):
            is_split, begins = action.kind == SPLIT, int(first[g]) == int(self.bars[n])
            if not kept.start <= g < kept.stop or (begins and g == kept.start):
                continue
            at_open = is_split or begins
            ratio, amount = rows.get((g, at_open), (1.0, 0.0))
            # A dividend told before it is in the old units.
            if is_split:
                rows[g, True] = ratio * action.value, amount / action.value
                if (g, False) in rows:
                    rows[g, False] = 1.0, rows[g, False][1] / action.value
                continue
            rows[g, at_open] = ratio, amount + action.value
            # Inside a longer bar no close before it is of the same units: the high bounds it.
            known = prices[3, g - 1] / ratio if at_open else prices[1, g]
            if amount + action.value >= known:
                raise self.file.refuse(action, "value", f"a dividend below the price before, {known:g}", action.value)
        keys = sorted(rows, key=lambda key: (key[0], not key[1]))
        ratios, amounts = (np.array([rows[key][which] for key in keys]) for which in (0, 1))
        return Actions(closes[[g for g, _ in keys]], np.array([at for _, at in keys], np.int64), ratios, amounts)
