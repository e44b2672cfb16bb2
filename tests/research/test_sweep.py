"""`strades sweep`: its document, its table, its heat map, its trials, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.research.bars import Run, bar_file
from tests.waiting import MOMENT

WORDS = ["sweep", "sma_cross", "--range", "fast=2:5", "--range", "slow=3:11:4", "--cash", "1000"]


def test_sets_come_best_first_and_equal_single_runs(strades: Run, tmp_path: Path) -> None:
    bars = bar_file(tmp_path)
    said = strades(*WORDS, "--bars", bars, "--fee", "percent:0.1", "--json").document
    done = [row["parameters"] for row in said["sets"]]
    assert sorted(map(str, done)) == sorted(
        str({"fast": fast, "slow": slow}) for fast in (2, 3, 4) for slow in (3, 7) if fast < slow
    )
    assert [row["parameters"] for row in said["skipped"]] == [{"fast": 3, "slow": 3}, {"fast": 4, "slow": 3}]
    assert "expected 1 <= fast < slow" in said["skipped"][0]["reason"]
    ratios = [row["sharpe"] for row in said["sets"]]
    assert ratios == sorted(ratios, reverse=True)
    for row in said["sets"]:
        given = [word for name, value in row["parameters"].items() for word in ("--param", f"{name}={value}")]
        alone = strades(
            "backtest", "sma_cross", *given, "--bars", bars, "--cash", 1000, "--fee", "percent:0.1", "--json"
        )
        assert row["equity"] == alone.document["equity"]
        assert row["fills"] == len(alone.document["fills"])
        assert row["drawdown"] == pytest.approx(-alone.document["statistics"]["max_drawdown"], abs=1e-12)
        assert row["sharpe"] == pytest.approx(alone.document["statistics"]["sharpe"], rel=1e-9)


POWERS = """
from strades_pipelines.strategy.strategy import Strategy


class Powers(Strategy):
    base: int = 1

    def on_start(self, account):
        self.power = 1

    def on_aggregate_bar(self, bar, account):
        self.power = self.power * self.base
        account.target[bar.i] = float(self.power % 3)
