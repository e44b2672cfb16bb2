"""Names, parameters and specs of tactics, and what is wrong with the others."""

import pickle
import re

import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.strategy.tactics.entry_limits import TradingHours
from strades_pipelines.strategy.tactics.exits import StopLoss
from strades_pipelines.strategy.tactics.sizing import PercentOfEquity, VolatilityTarget
from strades_pipelines.strategy.tactics.tactic_registry import make_tactic, parse, parse_size


def test_by_name_and_parameters() -> None:
    tactic = make_tactic("stop_loss", {"percent": 2})(3)
    assert isinstance(tactic, StopLoss)
    assert (tactic.part, tactic.out) == (0.02, [0, 0, 0])


def test_specs() -> None:
    tactic = parse_size("percent:99.75,whole")(1)
    assert isinstance(tactic, PercentOfEquity)
    assert (tactic.percent, tactic.whole) == (99.75, True)
    tactic = parse_size(" volatility:15 , lookback=30,cap=200")(1)
    assert isinstance(tactic, VolatilityTarget)
    assert (tactic.target, tactic.lookback, tactic.cap, tactic.whole) == (15.0, 30, 200.0, False)
    tactic = parse("trading-hours:13:30-20:00,days=fri-mon+wed")(1)
    assert isinstance(tactic, TradingHours)
    assert (tactic.start, tactic.end, tactic.days) == (810, 1200, [1, 0, 1, 0, 1, 1, 1])


def test_makers_can_be_sent_to_other_processes() -> None:
    assert isinstance(pickle.loads(pickle.dumps(parse("stop-loss:2")))(1), StopLoss)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("stop-los:2", "tactic: expected one of fixed, percent, volatility, kelly, stop-loss, take-profit"),
        ("stop-loss", "tactic stop_loss: parameter percent is missing"),
        ("stop-loss:0", "tactic stop_loss: percent: expected a number above 0 and up to 100, was '0'"),
        ("stop-loss:nan", "tactic stop_loss: percent: expected a number above 0 and up to 100, was 'nan'"),
        ("stop-loss:two", "tactic stop_loss: percent: expected a number above 0 and up to 100, was 'two'"),
        ("stop-loss:2,whole", "tactic stop_loss: parameter whole: expected one of percent"),
        ("stop-loss:2,percent=3", "tactic stop_loss: parameter percent is given twice in 'stop-loss:2,percent=3'"),
        ("cool-down:1.5", "tactic cool_down: bars: expected a whole number above 0, was '1.5'"),
        ("volatility:10,lookback=1", "tactic volatility: lookback: expected a whole number above 1, was '1'"),
        ("percent:50,whole=perhaps", "tactic percent: whole: expected true or false, was 'perhaps'"),
        ("trading-hours:13:30", "tactic trading_hours: hours: expected HH:MM-HH:MM, was '13:30'"),
        ("trading-hours:25:00-26:00", "tactic trading_hours: hours: expected HH:MM-HH:MM, was '25:00' in it"),
        ("trading-hours:²:30-20:00", "tactic trading_hours: hours: expected HH:MM-HH:MM, was '²:30' in it"),
        ("trading-hours:09:00-10:00,days=mo", "tactic trading_hours: days: expected mon, tue"),
    ],
)
def test_what_is_wrong_with_a_spec(spec: str, text: str) -> None:
    with pytest.raises(BadInput, match="^" + re.escape(text)):
        parse(spec)


def test_a_size_is_a_sizing_rule() -> None:
    with pytest.raises(BadInput, match="size: expected one of fixed, percent, volatility, kelly, found 'stop-loss:2'"):
        parse_size("stop-loss:2")
    with pytest.raises(BadInput, match="tactic: expected one of"):
        make_tactic("martingale", {})
