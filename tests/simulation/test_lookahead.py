"""Each plant must be caught, and what is honest must pass."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.engine.rates import Rates
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.simulation.lookahead import Report, lookahead
from strades_pipelines.strategy.library.channel_limit_orders import ChannelLimitOrders
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy import planted
from tests.strategy.library.data import DAY, packaged
from tests.strategy.planted import walk

HOUR = DAY // 24
SEVERAL = ("dual_momentum", "momentum_rotation", "pairs_zscore", "risk_parity")


@pytest.fixture(autouse=True)
def held() -> Iterator[Bars]:
    """A random walk whose arrays the planted strategies hold."""
    bars = walk(300)
    planted.HELD[:] = [bars]
    yield bars
    planted.HELD.clear()


@pytest.mark.parametrize("plant", [planted.OneBarLeak, planted.WindowScaler, planted.LeakInTimer, planted.LeakInLimit])
def test_a_strategy_that_holds_the_future_is_caught(plant: type[Strategy], held: Bars) -> None:
    report = lookahead(plant, [held])
    assert report.findings
    assert all(finding.line.startswith("lookahead: 202") for finding in report.findings)


def test_a_strategy_that_holds_the_rates_to_come_is_caught(held: Bars) -> None:
    with_rates = replace(held, rates=Rates(held.time, 1.0 + 0.1 * np.cos(np.arange(len(held.time)))))
    planted.HELD[:] = [with_rates]
    assert lookahead(planted.RateLeak, [with_rates], times=20).findings


def test_a_leak_at_a_single_decision_is_caught_though_no_time_was_drawn_there(held: Bars) -> None:
    rises = int(np.flatnonzero(np.diff(held.prices[3][200:]) > 0)[0]) + 200
    report = lookahead(lambda: planted.OneBarLeak(leaks_at=rises), [held], times=1)
    (finding,) = report.findings
    assert (finding.time, finding.instrument) == (int(held.time[rises]), "WALK")
    assert finding.text == "target 1; with everything known later poisoned: nothing"


def test_a_daily_bar_that_is_visible_at_its_open_is_caught() -> None:
    hours = walk(24 * 30, HOUR)
    honest = lookahead(planted.DaysAverage, [hours], feed=planted.days_when_over)
    assert (honest.findings, honest.decisions > 5) == ([], True)
    assert lookahead(planted.DaysAverage, [hours], feed=planted.days_at_their_open).findings


def test_an_ignored_knowledge_time_is_caught() -> None:
    late = walk(200, late=3 * DAY)
    assert lookahead(planted.DaysAverage, [late]).findings == []
    assert lookahead(planted.DaysAverage, [late], feed=planted.at_event_time).findings


def test_a_file_that_a_strategy_reads_itself_is_named(held: Bars, tmp_path: Path) -> None:
    planted.FILE[:] = [tmp_path / "bars.csv"]
    planted.FILE[0].write_text("a,b,c,d,100.0,1\n")
    (finding,) = lookahead(planted.FileReader, [held], times=3).findings
    assert finding.line == f"file: {planted.FILE[0]} is read by the strategy itself; give it as bars"


def test_the_bars_are_as_they_were_afterwards(held: Bars) -> None:
    before = held.prices.copy()
    lookahead(planted.WindowScaler, [held], times=20)
    np.testing.assert_array_equal(held.prices, before)


def test_what_is_compiled_is_tried_compiled(held: Bars, tmp_path: Path) -> None:
    report = lookahead(SmaCross, [held], cache=tmp_path)
    assert (report.mode, report.findings, report.times) == ("compiled", [], 200)


def test_state_that_is_made_of_the_future_is_caught_in_compiled_code_too(held: Bars, tmp_path: Path) -> None:
    report = lookahead(planted.WindowScaler, [held], times=0, cache=tmp_path)
    assert report.mode == "compiled"
    assert [finding.text.split(";")[0] for finding in report.findings] == ["state before the first event"]


def test_a_strategy_that_fails_on_the_true_bars_is_refused(held: Bars) -> None:
    planted.HELD.clear()
    with pytest.raises(ValueError, match="IndexError"):
        lookahead(planted.OneBarLeak, [held])


def _short(bars: Bars, n: int = 400) -> Bars:
    return replace(bars, time=bars.time[:n], open_time=bars.open_time[:n], prices=bars.prices[:, :n].copy())


@pytest.mark.parametrize("name", sorted(strategies()))
def test_strategies_of_the_library_pass(name: str) -> None:
    symbols = ("AAPL", "IBM", "MSFT") if name in SEVERAL else ("AAPL",)
    check: Callable[..., Report] = lookahead
    report = check(strategies()[name], [_short(packaged(symbol, "2005-01-01")) for symbol in symbols], times=200)
    assert [finding.line for finding in report.findings] == []
    assert report.times == 200


def test_orders_with_conditions_are_compared() -> None:
    report = lookahead(ChannelLimitOrders, [_short(packaged("AAPL"))], times=5)
    assert report.decisions > 100
    assert report.findings == []
