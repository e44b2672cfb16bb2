"""Strategies as users write them, by a fixed seed: compiled they do what they do per event, or say why they are not."""

from collections import Counter
from pathlib import Path

import pytest

from strades_pipelines.compiler import machine
from tests.compiler import fuzz

FIRST, RUNS = 1_000_001, 500


def test_random_strategies_do_compiled_what_they_do_per_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEVEL", machine.LEVEL)  # so that it is put back, which each comparison sets
    monkeypatch.setattr(fuzz, "OPTIMIZED", 1_000_000_007)  # machine code as it comes: that takes a third of the time
    outcomes = [fuzz.compare(seed, tmp_path) for seed in range(FIRST, FIRST + RUNS)]
    different = [outcome for outcome in outcomes if outcome.result == "DIFFERENT"]
    assert not different
    counts = Counter(outcome.result for outcome in outcomes)
    assert counts["compiled"] > RUNS / 8
    assert counts["error"] > 0
