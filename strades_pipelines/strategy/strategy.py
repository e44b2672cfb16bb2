"""What a strategy is: parameters, hooks, and a word on why."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, get_origin, get_type_hints

from strades_pipelines.market.events import Bar, Event, Fill, Prediction
from strades_pipelines.strategy.account import Account


@dataclass(frozen=True)
class Explanation:
    """Why a target was changed: a sentence, the numbers the rule compared, the forecast it read."""

    reason: str
    numbers: dict[str, float] = field(default_factory=dict)
    prediction_id: str | None = None


class Strategy:
    """A subclass declares its parameters as annotated class attributes and overrides the hooks it needs.

    A hook may use the event, the strategy's own state and the account, nothing else; it acts by writing
    `account.target[i]`.
    """

    name: ClassVar[str] = ""

    def __init__(self, **parameters: Any) -> None:
        """Set the parameters.

        Raises:
            ValueError: for a parameter that is not declared, or a value of another type.
        """
        declared = self.declared()
        for name, value in parameters.items():
            if name not in declared:
                raise ValueError(f"{self.name}: parameter {name}: expected one of {', '.join(declared)}")
            setattr(self, name, _typed(f"{self.name}: parameter {name}", value, declared[name]))

    @classmethod
    def declared(cls) -> dict[str, type]:
        """The parameters and their types, in the order they are declared."""
        return {name: hint for name, hint in get_type_hints(cls).items() if get_origin(hint) is not ClassVar}

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters."""
        return {name: getattr(self, name) for name in self.declared()}

    @property
    def lookback(self) -> int:
        """How many bars of a listing a decision reads: its warm-up, and the window noted with each decision."""
        return 0

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the forecasts it wants to see."""
        return ()

    def explain(self, event: Event, i: int) -> Explanation:
        """Why the target of listing `i` was changed on `event`; asked only when it was."""
        return Explanation(f"{self.name} on {event.kind}")

    def on_start(self, account: Account) -> None:
        """Before the first event."""

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """A final bar, at its close; fills at its open came before."""

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        """A forecast of one of `models`."""

    def on_fill(self, fill: Fill, account: Account) -> None:
        """An order was filled; the account holds it already."""

    def on_timer(self, time: datetime, account: Account) -> None:
        """Once, when every event of `time` is in: the place for rules across listings."""

    def on_stop(self, account: Account) -> None:
        """After the last event; targets set here are not taken up."""


def _typed(where: str, value: Any, expected: type) -> Any:
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise ValueError(f"{where}: expected {expected.__name__}, was {value!r}")
    return value
