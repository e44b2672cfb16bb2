"""No look-ahead in predictions, by the numbers of the acceptance list: 2 poisoning, and 1 truncation of what is read.

Features are held to it in test_provenance.py. Here what is known later is absurd in feature rows and in the bars that
labels are made of, and through the features in the market itself. Whatever the family, a model sees its training rows
alone: all families are asked for the hash over those, ridge for its forecasts.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor import walk_forward
from strades_pipelines.predictor.dataset import NEEDED, Training, read_labelled, timestamp, training_set
from strades_pipelines.predictor.feature_inputs import Market as Inputs
from strades_pipelines.predictor.features import read_market, write_features
from strades_pipelines.predictor.formulas import NAMES
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.month_blocks import months
from strades_pipelines.predictor.provenance import market_features
from strades_pipelines.predictor.walk_forward import month_models, training_of
from tests.predictor.made import NOW, Market, made_inputs
from tests.predictor.poison import poison
from tests.predictor.straightforward import label_rows, labelled

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

START, END = datetime(2020, 4, 1, tzinfo=UTC), datetime(2020, 5, 16, tzinfo=UTC)  # two months with a model
HOURS = (0, 5, 9, 14, 20)  # after midnight: when the bars of each listing are known


def staggered(market: Inputs) -> Inputs:
    """The market with each listing's bars known at an hour of its own."""
    late = dict(zip(market.bars, HOURS, strict=True))
    bars = {
        listing: replace(own, knowledge_time=own.knowledge_time + np.timedelta64(late[listing], "h"))
        for listing, own in market.bars.items()
    }
    return replace(market, bars=bars)


MARKET = staggered(made_inputs(140, listings=len(HOURS)))
Forecasts = dict[tuple[Any, ...], float]


def feature_rows(market: Inputs) -> pd.DataFrame:
    """The rows of features.daily, in the order of decisions."""
    rows: pd.DataFrame = market_features(market).to_pandas().astype(dict.fromkeys(NAMES, "float64"))
    return rows.sort_values(["decision_time", "listing_id"], ignore_index=True)


def bar_rows(market: Inputs) -> pd.DataFrame:
    """What labels are made of: the bars of every listing."""
    parts = [
        pd.DataFrame(
            {
                "listing_id": listing,
                "knowledge_time": pd.Series(bars.knowledge_time).dt.tz_localize("UTC"),
                "close": bars.close,
                "total_return_factor": bars.factor,
            }
        )
        for listing, bars in sorted(market.bars.items())
    ]
    return pd.concat(parts, ignore_index=True)


ROWS, BARS = feature_rows(MARKET), bar_rows(MARKET)
ABSURD = ROWS.assign(**dict.fromkeys(NAMES, 1e12))
# Between two of these nothing becomes known: there is no other time to try.
DECISIONS = [time.to_pydatetime() for time in ROWS["decision_time"] if START <= time <= END]


MODELS: dict[str, Any] = {}


def forecasts(rows: pd.DataFrame, bars: pd.DataFrame, until: datetime) -> Forecasts:
    """What is forecast up to a time by the code that trains and forecasts, and the ids of all models made by then."""
    blocks = [labelled(rows, label_rows(bars))]
    rows = rows[(rows["decision_time"] <= until) & rows[list(NEEDED)].notna().all(axis=1)]
    session_month = pd.to_datetime(rows["session_date"]).dt.strftime("%Y-%m")
    found: Forecasts = {}
    for month in months(START, until + timedelta(microseconds=1)):
        for model in month_models(training_of(blocks, month), month, list(KINDS.values())).values():
            found[model.kind.name, month, model.model_id] = 0.0
            own = rows[session_month == f"{month:%Y-%m}"]
            if model.kind.name != "ridge" or own.empty:
                continue
            if model.model_id not in MODELS:  # a hash over all that a fit sees
                MODELS[model.model_id] = model.kind.fit(model.training, model.seed)
            values = model.kind.predict(MODELS[model.model_id], own[list(NAMES)].to_numpy(np.float64))
            keys = zip(own["listing_id"], own["decision_time"], own["inputs_hash"], strict=True)
            found |= dict(zip(keys, values.tolist(), strict=True))
    return found


