import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import rankdata  # type: ignore[import-untyped]

from strades_pipelines.analysis import overfitting
from strades_pipelines.analysis.overfitting import probability_of_overfitting

NOISE = np.random.default_rng(20).normal(0, 0.01, (240, 15))


def test_equals_the_procedure_of_the_paper_step_by_step() -> None:
    found = probability_of_overfitting(NOISE, blocks=6)
    blocks = np.split(NOISE, 6)
    logits, chosen, inside, outside = [], [], [], []
    for half in combinations(range(6), 3):
        fitted = np.concatenate([blocks[k] for k in half])
        judged = np.concatenate([blocks[k] for k in range(6) if k not in half])
        ratios, other = (part.mean(axis=0) / part.std(axis=0, ddof=1) for part in (fitted, judged))
        best = int(ratios.argmax())
        relative = rankdata(other)[best] / (15 + 1)
        logits.append(math.log(relative / (1 - relative)))
        chosen.append(best)
        inside.append(ratios[best])
        outside.append(other[best])
    assert found.chosen.tolist() == chosen
    assert found.logits == pytest.approx(np.array(logits))
    assert found.in_sample == pytest.approx(np.array(inside))
    assert found.out_of_sample == pytest.approx(np.array(outside))
    assert found.probability == np.mean(np.array(logits) <= 0)
    assert found.slope == pytest.approx(np.polyfit(inside, outside, 1)[0])
    assert found.loss == np.mean(np.array(outside) < 0)


def test_a_trial_with_real_skill_is_not_overfitted() -> None:
    skilled = NOISE.copy()
    skilled[:, 4] += 0.01
    found = probability_of_overfitting(skilled, blocks=8)
    assert (found.probability, found.loss) == (0.0, 0.0)
    assert set(found.chosen) == {4}


def test_what_wins_by_making_up_for_the_other_half_is_overfitted() -> None:
    """Demeaned trials: whoever was best in one half is by as much the worst in the other."""
    assert probability_of_overfitting(NOISE - NOISE.mean(axis=0), blocks=8).probability == 1.0


def test_identical_trials_are_at_the_median() -> None:
    same = np.tile(NOISE[:, :1], 5)
    assert np.all(probability_of_overfitting(same, blocks=4).logits == 0)


def test_rows_that_fill_no_block_are_the_first_ones() -> None:
    longer = np.concatenate((NOISE[:3] * 50, NOISE))
    expected = probability_of_overfitting(NOISE, blocks=6).logits
    assert probability_of_overfitting(longer, blocks=6).logits == pytest.approx(expected)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = probability_of_overfitting(NOISE, blocks=8)
    monkeypatch.setattr(overfitting, "CHUNK", 100)
    np.testing.assert_allclose(probability_of_overfitting(NOISE, blocks=8).logits, whole.logits)


def test_a_trial_that_never_traded_has_a_ratio_of_zero() -> None:
    losing = np.abs(NOISE) * -1
    losing[:, 2] = 0
    found = probability_of_overfitting(losing, blocks=4)
    assert set(found.chosen) == {2}
    assert np.all(found.in_sample == 0)


@pytest.mark.parametrize(
    ("returns", "blocks", "message"),
    [
        (NOISE[:, :1], 4, "N of 2"),
        (NOISE, 5, "even number"),
        (NOISE[:7], 4, "even number of 2 to 3"),
        (np.where(NOISE[7, 3] == NOISE, np.nan, NOISE), 4, "was nan at row 7, trial 3"),
    ],
)
def test_bad_input_is_refused(returns: np.ndarray, blocks: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probability_of_overfitting(returns, blocks)
