"""Which indicators are updated ahead: those that depend on bars alone, and are asked for nothing before."""

from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.compiler.bar_indicators import Indicator, find_indicators
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy
from tests.compiler.harness import module_of

SOURCE = """
from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Strategy

def helped(what, price):
    return what.update(price)

class Inner:
    def __init__(self):
        self.value = 0.0
        self.past = [0.0, 0.0]
        self.mean = Sma(2)

    @property
    def last(self):
        return self.past[0]

    @property
    def double(self):
        return 2.0 * self.value

    def update(self, price):
        {update}

class Written(Strategy):
    def on_start(self, account):
        self.means = [Sma(3) for _ in range(account.size)]
        self.one = Inner()
        self.heard = 0.0

    {other}

    def on_aggregate_bar(self, bar, account):
        {lines}
"""
UPDATE = "self.value = price\n        return self.value"


def indicators(folder: Path, *lines: str, other: str = "", update: str = UPDATE, size: int = 2) -> dict[str, Indicator]:
    """What is found in a strategy with such statements in its hook, and another method."""
    source = SOURCE.format(lines="\n        ".join(lines), other=other, update=update)
    strategy: Any = module_of(source, folder).Written()
    strategy.on_start(Account(size, 1.0))
    found = find_indicators(shape_of(strategy), "on_aggregate_bar", Strategy, Bar.compiled_fields)
    return {one.name: one for one in found}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    "lines",
    [
        ["self.means[bar.i].update(bar.close)"],
        ["self.heard = self.means[bar.i].update(bar.close) + 1.0"],
        ["if self.means[bar.i].update(bar.close) > 2.0:", "    self.heard = 1.0"],
        [
            "i = bar.i",
            "mean = self.means[i]",
            "mean.update(bar.close)",
            "if mean.ready:",
            "    self.heard = mean.value",
        ],
        ["price = bar.close", "self.means[bar.i].update(price)"],
        ["if bar.close > 1.0:", "    self.heard = 0.0", "self.means[bar.i].update(bar.close)"],
    ],
)
def test_an_update_that_every_bar_comes_to_is_made_ahead(tmp_path: Path, lines: list[str], size: int) -> None:
    found = indicators(tmp_path, *lines, size=size)
    assert set(found) == {"means"}
    assert found["means"].arguments == ("close",)


@pytest.mark.parametrize(
    "lines",
    [
        ["if bar.close > 1.0:", "    self.means[bar.i].update(bar.close)"],
        ["for k in range(2):", "    self.means[bar.i].update(bar.close)"],
        ["if bar.close > 1.0:", "    return", "self.means[bar.i].update(bar.close)"],
        ["self.heard = self.means[bar.i].update(bar.close) if bar.close > 1.0 else 0.0"],
        ["if bar.close > 1.0 and self.means[bar.i].update(bar.close) > 1.0:", "    self.heard = 1.0"],
        ["if 1.0 < bar.close < self.means[bar.i].update(bar.close):", "    self.heard = 1.0"],
    ],
)
def test_an_update_that_some_bars_pass_by_is_not_made_ahead(tmp_path: Path, lines: list[str]) -> None:
    assert indicators(tmp_path, *lines) == {}


@pytest.mark.parametrize(
    "line",
    [
        "self.means[bar.i].update(account.price[bar.i])",
        "self.means[bar.i].update(self.heard)",
        "self.means[bar.i].update(bar.close - bar.open)",
        "self.means[bar.i].update(bar.i)",
        "self.means[bar.i].update(value=bar.close)",
        "self.means[0].update(bar.close)",
        "self.means[bar.i - 1].update(bar.close)",
    ],
)
def test_what_takes_more_than_numbers_of_its_own_bar_is_not_made_ahead(tmp_path: Path, line: str) -> None:
    assert indicators(tmp_path, line) == {}


@pytest.mark.parametrize(
    "lines",
    [
        ["self.means[bar.i].update(bar.close)", "self.means[bar.i].update(bar.open)"],
        ["self.heard = self.means[bar.i].value", "self.means[bar.i].update(bar.close)"],
        ["self.heard = self.means[bar.i].update(bar.close) - self.means[bar.i].value"],
        ["self.means[bar.i].update(bar.close)", "self.heard = self.means[0].value"],
        ["self.means[bar.i].update(bar.close)", "self.means[bar.i].value = 1.0"],
        ["self.means[bar.i].update(bar.close)", "self.heard = self.means[bar.i].ring[0]"],
        ["self.means[bar.i].update(bar.close)", "self.heard = float(len(self.means))"],
        ["mean = self.means[bar.i]", "mean.update(bar.close)", "self.heard = helped(mean, bar.close)"],
        ["mean = self.means[bar.i]", "mean.update(bar.close)", "mean = self.means[0]", "self.heard = mean.value"],
        ["i = bar.i", "i = 0", "self.means[i].update(bar.close)"],
        ["bar = Bar(bar.i, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0)", "self.means[bar.i].update(bar.close)"],
        ["self.means[bar.i].update(bar.close)", "self.heard = helped(self, bar.close)"],
    ],
)
def test_what_is_asked_for_anything_else_is_not_made_ahead(tmp_path: Path, lines: list[str]) -> None:
    assert indicators(tmp_path, *lines) == {}


