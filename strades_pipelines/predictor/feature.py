"""What an entry of the registry of features says."""

from collections.abc import Callable
from dataclasses import dataclass

from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import Floats

Compute = Callable[[Known], Floats]
INCOMPLETE = "missing until the window is complete, and where a value in it is missing"


@dataclass(frozen=True)
class Feature:
    """A feature of a listing's session.

    `window` counts what a value is computed from, the session's own included: sessions, or publications of the series
    named in `inputs`. Nothing beyond it is seen, so `warm_up` is all that history must hold before a value is final.
    """

    name: str
    family: str
    formula: str
    window: int
    inputs: tuple[str, ...]
    source: str
    compute: Compute
    missing: str = INCOMPLETE
    tolerance: float = 0.0  # for a recursive definition cut at its window: the most it may differ from it
    version: str = "1"

    @property
    def warm_up(self) -> int:
        """How many sessions or publications before the first are not enough for a value."""
        return self.window - 1


@dataclass(frozen=True)
class PeerFeature:
    """A feature that compares a listing's `of` with that of the other listings of its venue in the same session."""

    name: str
    formula: str
    of: str
    window: int
    source: str
    statistic: str  # one of cross_section.STATISTICS
    missing: str = "missing where the listing or all its peers have no value"
    family: str = "cross-section"
    tolerance: float = 0.0
    version: str = "1"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one column that is compared."""
        return (self.of,)

    @property
    def warm_up(self) -> int:
        """How many sessions before the first are not enough for a value."""
        return self.window - 1
