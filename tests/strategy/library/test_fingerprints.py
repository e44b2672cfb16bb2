"""Nothing changes unnoticed: each case as it is in fingerprints.toml."""

import pytest

from tests.strategy.library.fingerprints import Case, cases, known


@pytest.mark.parametrize("case", [case for case in cases() if case.name in known()], ids=lambda case: case.name)
def test_23_as_it_was(case: Case, request: pytest.FixtureRequest) -> None:
    if case.data != "stocks":
        request.getfixturevalue("shared_data")
    taken, kept = case.take(), dict(known()[case.name])
    for name in ("max_drawdown", "sharpe"):  # sums whose order is the processor's business
        assert taken.pop(name) == pytest.approx(kept.pop(name), rel=1e-9)
    assert taken == kept


def test_there_is_no_fingerprint_without_a_case() -> None:
    assert set(known()) <= {case.name for case in cases()}


def test_23_every_strategy_has_one_on_the_packaged_bars() -> None:
    """Those on recorded bars are taken where these are at hand: a new strategy may lack them."""
    assert {case.name for case in cases() if case.data == "stocks"} <= set(known())
    assert len(known()) >= 30
