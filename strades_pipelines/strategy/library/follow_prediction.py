"""Doing what a model says."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Prediction
from strades_pipelines.strategy.strategy import Explanation, Strategy


class FollowPrediction(Strategy):
    """Hold `size` units of an instrument while the forecast of `model` for it is above `threshold`."""

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

    def explain(self, event: Any, i: int) -> Explanation:
        """The forecast and the threshold."""
        relation = "above" if event.value > self.threshold else "not above"
        numbers = {"forecast": event.value, "threshold": self.threshold}
        return Explanation(f"forecast of {self.model} {relation} the threshold", numbers)