def poisoned(rows: pd.DataFrame, bars: pd.DataFrame, time: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feature rows and bars, with absurd numbers by turns huge and tiny in all that was known after a time."""
    late = (bars["knowledge_time"] > time).to_numpy()
    bars = bars.assign(close=np.where(late, np.where(np.arange(len(late)) % 2, 1e12, 1e-12), bars["close"]))
    known = int((rows["decision_time"] <= time).sum())
    return pd.concat([rows.iloc[:known], ABSURD.iloc[known:]]), bars


def first_difference(times: Sequence[datetime], *, whole_chain: bool = False) -> datetime | None:
    """The first time up to which something else is forecast with all that was known later made absurd."""
    whole = forecasts(ROWS, BARS, END)
    for time in times:
        if whole_chain:
            market = poison(MARKET, np.datetime64(time.replace(tzinfo=None)))
            found = forecasts(feature_rows(market), bar_rows(market), time)
        else:
            found = forecasts(*poisoned(ROWS, BARS, time), time)
        if found != {key: value for key, value in whole.items() if key[1] <= time}:
            return time
    return None


def test_2_poisoning_after_each_of_200_decisions_changes_no_model_and_no_forecast() -> None:
    assert len(DECISIONS) >= 200
    assert first_difference(DECISIONS) is None
    whole = forecasts(ROWS, BARS, END)
    assert len({key[2] for key in whole if key[0] in KINDS}) == 2 * len(KINDS)
    assert len(whole) == 2 * len(KINDS) + len([at for at in DECISIONS if at.date() > START.date()])


def test_2_poisoning_the_market_itself_reaches_no_forecast() -> None:
    assert first_difference(DECISIONS[20:200:30], whole_chain=True) is None


def one_bar(block: Training) -> Training:
    """A planted leak of one bar: a label counts as known when its session was decided."""
    return replace(block, label_known_at=block.decision_time)


def whole_window_scaler(block: Training) -> Training:
    """A planted leak: scaled, before the folds, with the deviation of all rows."""
    return replace(block, x=block.x / (1.0 + np.nanstd(block.x, axis=0)))


def resample_label(block: Training) -> Training:
    """A planted leak: labels of a week carry its first day, as a resample by its left edge does."""
    days = (block.label_known_at // 86_400_000_000 + 3) % 7  # since Monday
    return replace(block, label_known_at=block.label_known_at - days * 86_400_000_000)


def ignored_knowledge_time(block: Training) -> Training:
    """A planted leak: whatever is there is trained on, known or not."""
    return replace(block, label_known_at=np.full_like(block.label_known_at, timestamp(START)))


@pytest.mark.parametrize("leak", [one_bar, whole_window_scaler, resample_label, ignored_knowledge_time])
def test_2_finds_a_planted_leak_in_training(
    leak: Callable[[Training], Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = training_set
    monkeypatch.setattr(walk_forward, "training_set", lambda blocks, **how: right([*map(leak, blocks)], **how))
    assert first_difference(DECISIONS[::20])


def test_2_finds_a_model_that_is_used_before_its_month(monkeypatch: pytest.MonkeyPatch) -> None:
    right = training_set

    def a_week_ahead(blocks: Sequence[Training], *, cutoff: datetime, months: int) -> Training:
        week = 7 * 86_400_000_000
        early = [replace(block, label_known_at=block.label_known_at - week) for block in blocks]
        return right(early, cutoff=cutoff, months=months)

    monkeypatch.setattr(walk_forward, "training_set", a_week_ahead)
    assert first_difference(DECISIONS[::20])


def test_1_what_is_read_as_of_any_time_is_what_was_known(market: Market, adbc: "Connection") -> None:
    """The reads below the pure functions, over a database with everything in it."""
    first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 4, 1, tzinfo=UTC)
    write_features(market.url, start=first, end=last, now=NOW)
    hours = np.random.default_rng(3).integers(0, (last - first) // timedelta(hours=1), 200)
    with adbc.cursor() as cursor:
        for time in (first + timedelta(hours=int(hour)) for hour in hours):
            bars = read_as_of(cursor, "cleaned.daily_bars", ("knowledge_time",), known_at=time)["knowledge_time"]
            known = (bars.to_pandas() <= time).sum()
            assert (known, len(bars)) == (market_known(time), market_known(time))
        for time in (first + timedelta(hours=int(hour)) for hour in hours[:15]):
            read = read_market(cursor, start=first, end=last, now=time)
            naive = np.datetime64(time.replace(tzinfo=None))
            times = [own.knowledge_time for own in read.bars.values()]
            times += [read.articles.knowledge_time, *(own.knowledge_time for own in read.published.values())]
            assert all((known <= naive).all() for known in times)
            assert sum(map(len, read.bars.values())) == market_known(time)
            rows = read_labelled(cursor, first, last, known_at=time)
            assert (rows.label_known_at <= timestamp(time)).all()
            assert (rows.decision_time <= rows.label_known_at).all()
            # Windows are complete from the fiftieth session on, and the last session known has no label yet.
            assert len(rows.y) == max(market_known(time) - 2 * 50, 0)


def market_known(time: datetime) -> int:
    """How many bars of the fixture's two listings are known: one a day, at midnight, from 2 January 2020 on."""
    return 2 * max(min((time - datetime(2020, 1, 1, tzinfo=UTC)).days, 420), 0)
