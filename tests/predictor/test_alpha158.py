"""Alpha158 beside Qlib's published formulas, in plain pandas; blind to what its window does not hold.

The formulas are those of `qlib/contrib/data/loader.py`, `Alpha158DL`; what its operators mean is in `qlib/data/ops.py`:
pandas' rolling windows, except Slope, Rsquare and Resi, which are a least-squares line over the places 1 ... d.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from strades_pipelines.predictor.families.alpha158 import (
    ALPHA158,
    ALPHA158_NAMES,
    Columns,
    alpha158,
    columns_of,
)
from strades_pipelines.predictor.feature_inputs import Bars
from strades_pipelines.predictor.merged_windows import WIDTHS
from tests.predictor.made import made_bars

COUNT = 150


def pandas_formulas(bars: Bars) -> Iterator[tuple[str, Any]]:
    """Name and values of each of Qlib's features, missing until the window is complete."""
    o, h, lo, c, v = (pd.Series(column) for column in columns_of(bars))
    top, bottom = np.maximum(o, c), np.minimum(o, c)
    yield "KMID", (c - o) / o
    yield "KLEN", (h - lo) / o
    yield "KMID2", (c - o) / (h - lo + 1e-12)
    yield "KUP", (h - top) / o
    yield "KUP2", (h - top) / (h - lo + 1e-12)
    yield "KLOW", (bottom - lo) / o
    yield "KLOW2", (bottom - lo) / (h - lo + 1e-12)
    yield "KSFT", (2 * c - h - lo) / o
    yield "KSFT2", (2 * c - h - lo) / (h - lo + 1e-12)
    yield "OPEN0", o / c
    yield "HIGH0", h / c
    yield "LOW0", lo / c
    yield "VWAP0", (h + lo + c) / 3 / c
    c1, v1 = c.shift(1), v.shift(1)
    rise, fall, move = (c - c1).clip(lower=0), (c1 - c).clip(lower=0), (c - c1).abs()
    more, less, turn = (v - v1).clip(lower=0), (v1 - v).clip(lower=0), (v - v1).abs()
    up, down = (c > c1).astype(float).where(c1.notna()), (c < c1).astype(float).where(c1.notna())
    weighted = (c / c1 - 1).abs() * v
    log_volume, log_change = pd.Series(np.log(v + 1)), pd.Series(np.log(v / v1 + 1))

    def line(window: NDArray[np.float64]) -> tuple[float, float]:
        slope, level = np.polyfit(np.arange(1, len(window) + 1), window, 1)
        return float(slope), float(level)

    def r_squared(window: NDArray[np.float64]) -> float:
        return float(np.corrcoef(np.arange(len(window)), window)[0, 1] ** 2)

    def residual(window: NDArray[np.float64]) -> float:
        slope, level = line(window)
        return float(window[-1]) - (slope * len(window) + level)

    operators: dict[str, Callable[[int], Any]] = {
        "ROC": lambda d: c.shift(d) / c,
        "MA": lambda d: c.rolling(d).mean() / c,
        "STD": lambda d: c.rolling(d).std() / c,
        "BETA": lambda d: c.rolling(d).apply(lambda w: line(w)[0], raw=True) / c,
        "RSQR": lambda d: c.rolling(d).apply(r_squared, raw=True),
        "RESI": lambda d: c.rolling(d).apply(residual, raw=True) / c,
        "MAX": lambda d: h.rolling(d).max() / c,
        "MIN": lambda d: lo.rolling(d).min() / c,
        "QTLU": lambda d: c.rolling(d).quantile(0.8) / c,
        "QTLD": lambda d: c.rolling(d).quantile(0.2) / c,
        "RANK": lambda d: c.rolling(d).rank(pct=True),
        "RSV": lambda d: (c - lo.rolling(d).min()) / (h.rolling(d).max() - lo.rolling(d).min() + 1e-12),
        "IMAX": lambda d: h.rolling(d).apply(lambda w: w.argmax() + 1, raw=True) / d,
        "IMIN": lambda d: lo.rolling(d).apply(lambda w: w.argmin() + 1, raw=True) / d,
        "IMXD": lambda d: (
            h.rolling(d).apply(lambda w: w.argmax() + 1, raw=True)
            - lo.rolling(d).apply(lambda w: w.argmin() + 1, raw=True)
        ) / d,
        "CORR": lambda d: c.rolling(d).corr(log_volume),
        "CORD": lambda d: (c / c1).rolling(d).corr(log_change),
        "CNTP": lambda d: up.rolling(d).mean(),
        "CNTN": lambda d: down.rolling(d).mean(),
        "CNTD": lambda d: up.rolling(d).mean() - down.rolling(d).mean(),
        "SUMP": lambda d: rise.rolling(d).sum() / (move.rolling(d).sum() + 1e-12),
        "SUMN": lambda d: fall.rolling(d).sum() / (move.rolling(d).sum() + 1e-12),
        "SUMD": lambda d: (rise.rolling(d).sum() - fall.rolling(d).sum()) / (move.rolling(d).sum() + 1e-12),
        "VMA": lambda d: v.rolling(d).mean() / (v + 1e-12),
        "VSTD": lambda d: v.rolling(d).std() / (v + 1e-12),
        "WVMA": lambda d: weighted.rolling(d).std() / (weighted.rolling(d).mean() + 1e-12),
        "VSUMP": lambda d: more.rolling(d).sum() / (turn.rolling(d).sum() + 1e-12),
        "VSUMN": lambda d: less.rolling(d).sum() / (turn.rolling(d).sum() + 1e-12),
        "VSUMD": lambda d: (more.rolling(d).sum() - less.rolling(d).sum()) / (turn.rolling(d).sum() + 1e-12),
    }  # fmt: skip
    for name, values in operators.items():
        for width in (5, 10, 20, 30, 60):
            yield f"{name}{width}", values(width)


