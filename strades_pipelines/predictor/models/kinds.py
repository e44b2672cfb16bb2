"""The kinds of models, by name: each is trained for every month, and the first is the linear baseline of the rest."""

from collections.abc import Mapping

from strades_pipelines.predictor.models.dense import KERAS
from strades_pipelines.predictor.models.hgb import HGB
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.ridge import RIDGE

KINDS = {kind.name: kind for kind in (RIDGE, HGB, KERAS)}
LINEAR = RIDGE.name


def families_of(kinds: Mapping[str, Kind]) -> frozenset[str]:
    """The families of features that some kind sees."""
    return frozenset(family for kind in kinds.values() for family in kind.families)
