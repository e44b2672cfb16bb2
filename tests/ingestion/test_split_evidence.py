"""Whichever of a share's bars were fetched before which of its splits, their total return is the share's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.ingestion.split_evidence import (
    Adjustment,
    Bars,
    Splits,
    adjust_bars,
    adjust_dividends,
    adjust_superseded,
)

DAY = 86_400_000_000
START = int(datetime(2014, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
# Ratios of splits that happened: Apple 2014 7:1, Google 2014 2002:1000, General Electric 2021 1:8, stock dividends.
RATIOS = [7.0, 2.002, 1 / 8, 2.0, 1.5, 4 / 3, 0.1, 1.05, 20.0, 1.1]


def at(day: float) -> int:
    """Microseconds since the epoch, `day` days after the start."""
    return START + int(day * DAY)


def splits(days: list[int], ratios: list[float]) -> Splits:
    """Splits that take effect at the opening of these days."""
    return Splits(np.array([at(day) for day in days], np.int64), ratios)


def bars(true: list[float], fetched: list[tuple[int, float]], known: Splits, held: list[float] | None = None) -> Bars:
    """A provider's bars, or those of files where `held` is given.

    Args:
        true: closes in the newest shares, one a day; each opens where the last one closed.
        fetched: the fetch id of each bar, and the day of its fetch.
        held: the day as of which the bytes are, where that is not the fetch's.
    """
    stamps = [at(day) for day in range(len(true))]
    asof = [at(day) for day in (held or [day for _, day in fetched])]
    units = [
        prod(ratio for time, ratio in zip(known.times, known.ratios, strict=True) if time > max(moment, stamp))
        for moment, stamp in zip(asof, stamps, strict=True)
    ]
    opens = [true[0], *true[:-1]]
    return Bars(
        np.array(stamps, np.int64),
        np.array([price * unit for price, unit in zip(opens, units, strict=True)]),
        np.array([price * unit for price, unit in zip(true, units, strict=True)]),
        np.array([id_ for id_, _ in fetched], np.int64),
        np.array([at(day) for _, day in fetched], np.int64),
        np.full(len(true), held is not None),
    )


def adjusted_closes(stored: Bars, known: Splits) -> tuple[list[float], list[Adjustment]]:
    """The closes as staging gives them, and the adjustments."""
    found, _ = adjust_bars(stored, known)
    closes = []
    for time, close, fetch_id in zip(stored.open_times, stored.closes, stored.fetch_ids, strict=True):
        ratios = [one.ratio for one in found if one.fetch_id == fetch_id and one.from_time <= time <= one.to_time]
        assert len(ratios) <= 1
        closes.append(float(close) / (ratios[0] if ratios else 1.0))
    return closes, found


@given(
    st.lists(st.floats(-0.04, 0.04), min_size=30, max_size=30),
    st.lists(st.tuples(st.integers(2, 40), st.sampled_from(RATIOS)), max_size=4, unique_by=lambda split: split[0]),
    st.lists(st.tuples(st.integers(1, 29), st.integers(0, 60)), max_size=6),
)
def test_the_total_return_across_splits_is_right_whenever_each_body_was_fetched(
    returns: list[float], events: list[tuple[int, float]], bodies: list[tuple[int, int]]
) -> None:
    """Several splits in a row, reverse ones, small ones, some after the last bar; bodies of any length and age."""
    true = (100 * np.cumprod(1 + np.array(returns))).tolist()
    known = splits(sorted(day for day, _ in events), [ratio for _, ratio in sorted(events)])
    ends = dict(sorted(bodies))
    starts = sorted({0, *ends})
    fetched = []
    for day in range(len(true)):
        start = max(begin for begin in starts if begin <= day)
        stop = min((begin for begin in starts if begin > day), default=len(true))
        fetched.append((start, max(stop, ends.get(start, 60)) + 0.5))
    closes, _ = adjusted_closes(bars(true, fetched, known), known)
    assert closes == pytest.approx(true, rel=1e-9)


@pytest.mark.parametrize("ratio", [ratio for ratio in RATIOS if abs(np.log(ratio)) > 0.25])
def test_a_file_that_is_older_than_its_loading_is_told_by_its_prices(ratio: float) -> None:
    """Both bodies are loaded on day 50; the first was written before the split of day 20, and so was one before it."""
    known, true = splits([20], [ratio]), [100.0 + day % 3 for day in range(30)]
    fetched = [(1 if day < 5 else 2 if day < 10 else 3, 50.0) for day in range(30)]
    held = [4.0 if day < 5 else 9.0 if day < 10 else 50.0 for day in range(30)]
    closes, found = adjusted_closes(bars(true, fetched, known, held), known)
    assert closes == pytest.approx(true, rel=1e-9)
    assert {(one.fetch_id, one.basis) for one in found} == {(1, "prices"), (2, "prices")}


def test_two_splits_of_which_files_hold_none_and_one_are_told_by_their_prices() -> None:
    known, true = splits([10, 20], [2.0, 7.0]), [50.0 + day % 2 for day in range(30)]
    fetched = [(1 if day < 5 else 2 if day < 15 else 3, 50.0) for day in range(30)]
    held = [4.0 if day < 5 else 14.0 if day < 15 else 50.0 for day in range(30)]
    closes, found = adjusted_closes(bars(true, fetched, known, held), known)
    assert closes == pytest.approx(true, rel=1e-9)
    assert {(one.fetch_id, one.ratio) for one in found} == {(1, 14.0), (2, 7.0)}


@pytest.mark.parametrize(("fetched_on", "held_as_of"), [(19.75, 31.0), (21.5, 19.5)])
@pytest.mark.parametrize("ratio", [7.0, 1.5])
def test_a_provider_may_restate_hours_before_the_session_or_a_day_after(
    fetched_on: float, held_as_of: float, ratio: float
) -> None:
    """Fetched six hours before the split took effect, in the new shares; or 36 hours after, in the old ones."""
    known, true = splits([20], [ratio]), [80.0] * 30
    fetched = [(1, fetched_on) if day < 20 else (2, 31.0) for day in range(30)]
    stored = bars(true, fetched, known, held=[held_as_of if day < 20 else 31.0 for day in range(30)])
    closes, _ = adjusted_closes(replace(stored, of_file=np.zeros(30, np.bool_)), known)
    assert closes == pytest.approx(true, rel=1e-12)


@pytest.mark.parametrize("growth", [1.5, 0.5, 2.0])
def test_an_overnight_jump_of_bars_fetched_well_before_a_split_is_the_markets(growth: float) -> None:
    """Each bar has its own day's fetch; a takeover doubles the price; a year later the share is split by 1.5."""
    known = splits([400], [1.5])
    true = [100.0] * 10 + [100.0 * growth] * 391
    fetched = [(day, day + 1.0) for day in range(401)]
    stored = bars(true, fetched, known)
    closes, found = adjusted_closes(stored, known)
    assert closes == pytest.approx(true, rel=1e-9)
    assert {one.basis for one in found} == {"fetch_time"}