def values_of(bars: Bars) -> NDArray[np.float32]:
    """The features of one listing's bars, shape (158, n)."""
    age = np.arange(len(bars))
    return alpha158(columns_of(bars), age, age >= 0)


BARS = made_bars(COUNT)
VALUES = values_of(BARS)
EXPECTED = dict(pandas_formulas(BARS))


def test_names_and_order_are_qlibs() -> None:
    assert [name.upper() for name in ALPHA158_NAMES] == list(EXPECTED)
    assert len(ALPHA158_NAMES) == 158


@pytest.mark.parametrize("place", range(158), ids=ALPHA158_NAMES)
def test_feature_is_qlibs_formula_and_missing_until_its_window_is_complete(place: int) -> None:
    feature, expected = ALPHA158[place], EXPECTED[ALPHA158_NAMES[place].upper()].to_numpy()
    # float32 keeps 24 bits: 6e-8 of a value; pandas' running sums lose more where the result is near 0.
    assert VALUES[place] == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)
    assert np.isnan(VALUES[place][: feature.warm_up]).all()
    assert not np.isnan(VALUES[place][feature.warm_up :]).any()


def test_listings_one_after_the_other_are_as_each_of_its_own_and_only_wanted_bars_have_a_row() -> None:
    many = [made_bars(count, seed=count) for count in (70, 61, 3, 130)]
    age = np.concatenate([np.arange(len(own)) for own in many])
    columns = Columns(*(np.concatenate(column) for column in zip(*map(columns_of, many), strict=True)))
    wanted = age % 3 == 0
    together = alpha158(columns, age, wanted)
    apart = np.concatenate([values_of(own) for own in many], axis=1)
    assert together.tobytes() == np.ascontiguousarray(apart[:, wanted]).tobytes()


def test_later_start_of_history_and_a_spike_before_the_window_change_no_bit() -> None:
    start = COUNT - 61 - 5
    later = values_of(BARS.take(np.arange(COUNT) >= start))
    assert later[:, 60:].tobytes() == VALUES[:, start + 60 :].tobytes()
    close = BARS.close.copy()
    close[start - 1] = 1e9
    spiked = values_of(Bars(**{**BARS.__dict__, "close": close}))
    assert spiked[:, start + 60 :].tobytes() == VALUES[:, start + 60 :].tobytes()


def test_prices_that_do_not_move_have_no_correlation_and_no_deviation() -> None:
    still = Bars(**{**BARS.__dict__, **dict.fromkeys(("open", "high", "low", "close", "factor"), np.ones(COUNT))})
    last = dict(zip(ALPHA158_NAMES, values_of(still)[:, -1].tolist(), strict=True))
    for width in WIDTHS:
        # All are equal: their mean rank is (1 + d) / 2 of d, and the highest of equals is the oldest.
        assert last[f"rank{width}"] == pytest.approx((width + 1) / 2 / width, rel=1e-6)
        assert (last[f"std{width}"], last[f"beta{width}"], last[f"sump{width}"]) == (0.0, 0.0, 0.0)
        assert last[f"imax{width}"] == pytest.approx(1 / width, rel=1e-6)
        assert all(np.isnan(last[f"{name}{width}"]) for name in ("corr", "cord", "rsqr"))


def test_unknown_volume_leaves_the_features_of_prices_and_those_whose_window_does_not_hold_it() -> None:
    volume = BARS.volume.copy()
    volume[100] = np.nan
    found = values_of(Bars(**{**BARS.__dict__, "volume": volume}))
    for feature, own, whole in zip(ALPHA158, found, VALUES, strict=True):
        held = np.arange(COUNT) - 100
        width = feature.window - feature.name.startswith("wvma")  # of the first session in its window it has the close
        changed = (held >= 0) & (held < width) if "volume" in feature.inputs else np.zeros(COUNT, bool)
        assert np.isnan(own[changed]).all(), feature.name
        assert own[~changed].tobytes() == whole[~changed].tobytes(), feature.name


def test_no_window_reaches_over_a_bar_without_a_price() -> None:
    close = BARS.close.copy()
    close[80] = np.nan
    found = values_of(Bars(**{**BARS.__dict__, "close": close}))
    after = values_of(BARS.take(np.arange(COUNT) > 80))
    assert np.isnan(found[:, 80]).all()
    assert found[:, 81:].tobytes() == after.tobytes()
