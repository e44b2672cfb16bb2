"""The registry of the daily features: what each is, what it sees, and how it is computed.

Those that were first come first, in the order of the table's columns; each family adds its own after them.
"""

from collections.abc import Collection

from strades_pipelines.predictor.families.alpha158 import ALPHA158
from strades_pipelines.predictor.families.calendar import CALENDAR
from strades_pipelines.predictor.families.cross_section import CROSS_SECTION
from strades_pipelines.predictor.families.news import NEWS
from strades_pipelines.predictor.families.published import FX, MORE_FX, RATES
from strades_pipelines.predictor.families.returns import MORE_RETURNS, RETURNS
from strades_pipelines.predictor.families.trend import MORE_TREND, TREND
from strades_pipelines.predictor.families.volatility import MORE_VOLATILITY, RANGES, VOLATILITY
from strades_pipelines.predictor.families.volume import MORE_VOLUME, VOLUME
from strades_pipelines.predictor.feature import Feature, PeerFeature

FEATURES_VERSION = "3"  # goes into every inputs_hash: bump it when a formula, or what is hashed, changes
SESSIONS = 61  # the longest window of bars
FEATURES: tuple[Feature, ...] = (
    *RETURNS, *VOLATILITY, *TREND, *VOLUME, *RANGES, *FX,
    *MORE_RETURNS, *MORE_TREND, *MORE_VOLATILITY, *MORE_VOLUME, *CALENDAR, *MORE_FX, *RATES, *NEWS,
)  # fmt: skip
REGISTRY: tuple[Feature | PeerFeature, ...] = (*FEATURES, *CROSS_SECTION)
NAMES = tuple(feature.name for feature in REGISTRY)
FAMILIES = tuple(dict.fromkeys(feature.family for feature in REGISTRY))
# Computed, and stored in a table of their own, only where a kind of model has their family.
OPTIONAL = ALPHA158
OPTIONAL_NAMES = tuple(feature.name for feature in OPTIONAL)
OPTIONAL_FAMILIES = tuple(dict.fromkeys(feature.family for feature in OPTIONAL))


def names_of(families: Collection[str]) -> tuple[str, ...]:
    """The features of some families, in the order of the registry.

    Raises:
        ValueError: when there is no such family.
    """
    unknown = set(families) - {*FAMILIES, *OPTIONAL_FAMILIES}
    if unknown:
        known = ", ".join((*FAMILIES, *OPTIONAL_FAMILIES))
        raise ValueError(f"expected families of {known}; was {', '.join(sorted(unknown))}")
    return tuple(feature.name for feature in (*REGISTRY, *OPTIONAL) if feature.family in families)


def as_markdown() -> str:
    """The registry as the tables of docs/features.md, a family each."""
    lines = []
    for family in FAMILIES:
        lines += [
            f"## {family[0].upper()}{family[1:]}",
            "",
            "| feature | formula | window | missing | source | version |",
        ]
        lines += ["|---|---|---|---|---|---|", *(_row(one) for one in REGISTRY if one.family == family), ""]
    return "\n".join(lines)


def _row(one: Feature | PeerFeature) -> str:
    formula = f"{one.formula}; tolerance {one.tolerance:g}" if one.tolerance else one.formula
    cells = (f"`{one.name}`", formula.replace("|", "\\|"), str(one.window), one.missing, one.source, one.version)
    return f"| {' | '.join(cells)} |"
