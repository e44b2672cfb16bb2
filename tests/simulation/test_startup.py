"""What depends on where history begins must say so."""

import pytest

from strades_pipelines.simulation.startup import startup
from strades_pipelines.strategy.library.ema_cross import EmaCross
from strades_pipelines.strategy.registry import strategies
from tests.simulation.test_lookahead import SEVERAL
from tests.strategy.library.data import packaged
from tests.strategy.planted import MeanSinceStart, ShortWarmUp, walk


def test_a_mean_since_the_start_is_caught() -> None:
    report = startup(MeanSinceStart, [walk(400)])
    assert report.warm_ups == [2, 4, 8]
    assert report.findings
    assert report.findings[0].line.startswith("startup: 202")


def test_a_window_longer_than_the_declared_one_is_caught_and_one_as_long_is_not() -> None:
    bars = [walk(600)]
    assert startup(ShortWarmUp, bars).findings
    assert startup(lambda: ShortWarmUp(claims=20), bars).findings == []


def test_an_average_that_has_not_faded_is_caught() -> None:
    class Hasty(EmaCross):
        @property
        def lookback(self) -> int:
            return self.slow

    assert startup(Hasty, [walk(1_000)], openings=60).findings


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="WALK: expected more than 8 bars to warm up on, found 8"):
        startup(MeanSinceStart, [walk(8)])


@pytest.mark.parametrize("name", sorted(strategies()))
def test_strategies_of_the_library_pass(name: str) -> None:
    symbols = ("AAPL", "IBM", "MSFT") if name in SEVERAL else ("AAPL",)
    report = startup(strategies()[name], [packaged(symbol, "2005-01-01") for symbol in symbols])
    assert [finding.line for finding in report.findings] == []
    assert report.openings == 20
