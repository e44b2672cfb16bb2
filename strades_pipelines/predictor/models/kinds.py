"""The kinds of models, by name: each is trained for every month, and the first is the linear baseline of the rest."""

from strades_pipelines.predictor.models.dense import KERAS
from strades_pipelines.predictor.models.hgb import HGB
from strades_pipelines.predictor.models.ridge import RIDGE

KINDS = {kind.name: kind for kind in (RIDGE, HGB, KERAS)}
LINEAR = RIDGE.name
