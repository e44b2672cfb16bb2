"""Gradient-boosted trees on histograms: few, small and slow to learn, since a day's return is almost all noise."""

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

    absent = np.isnan(training.x).all(axis=0)  # the binning does not take a column of nothing; none is split by a 0
    with threadpool_limits(limits=1):
        trees = HistGradientBoostingRegressor(**PARAMETERS, random_state=seed)
        return trees.fit(np.where(absent, 0.0, training.x), training.target)


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
