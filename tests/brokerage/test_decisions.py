"""What a decision is kept with: the reason, the trigger, the bars and forecast it was made of."""

from typing import Any, ClassVar

from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.session import Session
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Prediction
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.builders import MINUTE, MINUTE_US, START, START_US, btc, feed_of, make_bars


def decide(strategy: Strategy, events: list[Any], *, wallet: str = "w") -> list[TradingDecision]:
    size = max(event.i for event in events) + 1
    engine = Engine(strategy, Account(size, 10_000.0), SimulatedBroker(), Gate(size))
    ids = {(e.i, e.time, 0): f"P{(e.time - START_US) // MINUTE_US}" for e in events if isinstance(e, Prediction)}
    listings = [btc(i + 1) for i in range(size)]
    journal = DecisionJournal(engine, listings, wallet=wallet, interval="1m", prediction_ids=ids)
    engine.state.journal = journal
    [progress] = Session(feed_of(events), None, [engine], observer=journal.see).run()
    assert progress.error is None
    return journal.made


def test_a_decision_says_what_it_was_made_of() -> None:
    rise, fall = decide(SmaCross(fast=1, slow=3), make_bars([3, 3, 6, 6, 1]))
    assert rise.inputs == {
        "trigger": {"kind": "bar", "id": "1m@2024-01-02T00:02:00Z"},
        "bars": {
            "listing_id": 1,
            "interval": "1m",
            "first_open_time": "2024-01-02T00:00:00Z",
            "last_open_time": "2024-01-02T00:02:00Z",
        },
        "numbers": {"fast": 6.0, "slow": 4.0},
    }
    assert rise.reason == "mean of 1 closes above mean of 3"
    assert (rise.previous_target, rise.target, fall.previous_target, fall.target) == (0.0, 1.0, 1.0, 0.0)
    cause = "w", "sma_cross", 1, START + 3 * MINUTE, 0  # not its trigger, which another version of an input changes
    assert rise.decision_id == base32_id(*cause)
    assert rise.intent_id() == base32_id(*cause, 0)


def test_a_decision_on_a_forecast_names_it() -> None:
    (decision,) = decide(FollowPrediction(), [*make_bars([10, 11]), Prediction(0, START_US + MINUTE_US, 0.01, 0.0)])
    assert (decision.trigger_kind, decision.trigger_id) == ("prediction", "P1")
    assert decision.inputs == {
        "trigger": {"kind": "prediction", "id": "P1"},
        "prediction_id": "P1",
        "numbers": {"forecast": 0.01, "threshold": 0.0},
    }
    assert decision.reason == "forecast of ridge above the threshold"


class OnTimer(Strategy):
    """Buys the second instrument when both bars of a minute are in."""

    name: ClassVar[str] = "on_timer"

    @property
    def lookback(self) -> int:
        return 2

    def on_timer(self, time: int, account: Account) -> None:
        account.target[1] = 1.0


def test_a_decision_of_the_timer_reads_the_bars_of_its_instant_and_none_after_it() -> None:
    (decision,) = decide(OnTimer(), [*make_bars([1, 2, 3]), *make_bars([4, 5, 6], i=1)])
    assert (decision.trigger_kind, decision.trigger_id) == ("timer", "timer@2024-01-02T00:01:00Z")
    assert decision.inputs["bars"] == {
        "listing_id": 2,
        "interval": "1m",
        "first_open_time": "2024-01-02T00:00:00Z",
        "last_open_time": "2024-01-02T00:00:00Z",
    }


def test_the_same_again_has_the_same_ids_and_another_wallet_others() -> None:
    bars = make_bars([1, 2, 3, 2, 1, 1, 5, 6])
    runs = [[d.decision_id for d in decide(SmaCross(fast=1, slow=2), bars)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert not set(runs[0]) & {d.decision_id for d in decide(SmaCross(fast=1, slow=2), bars, wallet="another")}
