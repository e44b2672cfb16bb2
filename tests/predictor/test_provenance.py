"""No look-ahead and no memory: what is later or older than a row's window cannot change a bit of it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.predictor.formulas import SESSIONS
from strades_pipelines.predictor.inputs import Bars, Rates
from strades_pipelines.predictor.provenance import daily_features
from tests.predictor.made import made_bars, made_rates

COUNT = 260
BARS, RATES = made_bars(COUNT), made_rates(COUNT)
WHOLE = daily_features(BARS, RATES)


def cut(bars: Bars, rates: Rates, time: np.datetime64) -> tuple[Bars, Rates]:
    """Only what was known at `time`."""
    known = rates.knowledge_time <= time
    kept = Rates(rates.event_time[known], rates.knowledge_time[known], rates.value[known])
    return bars.take(bars.knowledge_time <= time), kept


def until(table: pa.Table, time: np.datetime64) -> pa.Table:
    """The rows decided up to `time`."""
    return table.filter(
        pc.less_equal(table["decision_time"], pa.scalar(time, pa.timestamp("us")).cast(table["decision_time"].type))
    )


@settings(max_examples=60)
@given(st.integers(0, COUNT * 24))
def test_truncation_at_any_time_gives_the_same_rows(hours: int) -> None:
    time = BARS.knowledge_time[0] + np.timedelta64(hours, "h")
    assert daily_features(*cut(BARS, RATES, time)).equals(until(WHOLE, time))


@settings(max_examples=60)
@given(st.integers(0, COUNT * 24))
def test_poison_after_any_time_reaches_no_row_before_it(hours: int) -> None:
    time = BARS.knowledge_time[0] + np.timedelta64(hours, "h")
    late, late_rate = BARS.knowledge_time > time, RATES.knowledge_time > time
    poison = {name: np.where(late, 1e12, getattr(BARS, name)) for name in ("high", "low", "close", "volume", "factor")}
    rates = replace(RATES, value=np.where(late_rate, 1e12, RATES.value))
    assert until(daily_features(replace(BARS, **poison), rates), time).equals(until(WHOLE, time))


@settings(max_examples=60)
@given(st.integers(1, COUNT - 1))
def test_history_that_starts_later_gives_the_same_rows_from_a_whole_window_on(start: int) -> None:
    found = daily_features(BARS.take(np.arange(COUNT) >= start), RATES)
    assert found.slice(SESSIONS - 1).equals(WHOLE.slice(start + SESSIONS - 1))


def test_rate_that_comes_late_changes_no_row_decided_before_it_came() -> None:
    day = np.datetime64("2020-03-10T00:00", "us")
    place = int(np.flatnonzero(RATES.event_time == day)[0])
    known = RATES.knowledge_time.copy()
    known[place] = day + np.timedelta64(20, "D")
    with_late = daily_features(BARS, replace(RATES, knowledge_time=known))
    kept = np.arange(COUNT) != place
    without = daily_features(BARS, Rates(RATES.event_time[kept], RATES.knowledge_time[kept], RATES.value[kept]))
    before = known[place] - np.timedelta64(1, "us")
    assert until(with_late, before).equals(until(without, before))
    assert with_late.slice(120).equals(WHOLE.slice(120))


def test_bar_that_comes_late_is_no_input_until_it_is_known() -> None:
    place = 100
    known = BARS.knowledge_time.copy()
    known[place] += np.timedelta64(3, "D")
    found = daily_features(replace(BARS, knowledge_time=known), RATES)
    without = daily_features(BARS.take(np.arange(COUNT) != place), RATES)
    assert found.slice(place + 1, 2).equals(without.slice(place, 2))
    assert found.slice(place + 3).equals(WHOLE.slice(place + 3))
    assert pc.all(pc.less_equal(found["max_knowledge_time"], found["decision_time"])).as_py()


def test_row_names_the_oldest_session_and_the_newest_knowledge_that_went_in() -> None:
    row = WHOLE.slice(200, 1).to_pylist()[0]
    assert row["window_start"] == row["session_date"] - timedelta(days=SESSIONS - 1)
    assert row["max_knowledge_time"] == row["decision_time"]
    assert WHOLE["window_start"][10].as_py() == WHOLE["session_date"][0].as_py()


@pytest.mark.parametrize("name", ["high", "low", "close", "volume", "factor"])
def test_inputs_hash_changes_with_every_input_of_the_window_and_with_no_other(name: str) -> None:
    values = getattr(BARS, name).copy()
    values[100] = np.nextafter(values[100], np.inf)
    hashes = daily_features(replace(BARS, **{name: values}), RATES)["inputs_hash"].to_pylist()
    changed = [
        place for place, (a, b) in enumerate(zip(hashes, WHOLE["inputs_hash"].to_pylist(), strict=True)) if a != b
    ]
    assert changed == list(range(100, 100 + SESSIONS))


def test_missing_values_are_null_and_no_bars_are_no_rows() -> None:
    assert WHOLE["return_1"][0].as_py() is None
    assert WHOLE["sma_ratio_50"].null_count == SESSIONS - 1
    nothing = daily_features(BARS.take(np.zeros(COUNT, bool)), RATES)
    assert nothing.num_rows == 0
    assert nothing.schema == WHOLE.schema
