import math

import numpy as np
import pytest

from strades_pipelines.analysis.sensitivity import stability


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
