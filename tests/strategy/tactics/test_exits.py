"""Exits on closes, against bars worked through by hand."""

from collections.abc import Sequence

import pytest

from strades_pipelines.strategy.events import CorporateAction
from strades_pipelines.strategy.tactics.tactic_registry import parse
from tests.strategy.both import TARGET, Outcome, bars, script_per_event, step
from tests.strategy.builders import MINUTE_US, START_US


def held(spec: str, closes: Sequence[float], targets: Sequence[float], **changes: object) -> Outcome:
    """Bars that open at the close before, and a target that is set on each of them."""
    opens = [closes[0], *closes[:-1]]
    rows = [(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)]
    steps = [step(n, TARGET, quantity=target) for n, target in enumerate(targets, start=1)]
    return script_per_event(bars(*rows), *steps, tactics=[parse(spec)], **changes)


@pytest.mark.parametrize(
    ("spec", "closes", "side", "left_at"),
    [
        ("stop-loss:5", [100, 99, 96, 95, 94, 90], 1, 95),  # 95 is 5 % below 100
        ("stop-loss:5", [100, 101, 104, 105, 106, 110], -1, 105),
        ("take-profit:5", [100, 101, 104.9, 105, 99, 90], 1, 105),
        ("take-profit:5", [100, 99, 95.1, 95, 99, 110], -1, 95),
        ("trailing-stop:10", [100, 120, 109, 108, 90, 90], 1, 108),  # 108 is 10 % below 120
        ("trailing-stop:10", [100, 80, 87, 88, 90, 90], -1, 88),
        ("trailing-stop:10", [100, 95, 90, 95, 90, 90], 1, 90),
    ],
)
def test_a_position_is_left_after_the_close_that_reaches_it(
    spec: str, closes: list[float], side: int, left_at: float
) -> None:
    ran = held(spec, closes, [side] * 6)
    # Entered at the open of the second bar, 100; the close is the next bar's open.
    assert ran.done == [(side, 100), (-side, left_at)]


def test_after_an_exit_the_target_is_flat_until_the_strategy_changes_its_direction() -> None:
    closes = [100, 100, 90, 100, 100, 100, 100]
    assert held("stop-loss:5", closes, [1, 1, 1, 2, 3, 4]).done == [(1, 100), (-1, 90)]
    assert held("stop-loss:5", closes, [1, 1, 1, 0, 1, 1]).done == [(1, 100), (-1, 90), (1, 100)]
    assert held("stop-loss:5", closes, [1, 1, 1, -1, -1, -1]).done == [(1, 100), (-1, 90), (-1, 100)]


def test_a_strategy_that_turns_on_the_very_bar_is_followed() -> None:
    assert held("stop-loss:5", [100, 100, 90, 90], [1, 1, -1]).done == [(1, 100), (-2, 90)]


def test_each_new_position_has_a_trailing_stop_of_its_own() -> None:
    closes = [100, 150, 150, 100, 95, 92, 89, 89]
    ran = held("trailing-stop:10", closes, [1, 1, 0, 1, 1, 1, 1])
    # The second one is entered at 100 with its best close there, not at 150: 90 is what ends it.
    assert ran.done == [(1, 100), (-1, 150), (1, 100), (-1, 89)]


def test_a_split_is_no_loss() -> None:
    split = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 2.0, 0.0, 0.0)
    for spec in ("stop-loss:5", "trailing-stop:5", "take-profit:5"):
        events = [*bars((100,) * 4, (100,) * 4), split, *bars((50,) * 4, (50,) * 4, start=START_US + 3 * MINUTE_US)]
        assert script_per_event(events, step(1, TARGET, quantity=1), tactics=[parse(spec)]).done == [(1, 100)]


def test_several_tactics_work_together() -> None:
    tactics = [parse("percent:50"), parse("stop-loss:5"), parse("take-profit:20")]
    closes = [100, 100, 90, 100, 100, 130, 130]
    steps = [step(n, TARGET, quantity=target) for n, target in enumerate([1, 1, 1, 0, 1, 1, 1], start=1)]
    rows = [(o, max(o, c), min(o, c), c) for o, c in zip([100, *closes[:-1]], closes, strict=True)]
    ran = script_per_event(bars(*rows), *steps, tactics=tactics)
    # 5 at 100, out at 90 with 950 left; half of it is 4.75, out at 130.
    assert ran.done == [(5, 100), (-5, 90), (4.75, 100), (-4.75, 130)]
