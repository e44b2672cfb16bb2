from strades_pipelines.strategy.events import Prediction
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from tests.strategy.builders import MINUTE_US, START_US, make_bars, run


def forecast(minute: int, value: float) -> Prediction:
    return Prediction(0, START_US + minute * MINUTE_US, value, 0.0)


def test_it_is_long_above_the_threshold_and_flat_otherwise() -> None:
    forecasts = [forecast(1, 0.01), forecast(2, 0.02), forecast(3, 0.001)]
    bars = make_bars([10, 11, 12, 13, 14])
    ran = run(FollowPrediction(model="ridge", threshold=0.001, size=3.0), [*bars, *forecasts])
    assert [(fill.quantity, fill.filled_at, round(fill.price, 9)) for fill in ran.fills] == [
        (3.0, START_US + MINUTE_US, 10.0),
        (-3.0, START_US + 3 * MINUTE_US, 12.0),
    ]
