import threading
from typing import Any

import numpy as np
import pytest

from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy import Strategy


def test_parameters_are_the_declared_attributes() -> None:
    assert SmaCross(slow=40).parameters == {"fast": 10, "slow": 40, "size": 1.0}
    assert SmaCross.slow == 30


def test_a_whole_number_will_do_for_a_float() -> None:
    assert SmaCross(size=2).parameters["size"] == 2.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fsat": 3}, "sma_cross: parameter fsat: expected one of fast, slow, size"),
        ({"fast": 2.5}, "sma_cross: parameter fast: expected int, was 2.5"),
        ({"fast": True}, "sma_cross: parameter fast: expected int, was True"),
        ({"name": "x"}, "sma_cross: parameter name: expected one of"),
        ({"fast": 30}, "expected 1 <= fast < slow, was fast 30 and slow 30"),
        ({"fast": 0}, "expected 1 <= fast < slow, was fast 0 and slow 30"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SmaCross(**parameters)


def test_a_strategy_says_what_it_reads() -> None:
    assert (SmaCross().lookback, SmaCross().models) == (30, ())
    assert (FollowPrediction(model="m").lookback, FollowPrediction(model="m").models) == (0, ("m",))


class Remembers:
    seen: list[float] = []  # noqa: RUF012 (it is what users write)


class Mixed(Strategy, Remembers):
    window = np.zeros(2)
    levels: list[float] = [1.0]  # noqa: RUF012
    limit: float | None = None


def test_each_object_has_its_own_lists_and_arrays_of_mixins_and_of_its_class() -> None:
    first, second = Mixed(), Mixed()
    first.seen.append(1.0)
    first.window[0] = 1.0
    assert (first.parameters["levels"], first.limit) == ([1.0], None)
    assert (second.seen, Remembers.seen, second.window.tolist()) == ([], [], [0.0, 0.0])


def test_a_list_that_cannot_be_copied_is_named_in_one_line() -> None:
    class Locked(Strategy):
        locks = [threading.Lock()]  # noqa: RUF012

    with pytest.raises(ValueError, match=r"^Locked: locks cannot be copied for each run .*; make it in on_start$"):
        Locked()
