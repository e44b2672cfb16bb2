"""`strades study`: what is chosen on which days, how it does on the others, and what it refuses."""

import math
from datetime import date, timedelta
from itertools import combinations, pairwise, product
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from strades_pipelines.engine.columns import Floats
from tests.research.bars import Run, bar_file

WORDS = ["--choices", "fast=2,3,4", "--choices", "slow=5,8", "--mode", "events", "--cash", "1000", "--json"]
SETS = [{"fast": fast, "slow": slow} for fast, slow in product((2, 3, 4), (5, 8))]
# A random walk, on which another set is best every few weeks.
BARS = [round(price, 2) for price in 100.0 + np.random.default_rng(2).normal(0.0, 1.0, 120).cumsum()]
START = date(2020, 1, 2)


def day(row: int) -> str:
    return str(START + timedelta(days=row))


@pytest.fixture
def matrix(strades: Run, tmp_path: Path) -> Floats:
    """The daily returns of each set, from its own backtest, shape (days, sets)."""
    columns = []
    for chosen in SETS:
        words = [word for name, value in chosen.items() for word in ("--param", f"{name}={value}")]
        said = strades(
            "backtest", "sma_cross", "--bars", bar_file(tmp_path, BARS), *words, *WORDS[4:], "--no-ledger"
        ).document
        values = [1000.0, *(value for _, value in said["equity_curve"])]
        columns.append([after / before - 1.0 for before, after in pairwise(values)])
    return np.array(columns)[:, 1:].T  # on the first day nothing is held yet


def sharpe(returns: Floats) -> float:
    deviation = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / deviation if deviation > 1e-12 else 0.0


def best(returns: Floats) -> int:
    return max(range(returns.shape[1]), key=lambda k: (sharpe(returns[:, k]), -k))


def test_walk_forward_judges_each_choice_on_the_days_after_it(matrix: Floats, strades: Run, tmp_path: Path) -> None:
    words = ["--bars", bar_file(tmp_path, BARS), *WORDS, "--train", 40, "--test", 20, "--purge", 3]
    said = strades("study", "sma_cross", *words).document
    assert (said["sets"], said["days"], said["trials"], said["skipped"]) == (6, 119, 6, [])
    chosen: list[int] = []
    judged: list[Floats] = []
    for start in (40, 60, 80, 100):
        chosen.append(best(matrix[start - 40 : start - 3]))
        judged.append(matrix[start : start + 20, chosen[-1]])
    assert [split["parameters"] for split in said["splits"]] == [SETS[k] for k in chosen]
    assert len(set(chosen)) > 1
    assert (said["splits"][1]["train"], said["splits"][1]["test"]) == ([[day(20), day(56)]], [[day(60), day(79)]])
    [found] = said["out_of_sample"]
    whole = np.concatenate(judged)
    assert found["total_return"] == pytest.approx(math.prod(1.0 + whole) - 1.0, rel=1e-9)
    assert found["sharpe"] == pytest.approx(sharpe(whole) * math.sqrt(365), rel=1e-9)
    # Bailey and Lopez de Prado 2014: the best of 6 trials without skill, and the probability to be above it.
    ratios, normal = [sharpe(column) for column in matrix.T], NormalDist()
    luck = 0.5772156649015329
    most = math.sqrt(np.var(ratios, ddof=1)) * (
        (1 - luck) * normal.inv_cdf(1 - 1 / 6) + luck * normal.inv_cdf(1 - 1 / (6 * math.e))
    )
    top = matrix[:, best(matrix)]
    z = (top - top.mean()) / top.std()
    spread = 1 - (z**3).mean() * sharpe(top) + ((z**4).mean() - 1) / 4 * sharpe(top) ** 2
    deflated = normal.cdf((sharpe(top) - most) * math.sqrt((len(top) - 1) / spread))
    assert said["best"]["parameters"] == SETS[best(matrix)]
    assert said["best"]["dsr"] == pytest.approx(deflated, rel=1e-9)


def test_purged_days_and_the_embargo_are_not_chosen_on(matrix: Floats, strades: Run, tmp_path: Path) -> None:
    words = ["--bars", bar_file(tmp_path, BARS), *WORDS, "--method", "purged", "--groups", 4, "--purge", 2]
    said = strades("study", "sma_cross", *words, "--embargo", 5).document
    assert len(said["splits"]) == 6
    by_split: dict[tuple[int, int], int] = {}
    for split, (one, other) in zip(said["splits"], combinations(range(4), 2), strict=True):
        rows = set(range(119))
        for group in (one, other):
            rows -= set(range(30 * group - 2, 30 * group + 30 + 2 + 5))
        by_split[one, other] = best(matrix[sorted(rows)])
        assert split["parameters"] == SETS[by_split[one, other]]
        assert split["test"][0][0] == day(30 * one)
    assert said["splits"][1]["train"] == [[day(37), day(57)], [day(97), day(118)]]  # of groups 0 and 2
    # Of three histories the first takes each group from the first split that judged it.
    path = np.concatenate(
        [matrix[30 * k : 30 * k + 30, by_split[min(pair for pair in by_split if k in pair)]] for k in range(4)]
    )
    assert len(said["out_of_sample"]) == 3
    assert said["out_of_sample"][0]["total_return"] == pytest.approx(math.prod(1.0 + path) - 1.0, rel=1e-9)
    assert 0.0 <= said["overfitting"] <= 1.0


def test_people_read_a_table_and_sets_that_fail_are_told(strades: Run, tmp_path: Path) -> None:
    words = ["--bars", bar_file(tmp_path), "--choices", "slow=5,1", "--param", "fast=2", "--mode", "events"]
    answer = strades("study", "sma_cross", *words, "--train", 40, "--no-ledger")
    assert (answer.code, answer.err) == (0, "")
    assert "out of sample" in answer.out
    assert "skipped 1 sets, the first: sma_cross: expected 1 <= fast < slow" in answer.out


REFUSED = {
    "method": (["--method", "kfold"], "--method: expected one of walk-forward, purged, found 'kfold'"),
    "train": (["--train", "120"], "--train: expected fewer than the 119 days of the bars, found 120"),
    "short": (["--train", "1"], "--train: expected 2 or more, found 1"),
    "test": (["--test", "0"], "--test: expected 1 or more, found 0"),
    "purge": (["--train", "20", "--purge", "20"], "--purge: expected less than --train 20, found 20"),
    "embargo": (["--embargo", "-1"], "--embargo: expected 0 or more, found -1"),
    "groups": (["--method", "purged", "--groups", "80"], "--groups: expected two days in each, found 119 days"),
    "test groups": (["--test-groups", "6"], "--test-groups: expected fewer than --groups 6, found 6"),
    "nothing left": (
        ["--method", "purged", "--purge", "119"],
        "--purge: expected days to fit on in each of the splits",
    ),
    "no range": (["--choices", "fast"], "--choices: expected name=a,b, found 'fast'"),
    "twice": (["--param", "fast=3"], "--param: parameter fast: expected it there or in a range, found it in both"),
}


@pytest.mark.parametrize(("given", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_words_are_refused_in_one_line(given: list[str], told: str, strades: Run, tmp_path: Path) -> None:
    answer = strades("study", "sma_cross", "--bars", bar_file(tmp_path), "--choices", "fast=2,3", *given, *WORDS[4:])
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err
