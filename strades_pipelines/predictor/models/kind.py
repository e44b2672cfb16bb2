"""What a kind of model has to offer: fitting, forecasting, and numbers that identify it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.formulas import FAMILIES, names_of
from strades_pipelines.predictor.windows import Floats


@dataclass(frozen=True)
class Kind:
    """A kind of model. All fitting, imputing and scaling included, is in `fit`, which sees the training rows only.

    `predict` takes features of shape (n, features), NaN where missing, and gives shape (n,); a row's value does not
    depend on the rows beside it, so that a day's forecast equals the same day's in a backfilled month.
    """

    name: str
    version: str  # bump it when the kind's maths change
    parameters: Mapping[str, Any]
    libraries: tuple[str, ...]
    format: str  # of the stored artifact: see artifacts.py
    fit: Callable[[Training, int], Any]  # the second is the seed
    predict: Callable[[Any, Floats], Floats]
    numbers: Callable[[Any], Sequence[Any]]
    families: tuple[str, ...] = FAMILIES  # of features that it sees

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it is fitted on."""
        return names_of(self.families)

    def seed(self, month: str) -> int:
        """The seed of a month's model: of its name and month alone, so that a rerun draws the same numbers."""
        return int.from_bytes(hashlib.sha256(f"{self.name}:{month}".encode()).digest()[:4])

    def fitted_hash(self, fitted: Any) -> str:
        """SHA-256 over the fitted numbers; the stored file differs at every dump."""
        digest = hashlib.sha256()
        for part in self.numbers(fitted):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()
