"""Every construct of the compilable subset gives what Python gives, to the bit; what is outside is refused by line."""

import math
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.simulation.backtest import Bars, Result, backtest
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy

LIMIT = 3
NUMBERS = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-9, 9).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 1e-300, 1e300, math.inf, -math.inf, math.nan]),
)


def smaller_of(first: float, second: float) -> float:
    return first if first < second else second


class Part:
    def __init__(self, step: float) -> None:
        self.step = step
        self.total = 0.0
        self.calls = 0

    @property
    def mean(self) -> float:
        return self.total / self.calls if self.calls > 0 else math.nan

    def add(self, value: float, times: int = 2) -> float:
        self.calls += 1
        for _ in range(times):
            self.total += value * self.step
        return self.total


class Other:
    def __init__(self) -> None:
        self.last = 0.0

    def add(self, value: float) -> float:
        self.last = value
        return -value


class Everything(Strategy):
    """Writes one number for each construct."""

    def on_start(self, account: Account) -> None:
        self.out = [0.0] * 40
        self.whole = [0] * 4
        self.count = 0
        self.flag = False
        self.part = Part(0.5)
        self.parts = [Part(1.0), Part(2.0)]
        self.mixed = (Part(3.0), Other())

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        a, b, n = bar.open, bar.close, self.count
        out = self.out
        out[0] = a + b - a * b
        out[1] = a / b if b != 0.0 else -1.0
        out[2] = a % b if b != 0.0 and math.isfinite(a) and math.isfinite(b) else -1.0
        out[3] = min(a, b)
        out[4] = max(a, b, 0.0)
        out[5] = abs(-a)
        out[6] = 1.0 if a < b <= 5.0 else 2.0
        out[7] = 1.0 if (a == b or not a > 0.0) and b != a else 2.0
        out[8] = smaller_of(a, b)
        out[9] = math.sqrt(a) if a >= 0.0 else -1.0
        out[10] = math.log(a) if a > 0.0 else -1.0
        out[11] = math.exp(a) if a < 700.0 else -1.0
        out[12] = float(math.floor(a)) if -1e15 < a < 1e15 else -1.0
        out[13] = float(int(a)) if -1e15 < a < 1e15 else -1.0
        out[14] = math.sin(b) if math.isfinite(b) else -1.0
        self.whole[0] = (n - 5) // 3
        self.whole[1] = (n - 5) % 3
        self.whole[2] = (n - 5) // -3
        self.whole[3] = (n - 5) % -3
        out[15] = n / 7
        self.flag = a > b
        out[16] = 1.0 if self.flag else 0.0
        out[17] = self.part.add(a)
        out[18] = self.parts[n % 2].add(b, times=3)
        out[19] = self.parts[1].mean
        out[20] = float(len(self.parts) + len(self.whole))
        total = 0.0
        for k in range(2, 12, 3):
            if k == 8:
                continue
            total += k * a
            if total > 1e3:
                break
        out[21] = total
        for k in range(3, -1, -1):
            total -= float(k)
        out[22] = total
        steps = 0
        while steps < LIMIT and a == a:
            steps += 1
        out[23] = float(steps)
        for one in self.mixed:
            out[24] += one.add(b)
        held = self.parts[0]
        held.total = held.total * 0.5
        out[25], out[26] = out[1], out[0]
        out[27] = float(bool(a))
        out[28] = a if a != a else 0.0
        out[29] = math.pi if math.isnan(b) else math.inf
        out[30] = -b
        self.count += 1


def bars_of(pairs: Sequence[tuple[float, float]]) -> Bars:
    """Bars whose opens and closes are the pairs."""
    time = np.arange(1, len(pairs) + 1, dtype=np.int64) * 60_000_000
    opens, closes = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    return Bars("X", time, time - 60_000_000, np.array([opens, opens, closes, closes, np.ones(len(pairs))]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine-code")


def run_both(cls: type[Strategy], pairs: Sequence[tuple[float, float]], cache: Path) -> list[tuple[Any, Result]]:
    runs = []
    for mode in ("events", "compiled"):
        strategy = cls()
        runs.append((strategy, backtest(strategy, [bars_of(pairs)], mode=mode, cache=cache)))
        assert runs[-1][1].mode == mode
    return runs


def bits(numbers: Sequence[float]) -> list[bytes]:
    """Floats by their bits, every NaN alike."""
    return [b"nan" if math.isnan(number) else struct.pack("d", number) for number in numbers]


@settings(max_examples=60)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6))
@example(pairs=[(0.0, -0.0), (-0.0, 0.0), (math.nan, 1.0), (1.0, math.nan)])
def test_every_construct_is_what_python_makes_of_it(cache: Path, pairs: list[tuple[float, float]]) -> None:
    (one, first), (other, second) = run_both(Everything, pairs, cache)
    assert str(first.error) == str(second.error)
    assert bits(one.out) == bits(other.out)
    assert (one.whole, one.count, one.flag) == (other.whole, other.count, other.flag)
    held = [[each.part, *each.parts, each.mixed[0]] for each in (one, other)]
    for before, after in zip(*held, strict=True):
        assert (bits([before.total]), before.calls) == (bits([after.total]), after.calls)


class Divides(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = 1.0 / bar.close


class TakesARoot(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = math.sqrt(bar.close)


class Complains(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        if bar.close < 0.0:
            raise ValueError("expected a price above 0")


@pytest.mark.parametrize("cls", [Divides, TakesARoot, Complains])
def test_errors_are_pythons_and_keep_what_was_done_before(cls: type[Strategy], cache: Path) -> None:
    last = 0.0 if cls is Divides else -1.0
    (_, first), (_, second) = run_both(cls, [(4.0, 4.0), (4.0, 4.0), (4.0, last)], cache)
    assert first.error is not None
    assert str(first.error) == str(second.error)
    assert np.array_equal(first.fills, second.fills)
    assert np.array_equal(first.equity, second.equity)


class Power(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = bar.close**2


class Texts(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = float(f"{bar.close}")


class Builds(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = sum([bar.close for _ in range(3)])


class Grows(Strategy):
    def on_start(self, account: Account) -> None:
        self.count = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.count += bar.close  # type: ignore[assignment]


class Late(Strategy):
    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.seen = bar.close


class Recurses(Strategy):
    def down(self, n: float) -> float:
        return self.down(n - 1.0) if n > 0.0 else n

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[0] = self.down(bar.close)


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Power, "write x * x"),
        (Texts, "JoinedStr"),
        (Builds, "sum"),
        (Grows, "became a float"),
        (Late, "no number set before the first event"),
        (Recurses, "calls itself"),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_file_and_line_and_runs_per_event(
    cls: type[Strategy], said: str, cache: Path
) -> None:
    bars = [bars_of([(1.0, 1.0), (2.0, 2.0)])]
    with pytest.raises(NotCompilable, match=rf"test_lowering\.py:\d+: .*{re.escape(said)}"):
        backtest(cls(), bars, mode="compiled", cache=cache)
    result = backtest(cls(), bars, mode="auto", cache=cache)
    assert result.mode == "events"
    assert said in str(result.not_compiled)


def test_machine_code_is_kept_and_found_again(tmp_path: Path) -> None:
    pairs = [(1.0, 2.0), (3.0, 4.0)]
    run_both(Divides, pairs, tmp_path)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.o")}
    assert len(kept) == 1
    run_both(Divides, pairs, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.o")} == kept
