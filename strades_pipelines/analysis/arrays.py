"""The arrays everything here works on, and what they must be."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR = 365.25 * DAY  # the Julian year


def floats(values: npt.ArrayLike) -> Floats:
    """As a float64 array of one dimension."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"expected one dimension, was {array.ndim}")
    return array


def instants(values: npt.ArrayLike) -> Ints:
    """As int64 microseconds UTC; datetime64 of any unit is converted. ValueError where time runs backwards."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
    array = array.astype(np.int64)
    if array.ndim != 1:
        raise ValueError(f"times: expected one dimension, was {array.ndim}")
    if np.any(backwards := array[1:] < array[:-1]):
        row = int(backwards.argmax()) + 1
        raise ValueError(f"times: expected ascending, was {array[row]} after {array[row - 1]} at row {row}")
    return array


def same_length(**arrays: npt.NDArray[np.generic]) -> None:
    """ValueError naming the arrays whose lengths differ."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected arrays of one length, was {lengths}")


def finite_or_none(value: float) -> float | None:
    """For JSON, which has no nan and no infinity."""
    return float(value) if np.isfinite(value) else None
