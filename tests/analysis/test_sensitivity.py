import math

import numpy as np
import pytest

from strades_pipelines.analysis.sensitivity import break_even_fee, compare, cost_table, stability
from tests.analysis.series import calendar_days, random_equity

TIMES = calendar_days("2020-01-01", 301)


def test_a_peak_that_stands_alone_is_told_from_a_plateau() -> None:
    grid = np.ones((5, 8))
    grid[1:4, 4:7] = 5
    grid[1, 1], grid[2, 5] = 9, 6
    found = stability(grid)
    assert found.best == (1, 1)
    assert found.plateau == (2, 5)
    assert found.neighbours[1, 1] == 1.0
    assert found.degradation[1, 1] == pytest.approx(8 / 9)
    assert found.degradation[2, 5] == pytest.approx((6 - 5) / 6)
    assert found.worst[2, 4] == 1.0


def test_sets_not_run_are_left_out_and_not_chosen() -> None:
    found = stability([[1.0, math.nan, 4.0]])
    assert found.neighbours[0] == pytest.approx([math.nan, 2.5, math.nan], nan_ok=True)
    assert math.isnan(found.worst[0, 0])
    assert found.best == found.plateau == (0, 2)


@pytest.mark.parametrize("shape", [(7,), (4, 5), (3, 4, 3)])
def test_neighbourhoods_equal_a_walk_over_the_grid(shape: tuple[int, ...]) -> None:
    grid = np.random.default_rng(3).normal(size=shape)
    found = stability(grid)
    for place in np.ndindex(shape):
        near = [
            grid[other]
            for other in np.ndindex(shape)
            if other != place and all(abs(a - b) <= 1 for a, b in zip(place, other, strict=True))
        ]
        assert found.neighbours[place] == pytest.approx(np.mean(near))
        assert found.worst[place] == min(near)


def test_a_grid_without_a_result_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a result"):
        stability([[math.nan]])


def test_variants_are_compared_with_the_first() -> None:
    outcomes = compare({"as it is": (TIMES[:2], [100, 120]), "without filled bars": (TIMES[:2], [100, 110])})
    assert [outcome.name for outcome in outcomes] == ["as it is", "without filled bars"]
    assert [outcome.change for outcome in outcomes] == pytest.approx([0.0, -0.1])
    assert outcomes[1].total_return == pytest.approx(0.1)


def test_costs_by_a_run_whose_answer_is_known() -> None:
    """It ends at 1 + 0.10 - 0.04 fees - 0.01 a bar of delay."""
    asked: list[tuple[float, int]] = []

    def run(factor: float, delay: int) -> tuple[np.ndarray, list[float]]:
        asked.append((factor, delay))
        return TIMES[:2], [1.0, 1.10 - 0.04 * factor - 0.01 * delay]

    outcomes = cost_table(run, fee_factors=(1, 0, 2, 5), delays=(0, 2))
    assert sorted(asked) == sorted((f, d) for f in (0, 1, 2, 5) for d in (0, 2))
    by_case = {(o.fee_factor, o.delay_bars): o for o in outcomes}
    assert by_case[2, 2].total_return == pytest.approx(0.0)
    assert by_case[5, 0].change == pytest.approx(-0.16)
    assert outcomes[0].change == 0.0
    assert break_even_fee(outcomes) == pytest.approx(2.5)


def test_what_never_breaks_even_has_no_such_factor() -> None:
    outcomes = cost_table(lambda factor, delay: (TIMES, random_equity(1, 300, mean=0.01)), fee_factors=(0, 1))
    assert math.isnan(break_even_fee(outcomes))