@pytest.mark.parametrize("after", [75.0, 66.0])
def test_what_is_fetched_after_a_split_needs_no_adjustment_though_the_market_falls_by_a_third(after: float) -> None:
    known, true = splits([20], [1.5]), [100.0] * 10 + [after] * 20
    found, _ = adjust_bars(bars(true, [(day // 10, 50.0) for day in range(30)], known), known)
    assert found == []


def test_a_dividend_is_in_the_shares_of_its_fetch() -> None:
    """One among adjusted bars has their row; one of a fetch without bars is judged by the time of the fetch."""
    known, true = splits([20], [7.0]), [80.0] * 30
    stored = bars(true, [(1, 15.0) if day < 15 else (2, 31.0) for day in range(30)], known)
    found, unheld = adjust_bars(stored, known)
    dividends = [(1, at(15), at(7)), (3, at(16), at(16)), (2, at(31), at(17)), (1, at(15), at(14.9))]
    more = adjust_dividends(dividends, known, unheld, found)
    assert [(one.fetch_id, one.from_time, one.ratio) for one in more] == [(3, at(16), 7.0), (1, at(14.9), 7.0)]


def test_without_splits_or_bars_there_is_nothing_to_adjust() -> None:
    empty = np.array([], np.int64)
    none = Bars(empty, empty.astype(float), empty.astype(float), empty, empty, empty.astype(bool))
    assert adjust_bars(none, splits([1], [2.0]))[0] == []
    assert adjust_bars(bars([1.0], [(1, 2.0)], splits([], [])), splits([], []))[0] == []


def test_the_span_of_an_adjustment_ends_with_the_bars_of_its_fetch() -> None:
    known = splits([20], [7.0])
    stored = bars([80.0] * 30, [(1, 15.5) if day < 15 else (2, 31.0) for day in range(30)], known)
    [one] = adjust_bars(stored, known)[0]
    assert (one.from_time, one.to_time, one.known_at) == (at(0), at(14), at(20))
    assert timedelta(microseconds=one.to_time - one.from_time) == timedelta(days=14)


def test_superseded_bars_are_adjusted_in_spans_without_a_standing_bar_of_their_fetch() -> None:
    """Fetch 1 of day 4 knows neither split; its bars of days 1 and 3 are replaced, that of day 2 stands."""
    known, later = splits([5, 8], [2.0, 4.0]), at(8)
    versions = [(1, at(4), at(1)), (1, at(4), at(3)), (2, at(6), at(3)), (2, at(6), at(4)), (3, at(9), at(4))]
    found = adjust_superseded(versions, known, {}, {1: [at(2)]})
    expected = [(1, at(1), at(1), 8.0), (1, at(3), at(3), 8.0), (2, at(3), at(4), 4.0)]
    assert found == [Adjustment(*each, "fetch_time", later) for each in expected]
    [told] = adjust_superseded(versions[-1:], known, {3: 1}, {})  # its other bars told that it lacks a split
    assert (told.ratio, told.basis) == (4.0, "prices")
