"""Bars as columns, and what an indicator makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Column = NDArray[np.float64]


def read_bars(path: Path) -> dict[str, Column]:
    """Columns open, high, low, close, volume of a bars file."""
    frame = pd.read_csv(path)
    return {name: frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume")}


def fed(indicator: Any, columns: Sequence[Column], outputs: Sequence[str] = ("value",)) -> list[Column]:
    """Update with each row of the columns; the named attributes after each. Returned and kept value must be one."""
    rows = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        returned = indicator.update(*row)
        assert returned == indicator.value or (returned != returned and indicator.value != indicator.value)
        values = [getattr(indicator, name) for name in outputs]
        assert not indicator.ready or not any(map(np.isnan, values))
        rows.append(values)
    return list(np.array(rows).T)
