"""Regression: each strategy's backtest equals its fingerprint in fingerprints.toml."""

import pytest

from tests.strategy.library.fingerprints import Case, cases, stored_fingerprints

STORED_CASES = [case for case in cases() if case.name in stored_fingerprints()]


@pytest.mark.parametrize("case", STORED_CASES, ids=lambda case: case.name)
def test_23_backtest_equals_its_stored_fingerprint(case: Case, request: pytest.FixtureRequest) -> None:
    if case.data != "stocks":
        request.getfixturevalue("shared_data")
    computed, stored = case.compute(), dict(stored_fingerprints()[case.name])
    for name in ("max_drawdown", "sharpe"):  # numpy adds floats in an order that depends on the processor
        assert computed.pop(name) == pytest.approx(stored.pop(name), rel=1e-9)
    assert computed == stored


def test_there_is_no_fingerprint_without_a_case() -> None:
    assert set(stored_fingerprints()) <= {case.name for case in cases()}


def test_23_every_strategy_has_a_fingerprint_on_the_packaged_bars() -> None:
    """Recorded bars are not on every machine: a new strategy may lack the fingerprints on them."""
    assert {case.name for case in cases() if case.data == "stocks"} <= set(stored_fingerprints())
    assert len(stored_fingerprints()) >= 30
