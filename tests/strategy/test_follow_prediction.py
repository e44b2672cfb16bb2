from strades_pipelines.market.events import Prediction
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from tests.strategy.builders import MINUTE, START, make_bars, run


def forecast(minute: int, value: float) -> Prediction:
    return Prediction(0, 1, f"P{minute}", "ridge", value, START + minute * MINUTE)


def test_it_is_long_above_the_threshold_and_flat_otherwise() -> None:
    forecasts = [forecast(1, 0.01), forecast(2, 0.02), forecast(3, 0.001)]
    bars = make_bars([10, 11, 12, 13, 14])
    ran = run(FollowPrediction(model="ridge", threshold=0.001, size=3.0), [*bars, *forecasts])
    assert [(fill.side, fill.filled_at, float(fill.price)) for fill in ran.journal.fills] == [
        ("buy", START + MINUTE, 10.0),
        ("sell", START + 3 * MINUTE, 12.0),
    ]


def test_its_decisions_name_the_forecast() -> None:
    ran = run(FollowPrediction(), [*make_bars([10, 11]), forecast(1, 0.01)])
    (decision,) = ran.journal.decisions
    assert (decision.trigger_kind, decision.trigger_id) == ("prediction", "P1")
    assert decision.inputs == {
        "trigger": {"kind": "prediction", "id": "P1"},
        "prediction_id": "P1",
        "numbers": {"forecast": 0.01, "threshold": 0.0},
    }
    assert decision.reason == "forecast of ridge above the threshold"
