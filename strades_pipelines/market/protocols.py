"""What a session is given. Backtest, replay, paper and live differ only in these."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from strades_pipelines.market.books import Books
from strades_pipelines.market.events import Event, Fill
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import TradingDecision


class Feed(Protocol):
    """What happened, as it became known."""

    @property
    def listings(self) -> Sequence[Listing]:
        """The listings by the index that events carry."""
        ...

    def events(self) -> Iterable[Event]:
        """The events in their total order."""
        ...


class Clock(Protocol):
    """How far the session may go."""

    def has_reached(self, time: datetime) -> bool:
        """Whether what is known at `time` may be seen."""
        ...


class Broker(Protocol):
    """Where the targets go, and where the fills come from."""

    books: Books

    def report(self, event: Event) -> Iterable[Fill]:
        """The fills that come with the event; the books hold each of them when it is given."""
        ...

    def pursue(self, decision: TradingDecision, prices: Sequence[float]) -> None:
        """Make for the decision's target; `prices` are the last closes by index, NaN where none is known."""
        ...


class State(Protocol):
    """Whose session it is, and where it writes down what came of it."""

    wallet: str
    opened_at: datetime
    strategy: Any

    def decided(self, decision: TradingDecision) -> None:
        """Keep a decision."""
        ...

    def filled(self, fill: Fill) -> None:
        """Keep a fill."""
        ...

    def valued(self, time: datetime, cash: float, equity: float, prices: Sequence[float]) -> None:
        """Keep the account's value once all events of `time` are in."""
        ...
