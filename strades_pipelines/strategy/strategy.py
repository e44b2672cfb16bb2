"""What a strategy is: parameters, hooks, and a word on why."""

from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, get_origin, get_type_hints

import numpy as np

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    Article,
    Bar,
    BarRevision,
    CorporateAction,
    Fill,
    Gap,
    OrderChange,
    Prediction,
    Quote,
    Trade,
)

# Kinds of class attributes of which each strategy gets a copy of its own.
CHANGEABLE = (list, dict, set, bytearray, deque, np.ndarray)


@dataclass(frozen=True)
class Explanation:
    """Why a target was changed: a sentence, and the numbers the rule compared."""

    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


class Strategy:
    """A subclass declares its parameters as annotated class attributes and overrides the hooks it needs.

    A hook may use the event, the strategy's own state and the account, nothing else; it acts by writing
    `account.target[i]` or by `account.order(...)`. Hooks over numbers and fixed lists are compiled for backtests.
    """

    name: ClassVar[str] = ""

    def __init__(self, **parameters: Any) -> None:
        """Set the parameters.

        Raises:
            ValueError: for a parameter that is not declared, or a value of another type.
        """
        for name, value in _class_state(type(self)):  # type: ignore[arg-type]  # a class is hashable
            try:
                setattr(self, name, deepcopy(value))
            except Exception as error:
                said = f"cannot be copied for each run ({error}); make it in on_start"
                raise ValueError(f"{self.title()}: {name} {said}") from None
        declared = self.declared()
        for name in parameters:
            if name not in declared:
                known = ", ".join(declared) or "none"
                raise ValueError(f"{self.title()}: parameter {name}: expected one of {known}")
        for name, kind in declared.items():
            value = parameters.get(name, getattr(self, name, None))
            setattr(self, name, _typed(f"{self.title()}: parameter {name}", value, kind))

    @classmethod
    def title(cls) -> str:
        """The name people call it by."""
        return cls.name or cls.__name__

    @classmethod
    def declared(cls) -> dict[str, type]:
        """The parameters and their types, in the order they are declared."""
        return dict(_declared(cls))  # type: ignore[arg-type]  # of a class that is a parameter itself

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters."""
        return {name: getattr(self, name) for name in self.declared()}

    @property
    def lookback(self) -> int:
        """How many bars of an instrument a decision reads: its warm-up, and the window noted with each decision."""
        return 0

    @property
    def trade_window(self) -> float:
        """How many seconds of trades a decision reads: its warm-up, and the window noted with each decision."""
        return 0.0

    @property
    def quote_window(self) -> float:
        """How many seconds of quotes a decision reads: its warm-up, and the window noted with each decision."""
        return 0.0

    @property
    def article_window(self) -> float:
        """How many seconds of news a decision reads: its warm-up, and the articles noted with each decision."""
        return 0.0

    @classmethod
    def hears(cls, hook: str) -> bool:
        """Whether it has a hook of that name: only then are the records of it read."""
        return getattr(cls, hook) is not getattr(Strategy, hook)

    @classmethod
    def hears_trades(cls) -> bool:
        """Whether it has `on_trade`."""
        return cls.hears("on_trade")

    @classmethod
    def hears_streams(cls) -> bool:
        """Whether it has `on_trade` or `on_quote`, and so decides as soon as a stream has brought something."""
        return cls.hears_trades() or cls.hears("on_quote")

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the forecasts it wants to see."""
        return ()

    def explain(self, event: Any, i: int) -> Explanation:
        """Why the target of instrument `i` was changed on `event`; asked only when it was, never in compiled runs."""
        return Explanation(f"{self.title()} on {type(event).__name__.lower()}")

    def on_start(self, account: Account) -> None:
        """Before the first event: the place to make state, once the number of instruments is known."""

    def on_trade(self, trade: Trade, account: Account) -> None:
        """A trade of others."""

    def on_quote(self, quote: Quote, account: Account) -> None:
        """A new best bid and ask."""

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """A final bar, at its close; fills in it came before."""

    def on_bar_revision(self, bar: BarRevision, account: Account) -> None:
        """A past bar has another value now."""

    def on_gap(self, gap: Gap, account: Account) -> None:
        """Bars are missing."""

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        """A forecast of one of `models`."""

    def on_article(self, article: Article, account: Account) -> None:
        """News."""

    def on_corporate_action(self, action: CorporateAction, account: Account) -> None:
        """A split, a dividend or the end of a listing; the account holds it already."""

    def on_order(self, change: OrderChange, account: Account) -> None:
        """An order came into another state."""

    def on_fill(self, fill: Fill, account: Account) -> None:
        """A part of an order was done; the account holds it already."""

    def on_timer(self, time: int, account: Account) -> None:
        """Once, when every event of `time` is in: the place for rules across instruments."""

    def on_stop(self, account: Account) -> None:
        """After the last event; what is asked for here is not taken up."""


@cache
def _class_state(cls: type) -> tuple[tuple[str, Any], ...]:
    """What a class holds that can change, by name: each object has its own, or the runs of a sweep would share it."""
    found = {
        name: value
        for base in reversed(cls.__mro__)  # mixins too, which may stand behind Strategy
        if base is not Strategy
        for name, value in vars(base).items()
        if not name.startswith("__")
    }
    return tuple((name, value) for name, value in found.items() if isinstance(value, CHANGEABLE))


@cache
def _declared(cls: Any) -> dict[str, type]:
    return {name: hint for name, hint in get_type_hints(cls).items() if get_origin(hint) is not ClassVar}


def _typed(where: str, value: Any, expected: type) -> Any:
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not _is_a(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise ValueError(f"{where}: expected {getattr(expected, '__name__', expected)}, was {value!r}")
    return value


def _is_a(value: Any, expected: Any) -> bool:
    """Whether a value is of a type; of `list[float]` it is told that it is a list, of `Literal` nothing."""
    try:
        return isinstance(value, expected)
    except TypeError:
        origin = get_origin(expected)
        return isinstance(value, origin) if isinstance(origin, type) else True