"""


def test_a_set_that_leaves_64_bits_goes_on_per_event_and_the_others_compiled(strades: Run, tmp_path: Path) -> None:
    (tmp_path / "powers.py").write_text(POWERS)
    words = ["sweep", tmp_path / "powers.py", "--choices", "base=1,2,7", "--bars", bar_file(tmp_path), "--json"]
    said, events = (strades(*words, "--mode", mode).document for mode in ("auto", "events"))
    assert (said["mode"], events["mode"]) == ("compiled", "events")
    assert said["sets"] == events["sets"]
    refused = strades(*words, "--mode", "compiled")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "an integer of more than 64 bits" in refused.err


def test_sorting_by_another_figure(strades: Run, tmp_path: Path) -> None:
    words = [*WORDS, "--bars", bar_file(tmp_path), "--json", "--sort"]
    falls = [row["drawdown"] for row in strades(*words, "drawdown").document["sets"]]
    assert falls == sorted(falls)
    fills = [row["fills"] for row in strades(*words, "fills").document["sets"]]
    assert fills == sorted(fills, reverse=True)


def test_every_set_is_a_trial_and_so_is_none_twice(home: Path, strades: Run, tmp_path: Path) -> None:
    words = [*WORDS, "--bars", bar_file(tmp_path), "--json"]
    assert [strades(*words).document["trials"] for _ in range(2)] == [4, 4]
    single = strades("backtest", "sma_cross", "--bars", bar_file(tmp_path), "--json", "--cash", 1000).document
    assert single["worth"]["trials"] == 5
    [file] = (home / "trials").glob("*.jsonl")
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert {"fast": 4, "slow": 7, "size": 1.0} in [trial["parameters"] for trial in kept]


def test_the_table_shows_the_best_the_map_and_what_was_skipped(strades: Run, tmp_path: Path) -> None:
    said = strades(*WORDS, "--bars", bar_file(tmp_path)).out
    assert "6 sets in" in said
    assert "sharpe over fast (down) and slow (across)" in said
    assert "after 4 trials on these data" in said
    assert "skipped 2 sets, the first: sma_cross: expected 1 <= fast < slow, was fast 3 and slow 3" in said


def test_the_page_holds_the_heat_map_and_fetches_nothing(strades: Run, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    words = [*WORDS, "--choices", "size=1,2", "--bars", bar_file(tmp_path), "--sort", "equity", "--html", page]
    assert strades(*words).code == 0
    text = page.read_text()
    assert "equity of 12 sets" in text
    assert "heatmap" in text
    assert "<script src=" not in text
    assert [path.name for path in tmp_path.glob(".map*")] == []


def test_one_parameter_is_a_column(strades: Run, tmp_path: Path) -> None:
    words = ["sweep", "sma_cross", "--choices", "slow=5,9,30", "--param", "fast=2", "--bars", bar_file(tmp_path)]
    answer = strades(*words, "--jobs", 2, "--no-ledger")
    assert answer.code == 0
    assert "sharpe over slow (down)\n" in answer.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "expected --range name=start:stop:step or --choices"),
        (["--range", "fast=1:9", "--param", "fast=3"], "parameter fast: expected it there or in a range"),
        (["--range", "fast=1:9", "--sort", "beauty"], "--sort: expected one of sharpe, equity, drawdown, fills"),
        (["--range", "fast=1:9", "--jobs", "0"], "--jobs: expected 1 or more"),
        (["--range", "fast=40:50"], "expected a set that sma_cross takes, found none: sma_cross: expected 1 <= fast"),
        (["--range", "fats=1:9"], "parameter fats: expected one of fast, slow, size"),
        (["--range", "fast=1:9", "--html", "gone/map.html"], "gone/map.html: expected a folder"),
        (["--range", "fast=1:9", "--fee", "x"], "fee: expected one of"),
    ],
)
def test_bad_words_are_refused_in_one_line(
    words: list[str], told: str, strades: Run, tmp_path: Path, home: Path
) -> None:
    answer = strades("sweep", "sma_cross", *words, "--bars", bar_file(tmp_path), "--json")
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert answer.err.count("\n") == 1
    assert not (home / "trials").exists()


def test_a_sweep_over_processes_told_to_stop_ends_with_its_workers(tmp_path: Path) -> None:
    command = long_sweep(tmp_path)
    environment = {**os.environ, "STRADES_HOME": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    workers = workers_of(psutil.Process(process.pid))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, error = process.communicate(timeout=MOMENT)
    assert process.returncode == 128 + signal.SIGINT
    assert error.endswith("strades: stopped by SIGINT; what is stored stays, and the next run goes on from there\n")
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(workers, timeout=MOMENT)
    assert alive == []


def test_workers_of_a_sweep_that_is_killed_end_with_it(tmp_path: Path) -> None:
    environment = {**os.environ, "STRADES_HOME": str(tmp_path)}
    process = subprocess.Popen(long_sweep(tmp_path), env=environment, stderr=subprocess.DEVNULL)
    workers = workers_of(psutil.Process(process.pid))
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=MOMENT)
    assert alive == []


def long_sweep(folder: Path) -> list[str]:
    """A sweep of some 60,000 sets, per event: a quick machine is done with 2,000 in a second."""
    words = ["sweep", "sma_cross", "--range", "fast=1:250", "--range", "slow=251:500", "--mode", "events"]
    return [sys.executable, "-m", "strades_pipelines.cli", *words, "--bars", str(bar_file(folder))]


def workers_of(sweep: psutil.Process) -> list[psutil.Process]:
    """The processes that run sets, once they have begun to."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        workers = [child for child in sweep.children() if "spawn_main" in " ".join(child.cmdline())]
        if len(workers) > 1 and all(worker.cpu_times().user > 1 for worker in workers):
            return workers
        time.sleep(0.1)
    raise AssertionError("the sweep started no workers")
