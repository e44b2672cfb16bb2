"""The ids of decisions and intents: functions of their place in time, and of nothing that differs in a second run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strades_pipelines.market.order_terms import TradingDecision

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
DECISION = TradingDecision("paper", "sma_cross", 0, 11, AT, "prediction", "FORECAST-1", 0, 0.0, 2.0, "why", {})


def test_what_triggered_a_decision_and_what_it_says_are_not_in_its_id() -> None:
    """A forecast that is made again has another id; the decision for that instant is the same one."""
    again = replace(DECISION, trigger_id="FORECAST-2", target=0.0, reason="another", inputs={"x": 1})
    assert (again.decision_id, again.intent_id()) == (DECISION.decision_id, DECISION.intent_id())


@pytest.mark.parametrize(
    "change",
    [
        {"wallet": "other"},
        {"strategy": "other"},
        {"listing_id": 12},
        {"decided_at": AT + timedelta(microseconds=1)},
        {"ordinal": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_decision_of_another_place_has_other_ids(change: dict[str, object]) -> None:
    other = replace(DECISION, **change)  # type: ignore[arg-type]
    assert other.decision_id != DECISION.decision_id
    assert other.intent_id() != DECISION.intent_id()


def test_each_leg_of_a_decision_has_an_intent_of_its_own() -> None:
    assert len({DECISION.decision_id, DECISION.intent_id(0), DECISION.intent_id(1)}) == 3
