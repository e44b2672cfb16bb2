"""When not to trade."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from strades_pipelines.market.fees import PercentFee
from strades_pipelines.strategy.events import microseconds
from strades_pipelines.strategy.tactics.tactic_registry import parse
from tests.strategy.both import ORDER, TARGET, TIMER, Outcome, bars, script_per_event, step
from tests.strategy.builders import MINUTE_US, START_US

HOUR_US = 60 * MINUTE_US


def run(spec: str, closes: Sequence[float], targets: Sequence[float], **changes: object) -> Outcome:
    opens = [closes[0], *closes[:-1]]
    rows = [(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)]
    steps = [step(n, TARGET, quantity=target) for n, target in enumerate(targets, start=1)]
    return script_per_event(bars(*rows), *steps, tactics=[parse(spec)], **changes)


def minutes(ran: Outcome) -> list[tuple[float, int]]:
    """What was decided at which bar, from 1 on."""
    return [(decision.target, (decision.time - START_US) // MINUTE_US) for decision in ran.decisions]


def test_a_cool_down_follows_a_loss_alone() -> None:
    # In at the open of bar 2, out at the open of bar 4, at 90: a loss; two closes, those of bars 4 and 5, are kept out.
    ran = run("cool-down:2", [100, 100, 90, 90, 90, 90, 90], [1, 1, 0, 1, 1, 1, 1])
    assert minutes(ran) == [(1, 1), (0, 3), (1, 4), (1, 6)]
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "accepted", "cool_down", "accepted"]
    gained = run("cool-down:2", [100, 100, 110, 110, 110, 110, 110], [1, 1, 0, 1, 1, 1, 1])
    assert minutes(gained) == [(1, 1), (0, 3), (1, 4)]


def test_a_cool_down_counts_fees_as_losses() -> None:
    ran = run("cool-down:2", [100, 100, 100, 100, 100], [1, 1, 0, 1], fee=lambda: PercentFee(0.01))
    assert [decision.outcome for decision in ran.decisions][-1] == "cool_down"


def test_while_cooling_down_a_position_that_is_turned_is_closed() -> None:
    closes = [100, 100, 90, 90, 90, 90, 90]
    # Turned at a loss into a short one, which is then to be turned back: it is closed, and opened two closes later.
    ran = run("cool-down:2", closes, [1, 1, -1, 1, 1, 1, 1])
    assert ran.done == [(1, 100), (-2, 90), (1, 90), (1, 90)]
    assert [(d.outcome, d.order) for d in ran.decisions] == [
        ("accepted", 1),
        ("accepted", 2),
        ("cool_down", 3),
        ("accepted", 4),
    ]


def test_after_the_drawdown_all_is_flat_for_good() -> None:
    # 5 at 100: 1,000 becomes 900, 10 % below the highest.
    ran = run("max-drawdown:10", [100, 100, 81, 80, 80, 120, 120], [5, 5, 5, 5, -5, 6])
    assert ran.done == [(5, 100), (-5, 80)]
    explicit = script_per_event(
        bars(*[(100,) * 4] * 2, (80,) * 4, (80,) * 4),
        step(1, TARGET, quantity=5),
        step(3, ORDER, quantity=1),
        tactics=[parse("max-drawdown:10")],
    )
    assert [decision.outcome for decision in explicit.decisions][-2:] == ["drawdown", "accepted"]


def test_no_more_positions_than_allowed_and_the_next_when_one_is_free() -> None:
    rows = [bar for i in range(3) for bar in bars(*[(100,) * 4] * 6, i=i)]
    steps = [step(1, TARGET, i=i, quantity=1, hook=TIMER) for i in range(3)]
    steps += [step(3, TARGET, i=0, quantity=0, hook=TIMER)]
    ran = script_per_event(rows, *steps, size=3, tactics=[parse("max-positions:2")])
    assert [(fill.i, fill.quantity) for fill in ran.fills] == [(0, 1), (1, 1), (0, -1), (2, 1)]
    refused = [decision for decision in ran.decisions if decision.outcome != "accepted"]
    assert [(decision.i, decision.outcome) for decision in refused] == [(2, "max_positions")]


@pytest.mark.parametrize(
    ("spec", "decided"),
    [
        ("trading-hours:02:00-04:00", (1, 2)),
        ("trading-hours:22:00-03:30", (0, 1)),
        ("trading-hours:02:00-04:00,days=wed-thu", (1, 26)),  # 2024-01-02 is a Tuesday
        ("trading-hours:22:00-03:30,days=tue", (1, 22)),  # the night from Monday on is no Tuesday's
        ("trading-hours:22:00-03:30,days=mon+sun", (0, 1)),
    ],
)
def test_a_position_is_opened_inside_of_the_hours(spec: str, decided: tuple[int, int]) -> None:
    refusals, hour = decided
    rows = bars(*[(100,) * 4] * 30, length=HOUR_US)
    ran = script_per_event(rows, step(1, TARGET, quantity=1), tactics=[parse(spec)])
    assert [decision.outcome for decision in ran.decisions] == ["trading_hours"] * refusals + ["accepted"]
    opened = datetime(2024, 1, 2, tzinfo=UTC) + timedelta(hours=hour)
    assert ran.decisions[-1].time == microseconds(opened)


def test_a_position_is_left_outside_of_the_hours_and_orders_are_refused() -> None:
    rows = bars(*[(100,) * 4] * 4, length=HOUR_US)
    steps = step(1, TARGET, quantity=1), step(2, TARGET, quantity=0), step(3, ORDER, quantity=1)
    ran = script_per_event(rows, *steps, tactics=[parse("trading-hours:01:00-02:00")])
    assert ran.done == [(1, 100), (-1, 100)]
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "accepted", "trading_hours"]


def test_before_the_opening_tactics_are_not_asked() -> None:
    ran = run("fixed:2", [100] * 4, [1, 1, 1, 1], opened_at=START_US + 2 * MINUTE_US)
    assert minutes(ran) == [(2, 2)]
