from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from strades_pipelines.analysis.trials import FileTrialLedger, Trial, TrialLedger
from strades_pipelines.brokerage.trial_store import DatabaseTrialLedger

NOON = 1_700_000_000_000_000


def trial(fast: int, *, data: str = "data", at: int = NOON) -> Trial:
    return Trial(data, "code", "sma_cross", {"fast": fast}, 0.1 * fast, 250, {"fee": "none"}, 252.0, 0.2, at)


def test_a_rerun_is_no_new_trial_and_every_other_one_counts(database_url: str) -> None:
    ledger = DatabaseTrialLedger(database_url)
    assert ledger.record([trial(1), trial(2, at=NOON + 1)]) == 2
    assert ledger.record([trial(2, at=NOON + 5), trial(3, at=NOON + 2)]) == 1
    assert ledger.record([trial(1, data="other")]) == 1
    assert ledger.record([]) == 0
    assert ledger.of_data("data") == [trial(1), trial(2, at=NOON + 1), trial(3, at=NOON + 2)]
    assert ledger.of_data("nothing") == []


def test_it_gives_what_the_file_gives(database_url: str, tmp_path: Path) -> None:
    trials = [trial(n, at=NOON + n) for n in range(5)]
    ledgers: list[TrialLedger] = [DatabaseTrialLedger(database_url), FileTrialLedger(tmp_path)]
    assert [ledger.record(trials) for ledger in ledgers] == [5, 5]
    assert ledgers[0].of_data("data") == ledgers[1].of_data("data")


def test_many_writers_at_once_lose_nothing_and_double_nothing(database_url: str) -> None:
    ledger = DatabaseTrialLedger(database_url)
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda _: ledger.record([trial(n) for n in range(20)]), range(4)))
    assert sum(new) == 20
    assert len(ledger.of_data("data")) == 20
