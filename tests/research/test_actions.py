"""`--actions`: splits and dividends as events of a backtest, and every row that is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.engine.actions import Actions
from tests.research.bars import HEADER as BARS
from tests.research.bars import Run, bar_file

HEADER = "symbol,date,kind,value\n"
# 2020-01-01 is day 0: four for one on day 4 (a Sunday), 0.5 a share on day 7, one for two and 0.25 on day 9.
OLD = [100.0, 104.0, 108.0, 104.0, 26.0, 27.0, 28.0, 26.5, 27.5, 55.0, 57.0, 56.0]
ROWS = "X,2020-01-05,split,4\nX,2020-01-08,dividend,0.5\nX,2020-01-10,dividend,0.25\nX,2020-01-10,split,0.5\n"
HOLD = """
from strades_pipelines.strategy.strategy import Strategy


class Hold(Strategy):
    units: float = 10.0

    def on_aggregate_bar(self, bar, account):
        if account.position[bar.i] == 0.0 and bar.close > 100.0:
            account.target[bar.i] = self.units


class Rests(Strategy):
    def on_start(self, account):
        self.k = 0

    def on_aggregate_bar(self, bar, account):
        self.k += 1
        if self.k == 2:
            account.order(bar.i, 10.0, limit=102.0)


class Early(Strategy):
    def on_start(self, account):
        account.target[0] = 10.0
