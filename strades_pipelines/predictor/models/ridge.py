"""Ridge regression: the linear baseline that the others are held against."""

from typing import Any

import numpy as np

from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.windows import Floats

# A day's return is almost all noise: a share of a thousandth explained by 70 features asks for a penalty of thousands.
PARAMETERS = {"alpha": 10_000.0, "impute": "median"}


def fit(training: Training, _seed: int) -> Any:
    """A pipeline fitted on nothing but these rows. One thread: the same bits on any number of cores."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # SimpleImputer sorts masked arrays, nine tenths of a fit's time; the medians of the row of medians are the same.
    impute = SimpleImputer(strategy=PARAMETERS["impute"], keep_empty_features=True).fit(medians(training.x))
    regress = Ridge(alpha=PARAMETERS["alpha"], solver="cholesky", copy_X=False)
    with threadpool_limits(limits=1):
        x = impute.transform(training.x)  # the one copy: years of a firm's universe are hundreds of megabytes
        scale = scaler(x)
        regress.fit(scale.transform(x, copy=False), training.target)
    return Pipeline([("impute", impute), ("scale", scale), ("regress", regress)])


def scaler(x: Floats) -> Any:
    """A StandardScaler fitted on the columns one by one: fitted on all at once it would copy the rows once more."""
    from sklearn.preprocessing import StandardScaler

    fitted, columns = StandardScaler().fit(x[:1]), [StandardScaler().fit(column[:, None]) for column in x.T]
    for name in ("mean_", "var_", "scale_"):
        setattr(fitted, name, np.concatenate([getattr(column, name) for column in columns]))
    fitted.n_samples_seen_ = columns[0].n_samples_seen_
    return fitted


def medians(x: Floats) -> Floats:
    """The median of each column's values, NaN where it has none, of shape (1, columns)."""
    present = (column[~np.isnan(column)] for column in x.T)  # one at a time: a list would hold all rows again
    return np.array([[np.median(values) if len(values) else np.nan for values in present]])


def predict(pipeline: Any, features: Floats) -> Floats:
    """The pipeline's values, summed in one fixed order.

    The last bits of a matrix product depend on how many rows it has. Imputing and scaling work on each number alone.
    """
    regress = pipeline[-1]
    values = np.full(len(features), float(regress.intercept_))
    for column, weight in zip(pipeline[:-1].transform(features).T, regress.coef_, strict=True):
        values += column * weight
    return values


def numbers(pipeline: Any) -> list[Any]:
    """What was fitted."""
    impute, scale, regress = (pipeline.named_steps[name] for name in ("impute", "scale", "regress"))
    parts = (impute.statistics_, scale.mean_, scale.scale_, regress.coef_, regress.intercept_)
    return [np.asarray(part, np.float64) for part in parts]


RIDGE = Kind(
    "ridge", "1", PARAMETERS, ("numpy", "scikit-learn", "scipy", "skops"), "skops", fit, predict, numbers
)  # fmt: skip
