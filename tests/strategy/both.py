"""A strategy that does what a list says, and a run of it per event and compiled, which must be the same to the bit."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain, in_order
from strades_pipelines.engine.event_steps import WITH_TIME
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.session import Session
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.fees import Fee
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    ACTION,
    ARTICLE,
    BAR,
    BEGINNING,
    GAP,
    PREDICTION,
    QUOTE,
    RATE,
    RECORDED_FILL,
    REVISION,
    TRADE,
    Article,
    Bar,
    BarRevision,
    CorporateAction,
    Fill,
    Gap,
    OrderChange,
    Prediction,
    Quote,
    Rate,
    RecordedFill,
    Trade,
)
from strades_pipelines.strategy.orders import ANY, GTC, NOT_GIVEN, OUTCOMES, STATES
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.builders import MINUTE_US, START_US, SessionResult

KINDS = {
    Rate: RATE,
    Trade: TRADE,
    Quote: QUOTE,
    Bar: BAR,
    BarRevision: REVISION,
    Gap: GAP,
    Prediction: PREDICTION,
    Article: ARTICLE,
    CorporateAction: ACTION,
    RecordedFill: RECORDED_FILL,
}
# What a step does, and in which hook: with the nth event, fill, timer, or change of an order.
# `CANCEL` names an order by its number, `CANCEL_STEP` by the step that asked for it, counted from 0.
TARGET, ORDER, CANCEL, CANCEL_ALL, BRACKET, WEIGHT, NOTIONAL, CANCEL_STEP = range(8)
EVENT, FILL, TIMER, CHANGE = range(4)
WIDTH = 13


def step(
    n: int,
    what: int,
    i: int = 0,
    quantity: float = 0.0,
    limit: float = NOT_GIVEN,
    stop: float = NOT_GIVEN,
    trail: float = NOT_GIVEN,
    on: int = ANY,
    time_in_force: int = GTC,
    reduce_only: bool = False,
    group: int = 0,
    parent: int = 0,
    hook: int = EVENT,
) -> list[float]:
    """One step of a `Script`, at the nth (from 1 on) call of a hook."""
    numbers = hook, n, what, i, quantity, limit, stop, trail, on, time_in_force, reduce_only, group, parent
    return [float(number) for number in numbers]


class Script(Strategy):
    """Does what its steps say, and keeps what it heard."""

    name: ClassVar[str] = "script"

    def __init__(self, *steps: list[float]) -> None:
        super().__init__()
        self.steps = [number for one in steps for number in one] or [-1.0] * WIDTH
        self.count = len(self.steps) // WIDTH
        self.calls = [0] * 4
        self.numbers = [0] * max(1, self.count)
        self.heard = 0.0

    @cold
    def play(self, hook: int, account: Account) -> None:
        self.calls[hook] += 1
        for k in range(self.count):
            if self.steps[k * WIDTH] == hook and self.steps[k * WIDTH + 1] == self.calls[hook]:
                self.act(k * WIDTH, account)

    @cold
    def act(self, at: int, account: Account) -> None:
        s = self.steps
        what = s[at + 2]
        i = int(s[at + 3])
        quantity = s[at + 4]
        if what == TARGET:
            account.target[i] = quantity
        elif what == WEIGHT:
            account.set_weight(i, quantity)
        elif what == NOTIONAL:
            account.set_notional(i, quantity)
        elif what == CANCEL:
            account.cancel(int(quantity))
        elif what == CANCEL_STEP:
            if self.numbers[int(quantity)] > 0:
                account.cancel(self.numbers[int(quantity)])
        elif what == CANCEL_ALL:
            account.cancel_all(i)
        elif what == BRACKET:
            self.numbers[at // WIDTH] = account.bracket(i, quantity, s[at + 6], s[at + 7], s[at + 5])
        else:
            self.numbers[at // WIDTH] = account.order(
                i,
                quantity,
                s[at + 5],
                s[at + 6],
                s[at + 7],
                int(s[at + 8]),
                int(s[at + 9]),
                s[at + 10] != 0.0,
                int(s[at + 11]),
                int(s[at + 12]),
            )

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.play(EVENT, account)

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.play(EVENT, account)

    def on_quote(self, quote: Quote, account: Account) -> None:
        self.play(EVENT, account)

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        self.play(EVENT, account)

    def on_corporate_action(self, action: CorporateAction, account: Account) -> None:
        self.play(EVENT, account)

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.heard += fill.quantity * fill.price + fill.fee + account.cash
        self.play(FILL, account)

    def on_order(self, change: OrderChange, account: Account) -> None:
        self.heard += change.order + 10 * change.state + 100 * change.reason
        self.play(CHANGE, account)

    def on_timer(self, time: int, account: Account) -> None:
        self.heard += account.equity
        self.play(TIMER, account)


def row_of(event: Any) -> tuple[Any, ...]:
    """An event as a row of columns."""
    kind = KINDS[type(event)]
    numbers = [getattr(event, name) for name in type(event).compiled_fields]
    i, time, *rest = numbers
    more = rest.pop(0) if kind in WITH_TIME else 0
    return kind, i, time, more, *(rest + [0.0] * (5 - len(rest)))


def columns_of(events: Iterable[Any]) -> Columns:
    """Events of any kinds, in their total order."""
    rows = list(zip(*map(row_of, events), strict=True))
    types = [np.int8, np.int32, np.int64, np.int64] + [np.float64] * 5
    made = Columns(*(np.array(row, kind) for row, kind in zip(rows, types, strict=True)))
    return in_order(Columns(*(array[np.argsort(made.time, kind="stable")] for array in made.arrays)))


def bars(*rows: Sequence[float], i: int = 0, start: int = START_US, length: int = MINUTE_US) -> list[Bar]:
    """Bars one after the other; a row is open, high, low, close, and a volume that is 100 where it is not given."""
    made = []
    for n, row in enumerate(rows):
        open_, high, low, close, volume = (*map(float, row), 100.0)[:5]
        made.append(Bar(i, start + length * (n + 1), start + length * n, open_, high, low, close, volume))
    return made


@dataclass(frozen=True)
class Terms:
    """What an engine is made of; all parts are made anew for each run."""

    size: int = 1
    cash: float = 1000.0
    fee: Callable[[], Fee] = Fee
    fills: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    tactics: Sequence[Callable[[int], Any]] = ()
    opened_at: int = BEGINNING
    rest: dict[str, Any] = field(default_factory=dict)
    orders: int = 16
    prepare: Callable[[Account, Gate], None] | None = None

    def engine(self, strategy: Strategy) -> Engine:
        account, gate = Account(self.size, self.cash, self.orders), Gate(self.size, **self.limits)
        if self.prepare is not None:
            self.prepare(account, gate)
        broker = SimulatedBroker(self.fee(), **self.fills)
        tactics = tuple(make(self.size) for make in self.tactics)
        return Engine(strategy, account, broker, gate, tactics=tactics, opened_at=self.opened_at, **self.rest)


class Outcome(SessionResult):
    """The result of a run, and all that it left behind as text."""

    @property
    def done(self) -> list[tuple[float, float]]:
        """Quantity and price of each fill."""
        return [(fill.quantity, fill.price) for fill in self.fills]

    @property
    def changes(self) -> list[tuple[int, str, str]]:
        """Number, state and reason of each change of an order."""
        return [(int(o), STATES[int(s)], OUTCOMES[int(why)]) for o, _, _, _, s, why in self.rows("orders")]

    @property
    def state(self) -> str:
        """All that the run left behind; equal texts are equal bits."""
        journal = {kind: [[float(x).hex() for x in row] for row in self.rows(kind)] for kind in self.progress.journal}
        state = self.engine.state
        parts = state.strategy, state.broker.fee, *state.tactics, *self.account.orders
        account = {name: value for name, value in vars(self.account).items() if name != "orders"}
        return repr((journal, account, [plain(part) for part in parts], str(self.progress.error)))


def plain(part: Any) -> Any:
    """An object as what it holds."""
    if isinstance(part, list | tuple):
        return [plain(one) for one in part]
    return {name: plain(value) for name, value in vars(part).items()} if hasattr(part, "__dict__") else part


def cache_folder() -> Path:
    """The folder for compiled code that all tests of a run share: what one of them compiled, no other has to."""
    return Path(os.environ["STRADES_TEST_FOLDER"]) / "compiled"


def run_once(strategy: Strategy, feed: Any, terms: Terms, mode: str) -> Outcome:
    """One run; `feed` is columns, or a chain of streams."""
    chain = EventChain([[feed]]) if isinstance(feed, Columns) else feed
    engine = terms.engine(strategy)
    [progress] = Session(chain, None, [engine], mode=mode, cache=cache_folder()).run()
    return Outcome(engine, progress)


def run_both(
    make: Callable[[], Strategy], events: Iterable[Any] | Columns, terms: Terms | None = None, **changes: Any
) -> Outcome:
    """Run per event and compiled, see that nothing differs, and return how it went."""
    feed = events if isinstance(events, Columns) else columns_of(events)
    terms = terms or Terms(**changes)
    plain, compiled = (run_once(make(), feed, terms, mode) for mode in ("events", "compiled"))
    assert compiled.progress.mode == "compiled"
    assert plain.state == compiled.state
    return plain


def script(events: Iterable[Any], *steps: list[float], **changes: Any) -> Outcome:
    """Run a `Script` both ways, which must not be stopped by an error."""
    ran = run_both(lambda: Script(*steps), events, **changes)
    assert ran.progress.error is None
    return ran


def script_per_event(events: Iterable[Any], *steps: list[float], **changes: Any) -> Outcome:
    """Run a `Script` per event alone, where test_properties shows for any numbers that compiled is the same."""
    feed = columns_of(events)
    ran = run_once(Script(*steps), feed, Terms(**changes), "events")
    assert ran.progress.error is None
    return ran
