import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from strades_pipelines.analysis.trials import FileTrialLedger, Trial, TrialLedger, sharpes

TRIAL = Trial("data1", "code1", "sma_cross", {"fast": 5, "slow": 20}, 0.05, 250, {"fee": "percent:0.1"}, 252, 0.1, 77)


def variants(count: int, **changes: object) -> list[Trial]:
    return [replace(TRIAL, parameters={"fast": k}, **changes) for k in range(count)]  # type: ignore[arg-type]


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    ledger: TrialLedger = FileTrialLedger(tmp_path / "trials")
    assert ledger.record([TRIAL]) == 1
    assert ledger.of_data("data1") == [TRIAL]
    assert ledger.of_data("data2") == []


def test_a_rerun_is_not_a_new_trial_whatever_it_gave(tmp_path: Path) -> None:
    ledger = FileTrialLedger(tmp_path)
    ledger.record([TRIAL, TRIAL])
    reordered = replace(TRIAL, parameters={"slow": 20, "fast": 5}, sharpe=0.9, recorded_at=99)
    assert ledger.record([reordered]) == 0
    assert ledger.of_data("data1") == [TRIAL]


@pytest.mark.parametrize(
    "other",
    [
        replace(TRIAL, code_hash="code2"),
        replace(TRIAL, parameters={"fast": 6, "slow": 20}),
        replace(TRIAL, options={"fee": "percent:0.2"}),
    ],
    ids=["code", "parameters", "options"],
)
def test_other_code_parameters_or_options_are_a_new_trial(tmp_path: Path, other: Trial) -> None:
    ledger = FileTrialLedger(tmp_path)
    assert ledger.record([TRIAL, other]) == 2
    assert len(FileTrialLedger(tmp_path).of_data("data1")) == 2


def test_data_sets_are_apart(tmp_path: Path) -> None:
    ledger = FileTrialLedger(tmp_path)
    assert ledger.record([TRIAL, replace(TRIAL, data_hash="data2")]) == 2
    assert [len(ledger.of_data(name)) for name in ("data1", "data2")] == [1, 1]


def test_a_ratio_that_is_not_a_number_counts_as_a_trial_without_one(tmp_path: Path) -> None:
    ledger = FileTrialLedger(tmp_path)
    ledger.record([replace(TRIAL, sharpe=float("nan"))])
    assert sharpes(ledger.of_data("data1")) == [None]
    assert all(json.loads(line) for line in (tmp_path / "data1.jsonl").read_text().splitlines())


def test_a_time_is_put_on_what_has_none(tmp_path: Path) -> None:
    ledger = FileTrialLedger(tmp_path)
    ledger.record([replace(TRIAL, recorded_at=0)])
    assert ledger.of_data("data1")[0].recorded_at > 1_700_000_000_000_000


def test_a_line_that_a_crash_cut_short_is_passed_over_and_kept_apart(tmp_path: Path) -> None:
    ledger = FileTrialLedger(tmp_path)
    ledger.record(variants(2))
    file = tmp_path / "data1.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert ledger.of_data("data1") == variants(1)
    assert ledger.record(variants(3)) == 2
    assert [trial.parameters["fast"] for trial in ledger.of_data("data1")] == [0, 1, 2]


def append(folder: Path, worker: int) -> None:
    ledger = FileTrialLedger(folder)
    for trial in variants(20):
        ledger.record([trial, replace(trial, code_hash=f"worker{worker}")])


def test_processes_at_once_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=append, args=(tmp_path, k)) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    found = FileTrialLedger(tmp_path).of_data("data1")
    assert len(found) == len({trial.key for trial in found}) == 20 + 3 * 20


@pytest.mark.parametrize("name", ["../up", "", "a/b", "a.b"])
def test_a_name_that_is_no_hash_makes_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="data_hash"):
        FileTrialLedger(tmp_path).record([replace(TRIAL, data_hash=name)])
