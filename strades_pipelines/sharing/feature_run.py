"""What a bundle of a feature set comes to: its function over the declared bars, and over the first part of each.

A function `features(bars)` gets one instrument's `Bars` (strades_pipelines/simulation/backtest.py) and returns a column
of numbers for each feature by its name, as long as the bars; NaN where there is none yet. A column that is another one
as soon as later bars are known has seen them: such a set is no feature set.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from strades_pipelines.bad_input import BadInput
from strades_pipelines.sharing.code_hashes import hash_of_rooms
from strades_pipelines.system.isolation import Limits

if TYPE_CHECKING:
    from strades_pipelines.simulation.backtest import Bars

ROOMS = ("bars", "market", "simulation", "strategy")
MOST_FEATURES = 1000
CUTS = 4  # of the bars: the function is run over the first quarter, half and three quarters, too
TOLERANCE = 1e-9  # sums of many numbers may be added in another order over fewer bars
Columns = Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"]


@dataclass(frozen=True)
class FeatureQuestion:
    """What is run: `file` is the path of the code in its folder, `function` its function."""

    names: ClassVar[tuple[str, ...]] = ("features",)
    file: str
    function: str
    bars: "Sequence[Bars]"
    limits: Limits = field(default_factory=Limits)

    def work_out(self, work: Path) -> Mapping[str, Any]:
        """Of each instrument and feature the number of values and the hash of the column (float64, little endian)."""
        from strades_pipelines.strategy.strategy_files import load_function

        function = load_function(work / self.file, self.function)
        columns = {one.name: columns_without_look_ahead(function, one) for one in self.bars}
        told = {
            name: {feature: _described(values) for feature, values in found.items()} for name, found in columns.items()
        }
        counts = [one["values"] for found in told.values() for one in found.values()]
        return {
            "result": {"features": told},
            "claims": {"features": len({name for found in told.values() for name in found}), "values": sum(counts)},
            "code_sha256": hash_of_rooms(*ROOMS),
        }


def columns_without_look_ahead(function: Callable[["Bars"], Any], bars: "Bars") -> Columns:
    """The features of an instrument.

    Raises:
        BadInput: they are no columns as long as the bars, or values change once later bars are known.
    """
    whole = _columns(function, bars)
    for part in range(1, CUTS):
        count = len(bars.time) * part // CUTS
        if count == 0:
            continue
        early = _columns(function, _first(bars, count))
        if early.keys() != whole.keys():
            raise BadInput(f"{bars.name}: expected the same features of the first {count} bars, found others")
        for name, values in early.items():
            same = np.isclose(values, whole[name][:count], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
            if not same.all():
                raise BadInput(
                    f"{bars.name}: {name}: bar {int(np.argmin(same))} has {whole[name][int(np.argmin(same))]:g}, and "
                    f"{values[int(np.argmin(same))]:g} where only {count} bars are known: it looks ahead"
                )
    return whole


def _first(bars: "Bars", count: int) -> "Bars":
    days = None if bars.days is None else bars.days[:count]
    return replace(
        bars, time=bars.time[:count], open_time=bars.open_time[:count], prices=bars.prices[:, :count], days=days
    )


def _columns(function: Callable[["Bars"], Any], bars: "Bars") -> Columns:
    # A copy of its own: what it writes into the prices is nowhere else.
    found = function(replace(bars, time=bars.time.copy(), open_time=bars.open_time.copy(), prices=bars.prices.copy()))
    if not isinstance(found, Mapping) or not 1 <= len(found) <= MOST_FEATURES:
        raise BadInput(f"{bars.name}: expected columns by the names of 1 to {MOST_FEATURES} features, found another")
    columns = {}
    for name, values in found.items():
        if not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= 80):
            raise BadInput(f"{bars.name}: expected a short name of a feature, found {str(name)[:80]!r}")
        columns[name] = np.ascontiguousarray(values, dtype="<f8")
        if columns[name].shape != bars.time.shape:
            raise BadInput(
                f"{bars.name}: {name}: expected {len(bars.time)} values, found the shape {columns[name].shape}"
            )
    return columns


def _described(values: "np.ndarray[Any, np.dtype[np.float64]]") -> dict[str, Any]:
    return {"values": int(np.isfinite(values).sum()), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}
