"""The hash that people approve covers what a wallet trades by, as the process has loaded it."""

from pathlib import Path

import pytest

from strades_pipelines.brokerage import trading_code
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.registry import PACKAGE


def test_it_covers_what_decides_gates_sends_and_forecasts() -> None:
    covered = {str(path.relative_to(PACKAGE)) for path in trading_code.sources()}
    for name in ("decisions", "feed", "live_engine", "stepping", "quote_feed", "intents", "sending", "emulated_orders"):
        assert f"brokerage/{name}.py" in covered
    assert {"brokerage/brokers/alpaca/broker.py", "predictor/walk_forward.py", "database/asof.py"} <= covered


def test_it_follows_the_strategy_and_not_what_becomes_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    before = trading_code.trading_code(SmaCross())
    assert before == trading_code.trading_code(SmaCross(fast=5))
    assert before != trading_code.trading_code(FollowPrediction())
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"edited")
    assert before == trading_code.trading_code(SmaCross())
