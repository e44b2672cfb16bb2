"""No look-ahead through the whole database: bars and rates to features, models, forecasts, standings and decisions.

Each layer is held to it alone (tests/dbt_project, tests/predictor, test_no_lookahead.py here) at many times; this is
the same over stored rows, by the functions that assets call, at a few.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.track_record import write_standings
from strades_pipelines.predictor.walk_forward import train_models
from tests.predictor.made import NOW, Market, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

START, OPENED, END = (datetime(2020, month, 1, tzinfo=UTC) for month in (1, 6, 8))
TIMES = (datetime(2020, 7, 3, 9, tzinfo=UTC), datetime(2020, 6, 20, tzinfo=UTC))  # the later first: no healing
RIDGE = {"ridge": KINDS["ridge"]}
MADE = "features.daily", "predictions.models", "predictions.forecasts", "predictions.scores", "predictions.standings"
WALLETS = [
    WalletTemplate(
        name=name, mode="replay", strategy=name, parameters=parameters, instruments=("v:1", "v:2"), interval="1d",
        currency="USD", cash=Decimal(100_000), fee_rate=Decimal("0.001"), max_age=timedelta(hours=1), opened_at=None,
    )
    for name, parameters in (
        ("sma_cross", {"fast": 3, "slow": 8, "size": 10.0}),
        ("follow_prediction", {"model": "ridge", "threshold": 0.0, "size": 10.0}),
    )
]  # fmt: skip
KNOWN = {
    "features": ("SELECT * FROM features.daily", "decision_time"),
    "models": ("SELECT * FROM predictions.models", "trained_at"),
    "forecasts": ("SELECT * FROM predictions.forecasts WHERE status <> 'no_model'", "decision_time"),
    "scores": ("SELECT * FROM predictions.scores", "label_known_at"),
    "standings": ("SELECT * FROM predictions.standings", "known_at"),
    "decisions": (
        "SELECT split_part(d.wallet, '@', 1), d.listing_id, decided_at, previous_target, target, reason, inputs, code,"
        " side, quantity FROM signals.decisions AS d LEFT JOIN trading.refusals AS r USING (decision_id)"
        " LEFT JOIN trading.intents AS i USING (decision_id)",
        "decided_at",
    ),
    "fills": ("SELECT listing_id, side, quantity, price, fee, known_at FROM trading.fills", "known_at"),
    "worth": ("SELECT split_part(wallet, '@', 1), time, cash, equity FROM results.equity", "time"),
}
Chain = dict[str, set[object]]


@pytest.fixture
def stored(database_url: str, adbc: "Connection") -> Market:
    """Two listings of 260 days, with the euro's rates."""
    return make_market(database_url, adbc, sessions=260)


def worked_through(market: Market, until: datetime = NOW) -> Chain:
    """All that assets make of what is stored, made anew; its rows known up to a time."""
    market.execute(f"TRUNCATE {', '.join(MADE)}, ops.artifacts, trading.wallets CASCADE")
    window: dict[str, Any] = {"start": START, "end": END, "now": NOW}
    write_features(market.url, **window)
    train_models(market.url, **window, kinds=RIDGE)
    write_forecasts(market.url, **window, kinds=RIDGE)
    write_scores(market.url, **window)
    write_standings(market.url, **window)
    with adbc_connect(market.url) as connection:
        for wallet in WALLETS:
            replay(connection, wallet, start=OPENED, end=END, now=NOW)
    return known(market, until)


def known(market: Market, until: datetime) -> Chain:
    """The rows of every layer, as text, that were known or decided up to a time."""
    return {
        name: {
            text for (text,) in market.rows(f"SELECT t::text FROM ({query}) AS t WHERE {column} <= %s", until)
        }
        for name, (query, column) in KNOWN.items()
    }  # fmt: skip


def poison(market: Market, time: datetime) -> None:
    """Make all that became known after a time absurd."""
    market.execute(
        "UPDATE cleaned.daily_bars SET open = 1e9, high = 1e9, low = 1e9, close = 1e9, volume = 1e9,"
        " total_return_factor = 1e3 WHERE knowledge_time > %s",
        time,
    )
    market.execute("UPDATE records.observations SET value = 1e9 WHERE knowledge_time > %s", time)


def test_2_poisoning_what_is_stored_changes_no_row_of_any_layer_up_to_that_time(stored: Market) -> None:
    worked_through(stored)
    whole = [known(stored, time) for time in TIMES]
    counts = {name: len(rows) for name, rows in whole[0].items()}
    assert min(counts.values()) > 0, counts
    for time, expected in zip(TIMES, whole, strict=True):
        poison(stored, time)
        found = worked_through(stored, time)
        assert {name for name in KNOWN if found[name] != expected[name]} == set(), time
