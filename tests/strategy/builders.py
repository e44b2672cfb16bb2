"""Builders for tests: bars, columns, and a session in memory with the rows that it wrote."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain, joined
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.session import Progress, Session
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.bars_and_fills import Fill as BookedFill
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_terms import Order
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BAR, PREDICTION, Bar, Prediction, microseconds
from strades_pipelines.strategy.orders import OUTCOMES
from strades_pipelines.strategy.strategy import Strategy

START = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
START_US, MINUTE_US = microseconds(START), 60_000_000


def btc(listing_id: int = 1, *, tick: str = "0.1") -> Listing:
    return Listing(listing_id, "gateio", f"COIN{listing_id}_USDT", "USDT", Decimal(tick), Decimal("0.00001"))


def make_bars(
    closes: Sequence[float], *, opens: Sequence[float] | None = None, i: int = 0, start: datetime = START
) -> list[Bar]:
    """One-minute bars of instrument `i`; a bar opens at the close before it unless `opens` says otherwise."""
    opens = opens if opens is not None else [*closes[:1], *closes[:-1]]
    edges = [microseconds(start) + MINUTE_US * n for n in range(len(closes) + 1)]
    return [
        Bar(i, end, begin, open_, max(open_, close), min(open_, close), close, 1.0)
        for (begin, end), open_, close in zip(pairwise(edges), opens, closes, strict=True)
    ]


def make_order(side: str, quantity: str, *, decided_at: datetime = START, reserved: str = "0") -> Order:
    return Order("I", "D", 0, 1, side, Decimal(quantity), decided_at, Decimal(reserved))


def fill_event(
    side: str = "buy", quantity: str = "1", price: str = "10", *, fee: str = "0", known_at: datetime = START
) -> BookedFill:
    amounts = Decimal(quantity), Decimal(price), Decimal(fee)
    return BookedFill(0, 1, "F", "I", side, *amounts, "USDT", known_at, known_at)


def columns_of(event: Bar | Prediction) -> Columns:
    """One event as a row of columns."""
    if isinstance(event, Bar):
        kind, more = BAR, event.open_time
        floats = [event.open, event.high, event.low, event.close, event.volume]
    else:
        kind, more = PREDICTION, 0
        floats = [event.value, event.model, 0.0, 0.0, 0.0]
    return Columns(
        np.array([kind], np.int8),
        np.array([event.i], np.int32),
        np.array([event.time], np.int64),
        np.array([more], np.int64),
        *(np.array([number]) for number in floats),
    )


def feed_of(events: Iterable[Bar | Prediction]) -> EventChain:
    """A chain of events, each of them sorted in by its time."""
    rows = sorted(events, key=lambda event: event.time)
    return EventChain([[joined([columns_of(event) for event in rows])]] if rows else [[]])


class FillRow(NamedTuple):
    """A fill, as a session's journal has it; times are microseconds UTC."""

    order: int
    i: int
    quantity: float
    price: float
    fee: float
    filled_at: int
    time: int
    cash: float


class DecisionRow(NamedTuple):
    """A decision, as a session's journal has it; `time` is microseconds UTC."""

    time: int
    i: int
    previous: float
    target: float
    order: int
    outcome: str


@dataclass(frozen=True)
class SessionResult:
    """An engine after its session, and what the session wrote down."""

    engine: Engine
    progress: Progress

    def rows(self, kind: str) -> list[list[float]]:
        rows: list[list[float]] = self.progress.journal[kind].tolist()
        return rows

    @property
    def fills(self) -> list[FillRow]:
        rows = self.rows("fills")
        return [FillRow(int(o), int(i), q, p, f, int(at), int(t), c) for o, i, q, p, f, at, t, c in rows]

    @property
    def decisions(self) -> list[DecisionRow]:
        rows = self.rows("decisions")
        return [DecisionRow(int(t), int(i), b, a, int(o), OUTCOMES[int(why)]) for t, i, b, a, o, why, _ in rows]

    @property
    def equity(self) -> list[float]:
        return [equity for equity, _ in self.rows("values")]

    @property
    def times(self) -> list[int]:
        instants = np.unique(np.concatenate([np.zeros(0, np.int64), *self.progress.instants]))
        return [time for time in instants.tolist() if time >= self.engine.state.opened_at]

    @property
    def account(self) -> Account:
        return self.engine.account


def run(
    strategy: Strategy,
    events: Iterable[Bar | Prediction],
    *,
    cash: float = 10_000.0,
    fee_rate: float = 0.001,
    opened_at: datetime = START,
    end: datetime | None = None,
    size: int | None = None,
    lot: float = 0.00001,
    tick: float = 0.1,
    cache: Path | None = None,
    **changes: Any,
) -> SessionResult:
    """Step a strategy through events; per event, or compiled where there is a cache."""
    events = list(events)
    size = size or max((event.i for event in events), default=0) + 1
    gate = Gate(size, **{"allow_short": False, "leverage": 1.0, "max_weight": 1.0, **changes})
    gate.lot, gate.tick = [lot] * size, [tick] * size
    broker = SimulatedBroker(PercentFee(fee_rate))
    engine = Engine(strategy, Account(size, cash), broker, gate, opened_at=microseconds(opened_at))
    clock = None if end is None else microseconds(end)
    mode = "events" if cache is None else "compiled"
    [progress] = Session(feed_of(events), clock, [engine], mode=mode, cache=cache).run()
    return SessionResult(engine, progress)