"""


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    (tmp_path / "hold.py").write_text(HOLD)
    (tmp_path / "actions.csv").write_text(HEADER + ROWS)
    bars = bar_file(tmp_path, OLD, "x.csv").read_text().splitlines()
    # Each opens at the close before; on the days of splits that is in the new units.
    for day, (ratio, close) in {4: (4.0, 26.0), 9: (0.5, 55.0)}.items():
        opened = OLD[day - 1] / ratio
        bars[day + 1] = (
            f"2020-01-{day + 1:02}T00:00:00Z,{opened},{max(opened, close)},{min(opened, close)},{close},1000"
        )
    (tmp_path / "x.csv").write_text("\n".join(bars) + "\n")
    return ["--bars", f"X={tmp_path / 'x.csv'}", "--actions", tmp_path / "actions.csv", "--json"]


@pytest.mark.parametrize(("units", "mode"), [(10.0, "events"), (-10.0, "compiled")])
def test_the_total_return_across_splits_and_dividends(
    units: float, mode: str, words: list[object], strades: Run, tmp_path: Path
) -> None:
    """10 at 104 are 40 from day 4 on, get 0.5 each on day 7, are 20 on day 9 and get 0.25 each; a short pays that."""
    named = f"{tmp_path}/hold.py:Hold"
    said = strades("backtest", named, *words, "--mode", mode, "--param", f"units={units}", "--cash", 5000).document
    assert [(fill["time"], fill["quantity"], fill["price"]) for fill in said["fills"]] == [
        ("2020-01-03T00:00:00Z", 10.0, 104.0)
    ]
    held = [0, 0, 1, 1, 4, 4, 4, 4, 4, 2, 2, 2]
    paid = [0.0] * 7 + [4 * 0.5, 4 * 0.5] + [4 * 0.5 + 2 * 0.25] * 3
    expected = [
        5000.0 + units * (factor * close + cash - 104.0) if factor else 5000.0
        for factor, close, cash in zip(held, OLD, paid, strict=True)
    ]
    assert [value for _, value in said["equity_curve"]] == pytest.approx(expected, rel=1e-12)
    assert said["equity"] == pytest.approx(5000.0 + units * (2 * 56.0 + 2.5 - 104.0), rel=1e-12)
    assert said["mode"] == mode
    # In the units after the last split, and so is its price; dividends are cash, no profit of a trade.
    [trade] = said["trades"]
    assert (trade["quantity"], trade["entry_price"]) == (20.0, 52.0)
    assert trade["profit"] == pytest.approx(units * 2 * (56.0 - 52.0))
    # Buying and holding, dividends reinvested at the close before: 4 * 28 / 27.5 (less 0.5) and so on.
    reinvested = 56.0 * 4 / (1 - 0.5 / 28.0) * 0.5 / (1 - 0.25 / (27.5 / 0.5))
    assert said["statistics"]["benchmark_return"] == pytest.approx(reinvested / 100.0 - 1.0, rel=1e-12)


def test_open_orders_are_split(words: list[object], strades: Run, tmp_path: Path) -> None:
    """10 at a limit of 102 are 40 at 25.5, which day 7 reaches, known at its end; unsplit, the limit is above day 4."""
    limits = [101.0, 104.0, 108.0, 104.0, 26.0, 27.0, 28.0, 25.25, 27.5]
    bars = bar_file(tmp_path, limits, "x.csv").read_text().splitlines()
    bars[5] = "2020-01-05T00:00:00Z,26,26.5,25.75,26,1000"
    (tmp_path / "x.csv").write_text("\n".join(bars) + "\n")
    (tmp_path / "actions.csv").write_text(HEADER + "X,2020-01-05,split,4\n")
    said = strades("backtest", f"{tmp_path}/hold.py:Rests", *words, "--mode", "events").document
    assert [(f["quantity"], f["price"], f["time"][:10]) for f in said["fills"]] == [(40.0, 25.5, "2020-01-09")]


def test_longer_bars_are_in_new_units_and_pay_who_holds(words: list[object], strades: Run, tmp_path: Path) -> None:
    """Weeks begin on Thursdays: the split of the 5th and 0.5 on the 8th are inside of the one of the 2nd of January.

    10 are bought at its open: 40 of the units that it is restated in. The next week has one for two, then 0.25 each.
    """
    said = strades("backtest", f"{tmp_path}/hold.py:Early", *words, "--resample", "7d", "--mode", "events").document
    [fill] = said["fills"]
    assert (fill["time"], fill["quantity"], fill["price"]) == ("2020-01-02T00:00:00Z", 40.0, 100.0 / 4)
    assert said["cash"] == pytest.approx(100_000 - 40 * 25.0 + 40 * 0.5 + 20 * 0.25, rel=1e-12)
    assert said["equity"] == pytest.approx(100_000 - 1000.0 + 20.0 + 5.0 + 20 * 56.0, rel=1e-12)


def test_a_target_set_before_the_first_bar_is_in_the_units_of_that_bars_day(
    words: list[object], strades: Run, tmp_path: Path
) -> None:
    """With `--from` at the ex date of four for one, 10 are 10: the split was before. Bought on the 6th at 26."""
    first = [*words, "--from", "2020-01-05", "--to", "2020-01-07", "--mode", "events"]
    said = strades("backtest", f"{tmp_path}/hold.py:Early", *first).document
    assert [(fill["quantity"], fill["price"]) for fill in said["fills"]] == [(10.0, 26.0)]


def test_a_benchmark_takes_a_dividend_in_the_units_of_a_split_of_its_bar() -> None:
    """400 before, four for one: 100 a new unit; then 1 a new unit, so that 4 of 100 have become 4 / (1 - 1 / 100)."""
    split = Actions(np.array([2, 2]), np.array([1, 0]), np.array([4.0, 1.0]), np.array([0.0, 1.0]))
    assert split.total_return(np.array([1, 2]), np.array([400.0, 100.0])).tolist() == pytest.approx(
        [400.0, 100.0 * 4 / (1 - 1 / 100)]
    )


def test_bars_longer_than_a_day_take_no_actions(words: list[object], strades: Run, tmp_path: Path) -> None:
    """Weeks from Mondays, a split on the second Wednesday: that week's close is in new units, its open in old ones."""
    weeks = [f"2020-01-{day:02}T00:00:00Z,{price},{price},{price},{price},1" for day, price in ((6, 100), (13, 25))]
    (tmp_path / "x.csv").write_text("\n".join([BARS, *weeks, "2020-01-20T00:00:00Z,25,25,25,25,1"]) + "\n")
    (tmp_path / "actions.csv").write_text(HEADER + "X,2020-01-15,split,4\n")
    answer = strades("backtest", "buy_and_hold", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "actions.csv: row 2: symbol: expected bars of a day or less" in answer.err
    assert "found 'X' with bars of 7 days" in answer.err


def test_a_fraction_is_paid_out_and_a_sweep_agrees(words: list[object], strades: Run, tmp_path: Path) -> None:
    (tmp_path / "actions.csv").write_text(HEADER + "X,2020-01-10,split,0.3\n")
    lots = [*words, "--lot", 1, "--to", "2020-01-11"]
    said = strades("backtest", f"{tmp_path}/hold.py:Hold", *lots, "--param", "units=5", "--mode", "events").document
    assert [(fill["quantity"], fill["reason"]) for fill in said["fills"]] == [(5.0, None), (0.5, "split")]
    swept = strades("sweep", f"{tmp_path}/hold.py:Hold", *lots, "--choices", "units=5,10").document
    assert swept["mode"] == "compiled"
    assert {row["parameters"]["units"]: row["equity"] for row in swept["sets"]}[5.0] == said["equity"]


def test_actions_make_other_data(words: list[object], strades: Run, tmp_path: Path) -> None:
    named, words = f"{tmp_path}/hold.py:Hold", [*words, "--mode", "events"]
    with_actions = strades("backtest", named, *words).document["data_hash"]
    assert strades("backtest", named, *words[:2], "--mode", "events", "--json").document["data_hash"] != with_actions
    (tmp_path / "actions.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + ROWS).replace("\n", "\r\n").encode())
    assert strades("backtest", named, *words).document["data_hash"] == with_actions
    (tmp_path / "actions.csv").write_text("currency,value,kind,date,symbol\nUSD,4,split,2020-01-05,X\n")
    assert strades("backtest", named, *words).code == 0


REFUSED = {
    "empty": ("", "actions.csv: expected the columns symbol,date,kind,value,[currency] and rows, found an empty file"),
    "header alone": (HEADER, "actions.csv: expected rows below the header, found none"),
    "header": ("symbol,day,kind,value\nX,2020-01-05,split,4\n", "actions.csv: row 1: date: expected the columns"),
    "semicolons": (HEADER.replace(",", ";"), "actions.csv: row 1: symbol: expected the columns symbol,date"),
    "twice in the header": ("symbol,date,kind,value,value\n", "actions.csv: row 1: value: expected the columns"),
    "cells": (HEADER + "X,2020-01-05,split\n", "actions.csv: row 2: symbol: expected 4 cells, found 3 cells"),
    "symbol": (HEADER + "Y,2020-01-05,split,4\n", "actions.csv: row 2: symbol: expected one of X, found 'Y'"),
    "no symbol": (HEADER + ",2020-01-05,split,4\n", "row 2: symbol: expected the name of an instrument, found nothing"),
    "date": (HEADER + "X,05.01.2020,split,4\n", "row 2: date: expected a day such as 2020-08-31, found '05.01.2020'"),
    "week": (HEADER + "X,2020-W35-1,split,4\n", "row 2: date: expected a day such as 2020-08-31, found '2020-W35-1'"),
    "no date": (HEADER + "X,2020-02-30,split,4\n", "row 2: date: expected a day such as 2020-08-31"),
    "before": (HEADER + "X,2019-12-31,split,4\n", "row 2: date: expected a day of the bars of X, 2020-01-01 to"),
    "after": (HEADER + "X,2020-01-13,split,4\n", "to 2020-01-12, found 2020-01-13"),
    "kind": (HEADER + "X,2020-01-05,merger,4\n", "row 2: kind: expected split or dividend, found 'merger'"),
    "nan": (
        HEADER + "X,2020-01-05,split,nan\n",
        "row 2: value: expected a number above 0 and below 1e+06, found 'nan'",
    ),
    "infinite": (HEADER + "X,2020-01-05,split,inf\n", "row 2: value: expected a number above 0"),
    "negative": (HEADER + "X,2020-01-05,dividend,-1\n", "row 2: value: expected a number above 0"),
    "zero": (HEADER + "X,2020-01-05,split,0\n", "row 2: value: expected a number above 0"),
    "word": (HEADER + "X,2020-01-05,split,4:1\n", "row 2: value: expected a number above 0"),
    "too much": (HEADER + "X,2020-01-08,dividend,28\n", "row 2: value: expected a dividend below the price before, 28"),
    "twice": (HEADER + "X,2020-01-05,split,4\n" * 2, "row 3: date: expected one split of 'X' on a day"),
    "currency": (
        "symbol,date,kind,value,currency\nX,2020-01-05,dividend,1,dollars\n",
        "row 2: currency: expected a code such as USD, or nothing, found 'dollars'",
    ),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_actions_are_refused_in_one_line(
    text: str, told: str, words: list[object], strades: Run, tmp_path: Path
) -> None:
    (tmp_path / "actions.csv").write_text(text)
    answer = strades("backtest", "sma_cross", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


def test_adjusted_prices_take_no_actions(words: list[object], strades: Run, tmp_path: Path) -> None:
    (tmp_path / "factors.csv").write_text("20200105,1,0.25,0\n")
    answer = strades("backtest", "sma_cross", *words, "--adjust", tmp_path / "factors.csv")
    assert answer.code == 2
    assert "actions.csv: row 2: symbol: expected prices that --adjust leaves as they were traded" in answer.err
    answer = strades("backtest", "sma_cross", *words, "--actions", tmp_path / "gone.csv")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert json.dumps(answer.err).count("gone.csv") == 1
