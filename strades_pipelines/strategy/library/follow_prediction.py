"""Doing what a model says."""

from typing import ClassVar

from strades_pipelines.market.events import Event, Prediction
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.strategy import Explanation, Strategy


class FollowPrediction(Strategy):
    """Hold `size` units of a listing while the forecast of `model` for it is above `threshold`."""

    name: ClassVar[str] = "follow_prediction"
    model: str = "ridge"
    threshold: float = 0.0
    size: float = 1.0

    @property
    def models(self) -> tuple[str, ...]:
        """The one model."""
        return (self.model,)

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        """Long above the threshold, flat otherwise."""
        account.target[prediction.i] = self.size if prediction.value > self.threshold else 0.0

    def explain(self, event: Event, i: int) -> Explanation:
        """The forecast and the threshold."""
        assert isinstance(event, Prediction)
        relation = "above" if event.value > self.threshold else "not above"
        numbers = {"forecast": event.value, "threshold": self.threshold}
        return Explanation(f"forecast of {event.name} {relation} the threshold", numbers, event.content_id)
