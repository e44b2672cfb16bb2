"""Strategies of the kinds that faults of other back-testers were reported of, each with its cash worked out by hand.

Bar k opens at 10 + k, closes at 11 + k, and reaches half a point beyond both: what is decided at its close is filled at
11 + k. All are one strategy with one number, so that they are compiled once.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.compiler import machine
from strades_pipelines.simulation.backtest import Bars, Terms, backtest
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy


def helped(x: float, factor: float = 2.0) -> float:
    return x * factor


class Base(Strategy):
    def raised(self, x: float) -> float:
        return x - 10.0


class Kinds(Base):
    case: int = 0

    def on_start(self, account: Account) -> None:
        self.k = -1
        self.turned = 0
        self.window = [0.0, 0.0]
        self.counts = [0, 0, 0]
        self.a = 0.0

    def raised(self, x: float) -> float:
        return super().raised(x) * 2.0

    def turn(self) -> int:
        self.turned = (self.turned + 1) % 3
        return self.turned

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.k += 1
        if self.case < 12:
            self.expressions(bar, account)
        elif self.case < 17:
            self.statements(bar, account)
        elif self.k == 0:
            self.orders(account)
        elif self.case == 23 and self.k == 1:
            account.cancel_all(0)

    def expressions(self, bar: Bar, account: Account) -> None:
        k, x = self.k, math.nan
        if self.case == 0:
            account.target[0] = k >= 1 and 2.0
        elif self.case == 1:
            account.target[0] = k % 2 or 5
        elif self.case == 2:
            account.target[0] = 0.1 + 0.2 if k == 0 else 0.3
        elif self.case == 3:
            account.target[0] = -7 // 2 * -(7 % -3) + 10
        elif self.case == 4:
            account.target[0] = bar.close // 4.0
        elif self.case == 5:
            account.target[0] = self.raised(bar.close)
        elif self.case == 6:
            account.target[0] = 1.0 if 11.0 < bar.close <= 13.0 != 12.5 else 0.0
        elif self.case == 7:
            account.target[0] = 3.0 if x != x else 0.0
        elif self.case == 8:
            account.target[0] = max(min(k, 2.5), 1)
        elif self.case == 9:
            account.target[0] = True + True
        elif self.case == 10:
            account.target[0] = helped(1.0) + helped(factor=0.5, x=2.0)
        elif self.case == 11:
            account.target[0] = math.copysign(3.0, 0.0 // -1.0)

    def statements(self, bar: Bar, account: Account) -> None:
        if self.case == 12:
            self.window[-1] = float(self.k)
            account.target[0] = self.window[1]
        elif self.case == 13:
            self.counts[self.turn()] += 1
            account.target[0] = float(self.counts[1])
        elif self.case == 14:
            total = 0
            for j in range(10):
                if j == 3:
                    break
                total += 1
            account.target[0] = float(total)
        elif self.case == 15:
            self.a = 1
            account.target[0] = self.a / 2
        elif self.case == 16:
            account.target[0] = 2.0 if self.k < 2 else -1.0

    def orders(self, account: Account) -> None:
        if self.case == 17:
            account.order(0, 2.0, limit=11.5)
        elif self.case == 18:
            account.order(0, -1.0, limit=12.0)
        elif self.case == 19:
            account.order(0, 1.0, stop=12.25)
        elif self.case == 20:
            account.order(0, 1.0, stop=10.5)
        elif self.case == 21:
            account.bracket(0, 1.0, 9.0, 13.25)
        elif self.case == 22:
            account.set_weight(0, 0.55)
        elif self.case == 23:
            account.order(0, 1.0, stop=13.25)
        elif self.case == 24:
            account.order(0, -1.0, stop=10.0)


# What cash, units and fills come to, from 1,000.
BY_HAND = {
    "the value of and": (1_000 - 2 * 12, 2, 1),
    "the value of or": (1_000 - 5 * 11 + 4 * 12 - 4 * 13 + 4 * 14, 1, 4),
    "tenths that differ in the last digit": (1_000 - 0.3 * 11, 0.3, 1),
    "division of negatives": (1_000 - 2 * 11, 2, 1),
    "floor division of floats": (1_000 - 2 * 11 - 12, 3, 2),
    "a method of the class behind": (1_000 - 2 * (11 + 12 + 13 + 14), 8, 4),
    "a chain of comparisons": (1_000 - 12 + 14, 0, 2),
    "not a number": (1_000 - 3 * 11, 3, 1),
    "a maximum of an int and a float": (1_000 - 11 - 13 - 0.5 * 14, 2.5, 3),
    "truth values added": (1_000 - 2 * 11, 2, 1),
    "defaults, and arguments by name": (1_000 - 3 * 11, 3, 1),
    "the sign of zero": (1_000 + 3 * 11, -3, 1),
    "an index from the end": (1_000 - 12 - 13 - 14, 3, 3),
    "an index worked out once": (1_000 - 11 - 14, 2, 2),
    "a loop that is left": (1_000 - 3 * 11, 3, 1),
    "an int in place of a float": (1_000 - 0.5 * 11, 0.5, 1),
    "a flip": (1_000 - 2 * 11 + 3 * 13, -1, 2),
    "a limit that the open is better than": (1_000 - 2 * 11, 2, 1),
    "a limit inside the bar": (1_000 + 12, -1, 1),
    "a stop inside the bar": (1_000 - 12.25, 1, 1),
    "a stop that the open has passed": (1_000 - 11, 1, 1),
    "a bracket whose target fills": (1_000 - 11 + 13.25, 0, 2),
    "a weight": (1_000 - 550, 50, 1),
    "a stop cancelled in time": (1_000, 0, 0),
    "a stop that is never reached": (1_000, 0, 0),
}


@pytest.fixture
def bars() -> Bars:
    time = np.arange(1, 6, dtype=np.int64) * 86_400_000_000
    opens = 10.0 + np.arange(5)
    return Bars("X", time, time - 86_400_000_000, np.array([opens, opens + 1.5, opens - 0.5, opens + 1.0, np.ones(5)]))


@pytest.mark.parametrize("mode", ["events", "compiled"])
def test_each_comes_to_what_is_worked_out_by_hand(
    mode: str, bars: Bars, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LEVEL", 0)
    cache: Path = tmp_path_factory.getbasetemp()
    wrong = {}
    for case, (name, expected) in enumerate(BY_HAND.items()):
        result = backtest(Kinds(case=case), [bars], Terms(cash=1_000.0), mode=mode, cache=cache)
        found = (result.account.cash, result.account.position[0], len(result.fills))
        if result.error is not None or found != pytest.approx(expected, abs=1e-9):
            wrong[name] = (found, expected, result.error)
    assert wrong == {}
