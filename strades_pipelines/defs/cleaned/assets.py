"""The dbt project: staging views, cleaned tables by month, marts."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.resources.dbt import DbtRunnerResource, LayerTranslator
from strades_pipelines.resources.dbt_project import ensure_manifest

TRANSLATOR = LayerTranslator()
MANIFEST = ensure_manifest()


# The views below them are made in the same call of dbt, half of whose cost is the call. They hold no months, but with
# the months of what is before and after them, all of it is one run.
@dbt_assets(
    manifest=MANIFEST,
    select="staging cleaned",
    name="cleaned",
    dagster_dbt_translator=TRANSLATOR,
    partitions_def=MONTHS,
    backfill_policy=SINGLE_RUN,
    pool="dbt",
)
def cleaned(context: dg.AssetExecutionContext, config: WindowConfig, dbt: DbtRunnerResource) -> Iterator[Any]:
    """Records under their final names, and one clean row for each thing that happened, by month."""
    window = run_window(context, config)
    variables = {"min_date": f"{window.start:%Y-%m-%d}", "max_date": f"{window.end:%Y-%m-%d}"}
    yield from dbt.build(context, variables=variables)


@dbt_assets(manifest=MANIFEST, select="marts", name="marts", dagster_dbt_translator=TRANSLATOR, pool="dbt")
def marts(context: dg.AssetExecutionContext, dbt: DbtRunnerResource) -> Iterator[Any]:
    """Tables for people."""
    yield from dbt.build(context)


def defs() -> dg.Definitions:
    """The dbt project's assets and checks."""
    return dg.Definitions(assets=[cleaned, marts])
