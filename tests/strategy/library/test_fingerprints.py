"""Nothing changes unnoticed: each case as it is in fingerprints.toml."""

import pytest

from tests.strategy.library.fingerprints import Case, cases, known


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_as_it_was(case: Case, request: pytest.FixtureRequest) -> None:
    if case.data != "stocks":
        request.getfixturevalue("shared_data")
    taken, kept = case.take(), known()[case.name]
    for name in ("max_drawdown", "sharpe"):  # sums whose order is the processor's business
        assert taken.pop(name) == pytest.approx(kept.pop(name), rel=1e-9)
    assert taken == kept


def test_there_is_no_fingerprint_without_a_case() -> None:
    assert set(known()) == {case.name for case in cases()}
    assert len(known()) >= 30
