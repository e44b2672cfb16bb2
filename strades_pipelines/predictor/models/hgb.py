"""Gradient-boosted trees on histograms: few, small and slow to learn, since a day's return is almost all noise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.windows import Floats

PARAMETERS = {
    "max_iter": 30, "max_leaf_nodes": 6, "learning_rate": 0.05, "min_samples_leaf": 40, "l2_regularization": 10.0,
    "early_stopping": False,
}  # fmt: skip


def fit(training: Training, seed: int) -> Any:
    """Trees fitted on nothing but these rows; a missing value takes its own way in them. One thread is fastest here."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    trees = HistGradientBoostingRegressor(**PARAMETERS, random_state=seed)
    with threadpool_limits(limits=1), _absent_as_zeros(training.x):
        return trees.fit(training.x, training.target)


@contextmanager
def _absent_as_zeros(x: Floats) -> Iterator[None]:
    """Columns of nothing hold zeros meanwhile: the binning does not take them, and none is split by a 0.

    In place: years of a firm's universe are hundreds of megabytes, and a copy for the sake of a column is as large.
    """
    absent = [column for column in x.T if np.isnan(column).all()]
    try:
        for column in absent:
            column[:] = 0.0
        yield
    finally:
        for column in absent:
            column[:] = np.nan


def predict(trees: Any, features: Floats) -> Floats:
    """The sum of the trees' leaves, row by row."""
    values: Floats = trees.predict(features)
    return values


def numbers(trees: Any) -> list[Any]:
    """What was fitted: the baseline and each tree's nodes, field by field, since padding between them is undefined."""
    nodes = [predictor.nodes for iteration in trees._predictors for predictor in iteration]
    fields = [np.asarray(node[field]) for node in nodes for field in node.dtype.names]
    return [np.asarray(trees._baseline_prediction), *fields]


HGB = Kind("hgb", "1", PARAMETERS, ("numpy", "scikit-learn", "scipy", "skops"), "skops", fit, predict, numbers)
