"""features.alpha158: written where a model sees the family, from what was known, and only where a bar changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from strades_pipelines.predictor.alpha158_rows import alpha158_table
from strades_pipelines.predictor.families.alpha158 import ALPHA158_NAMES, alpha158, columns_of
from strades_pipelines.predictor.feature_inputs import Market as Inputs
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.formulas import FAMILIES, NAMES, SESSIONS, names_of
from strades_pipelines.predictor.models.kinds import KINDS, families_of
from strades_pipelines.predictor.provenance import identify
from strades_pipelines.predictor.walk_forward import train_models
from tests.predictor.made import FIRST, NOW, Market, made_bars, made_inputs, store_bars
from tests.predictor.poison import cut, poison

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 4, 1, tzinfo=UTC)
FAMILY = ("alpha158",)
VALUES = ", ".join(ALPHA158_NAMES)
VERSIONS = "SELECT listing_id, session_date, xmin::text FROM features.alpha158 ORDER BY 1, 2"


def write(market: Market, start: datetime = START, end: datetime = END) -> None:
    """Write the features of a window, the family included."""
    write_features(market.url, start=start, end=end, now=NOW, families=FAMILY)


def stored(market: Market, listing: int) -> NDArray[np.float32]:
    """The stored values of a listing, shape (158, n)."""
    rows = market.rows(f"SELECT {VALUES} FROM features.alpha158 WHERE listing_id = %s ORDER BY session_date", listing)
    return np.ascontiguousarray(np.array(rows, np.float32).T)


def test_stored_values_are_those_of_the_bars_however_the_window_is_cut(market: Market) -> None:
    for month in (3, 12, 1, 2, 14, 4, 9, 5, 6, 7, 8, 10, 11, 13, 15):
        first = datetime(2020 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
        write(market, first, (first + timedelta(days=32)).replace(day=1))
    age = np.arange(420)
    for listing in (1, 2):
        own = alpha158(columns_of(made_bars(420, seed=listing)), age, age >= 0)
        np.testing.assert_array_equal(stored(market, listing), own)


def test_table_stays_empty_while_no_model_sees_the_family(market: Market) -> None:
    write_features(market.url, start=START, end=END, now=NOW, families=families_of(KINDS))
    assert market.rows("SELECT count(*) FROM features.alpha158") == [(0,)]


def test_rerun_writes_nothing_and_a_changed_bar_the_rows_of_its_own_windows(market: Market) -> None:
    write(market)
    before = market.rows(VERSIONS)
    write(market)
    assert market.rows(VERSIONS) == before
    bars = made_bars(420, seed=1)
    close = bars.close.copy()
    close[200] *= 1.001
    store_bars(market.url, 1, replace(bars, close=close))
    write(market)
    changed = [
        (listing, day)
        for (listing, day, old), (*_, new) in zip(before, market.rows(VERSIONS), strict=True)
        if old != new
    ]
    assert changed == [(1, FIRST + timedelta(days=200 + later)) for later in range(SESSIONS)]


def test_row_of_a_bar_that_is_gone_goes_even_if_no_model_sees_the_family_any_more(market: Market) -> None:
    write(market)
    market.execute("DELETE FROM cleaned.daily_bars WHERE listing_id = 2 AND session_date = %s", FIRST)
    write_features(market.url, start=START, end=END, now=NOW)
    assert market.rows("SELECT count(*) FROM features.alpha158 WHERE listing_id = 2") == [(419,)]


def test_model_of_some_families_is_fitted_on_their_features_and_forecasts_from_them(market: Market) -> None:
    own = replace(KINDS["ridge"], name="ridge_alpha158", families=("returns", *FAMILY))
    kinds = {"ridge": KINDS["ridge"], own.name: own}
    fitted_on = {}

    def fit(training, seed):  # type: ignore[no-untyped-def]
        fitted_on[training.names] = training.x
        return KINDS["ridge"].fit(training, seed)

    kinds = {name: replace(kind, fit=fit) for name, kind in kinds.items()}
    write_features(market.url, start=START, end=END, now=NOW, families=families_of(kinds))
    window = (datetime(2020, 9, 1, tzinfo=UTC), datetime(2020, 10, 1, tzinfo=UTC))
    train_models(market.url, start=window[0], end=window[1], now=NOW, kinds=kinds)
    returns = tuple(name for name in NAMES if "return" in name and "_return" not in name)
    assert set(fitted_on) == {NAMES, own.features}
    assert own.features == names_of(("returns", *FAMILY))
    assert set(returns) <= set(own.features)
    assert own.features[-158:] == ALPHA158_NAMES
    x = fitted_on[own.features]
    assert x.shape[1] == len(own.features)
    # The last of its rows are whole: their windows lie in the market's 420 sessions.
    assert not np.isnan(x[-10:]).any()
    for name, table in {
        "return_1": "features.daily",
        "kmid": "features.alpha158",
        "vsumd60": "features.alpha158",
    }.items():
        column = {value for (value,) in market.rows(f"SELECT {name}::double precision FROM {table}")}
        assert set(x[-60:, own.features.index(name)].tolist()) <= column
    write_forecasts(market.url, start=window[0], end=window[1], now=NOW, kinds=kinds)
    found = market.rows("SELECT name, status, count(*), count(DISTINCT value) FROM predictions.forecasts GROUP BY 1, 2")
    assert sorted(found) == [("ridge", "predicted", 60, 60), ("ridge_alpha158", "predicted", 60, 60)]


def test_unknown_family_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected families of returns, .*, alpha158; was alpha999"):
        replace(KINDS["ridge"], families=("alpha999",)).features  # noqa: B018
    assert names_of(FAMILIES) == NAMES


def table_of(market: Inputs) -> pa.Table:
    """All rows of a market in memory."""
    rows = identify(market)
    assert rows is not None
    return alpha158_table(rows, np.ones(len(rows), bool)).sort_by(
        [("listing_id", "ascending"), ("session_date", "ascending")]
    )


def test_what_is_known_later_reaches_no_row_decided_before() -> None:
    market = made_inputs(140, listings=2)
    late = market.bars[1].knowledge_time.copy()
    late[[40, 90]] += np.timedelta64(5, "D")  # two bars that came late are no input until then
    market = replace(market, bars={**market.bars, 1: replace(market.bars[1], knowledge_time=late)})
    whole = table_of(market)
    for hours in np.random.default_rng(8).integers(24, 140 * 24, 40):
        time = market.bars[2].knowledge_time[0] + np.timedelta64(int(hours), "h")
        until = pa.scalar(time, pa.timestamp("us")).cast(whole["decision_time"].type)
        for other in (cut(market, time), poison(market, time)):
            found = table_of(other)
            known = [one.filter(pc.less_equal(one["decision_time"], until)) for one in (found, whole)]
            assert known[0].equals(known[1])