@pytest.mark.parametrize(
    "other",
    [
        "def on_fill(self, fill, account):\n        self.heard = self.means[fill.i].value",
        "def on_timer(self, time, account):\n        self.means[0].update(1.0)",
        "@property\n    def high(self):\n        return self.means[0].value",
        "def on_trade(self, trade, account):\n        self.on_aggregate_bar(trade, account)",
    ],
)
def test_what_another_method_may_see_is_not_made_ahead(tmp_path: Path, other: str) -> None:
    assert indicators(tmp_path, "self.means[bar.i].update(bar.close)", other=other) == {}


@pytest.mark.parametrize("name", ["explain", "on_stop", "__init__"])
def test_what_python_alone_runs_may_see_all(tmp_path: Path, name: str) -> None:
    other = f"def {name}(self, *given):\n        super().{name}(*given)\n        self.means = []"
    assert set(indicators(tmp_path, "self.means[bar.i].update(bar.close)", other=other)) == {"means"}


def test_an_object_that_is_not_in_a_list_takes_the_bars_of_all(tmp_path: Path) -> None:
    found = indicators(tmp_path, "self.one.update(bar.high)", "self.heard = self.one.double + self.one.value")
    assert (found["one"].arguments, found["one"].numbers, found["one"].is_listed) == (("high",), ("value",), False)


@pytest.mark.parametrize("asked", ["last", "past", "mean", "mean.value", "nothing"])
def test_what_is_asked_for_more_than_numbers_is_not_made_ahead(tmp_path: Path, asked: str) -> None:
    assert indicators(tmp_path, "self.one.update(bar.high)", f"self.heard = self.one.{asked}") == {}


@pytest.mark.parametrize(
    ("update", "attribute"),
    [
        (UPDATE, "value"),
        ("mean = price + 1.0\n        self.value = mean\n        return mean", "value"),
        ("if price > 1.0:\n            return self.value\n        self.value = price\n        return price", "value"),
        ("self.value = price\n        return price + 1.0", None),
        ("self.value = price\n        price += 1.0\n        return price", None),
        ("if price > 1.0:\n            return price\n        return self.value", None),
        ("self.value = price", None),
    ],
)
def test_what_is_returned_is_kept_once_where_it_is_an_attribute(
    tmp_path: Path, update: str, attribute: str | None
) -> None:
    found = indicators(tmp_path, "self.heard = self.one.update(bar.high)", update=update)
    assert found["one"].returned_as == attribute


BESIDE = """
from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Strategy

class Mixin:
    def again(self, bar):
        {again}

class Sure(Sma):
    @property
    def ready(self):
        return {ready}

class Written(Strategy, Mixin):
    def on_start(self, account):
        self.mean = Sure(3)
        self.heard = 0.0

    def on_aggregate_bar(self, bar, account):
        self.mean.update(bar.close)
        self.again(bar)
        if self.mean.ready:
            account.target[0] = self.mean.value
"""


@pytest.mark.parametrize(
    ("again", "ready", "found"),
    [
        ("self.heard += bar.open", "self.value > 0.0", {"mean"}),
        ("self.mean.update(bar.open)", "self.value > 0.0", set()),  # the second update was dropped
        ("self.heard += self.mean.value", "self.value > 0.0", set()),
        ("self.heard += bar.open", "super().ready and self.value > 0.0", set()),
    ],
    ids=["neither", "a mixin updates it", "a mixin reads it", "a property of its base class"],
)
def test_mixins_behind_the_base_class_and_base_classes_of_an_indicator_are_looked_through(
    tmp_path: Path, again: str, ready: str, found: set[str]
) -> None:
    strategy: Any = module_of(BESIDE.format(again=again, ready=ready), tmp_path).Written()
    strategy.on_start(Account(1, 1.0))
    indicators = find_indicators(shape_of(strategy), "on_aggregate_bar", Strategy, Bar.compiled_fields)
    assert {one.name for one in indicators} == found
