"""The code location: the one thing Dagster loads."""

import pkgutil
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module

import dagster as dg

from strades_pipelines.system.processes import tie_run_to_code_location

tie_run_to_code_location()
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.definitions
def defs() -> dg.Definitions:
    """Every asset, check, schedule and sensor under `defs/`, and the resources they are handed."""
    from strades_pipelines.defs.automation.conditions import move_by_data
    from strades_pipelines.defs.automation.freshness import expect_fresh
    from strades_pipelines.defs.executor import stoppable_executor
    from strades_pipelines.resources.database import Database
    from strades_pipelines.resources.dbt import DbtRunnerResource
    from strades_pipelines.resources.notifier import Notifier
    from strades_pipelines.resources.spiders import SpiderRunner

    resources = {
        "database": without_run_config(Database),
        "dbt": without_run_config(DbtRunnerResource),
        # Assets store their rows themselves. Dagster's own manager takes a folder of pickles from run config.
        "io_manager": dg.IOManagerDefinition(lambda _: dg.InMemoryIOManager(), config_schema={}),  # type: ignore[no-untyped-call]
        "notifier": Notifier(),
        "spiders": SpiderRunner(),
    }
    wiring = dg.Definitions(resources=resources, executor=stoppable_executor)
    whole = dg.Definitions.merge(*layers(), wiring)
    return whole.map_resolved_asset_specs(func=lambda spec: expect_fresh(move_by_data(spec)))


def without_run_config(resource: Callable[[], object]) -> dg.ResourceDefinition:
    """A resource whose fields run config cannot set.

    Run config is written by whoever reaches Dagster's pages: through a field for a URL or a folder he would have files
    read and written as the user of Strades. Not `hardcoded_resource`, which ignores such config and starts the run.
    """
    return dg.ResourceDefinition(lambda _: resource(), config_schema={})


def layers() -> Iterator[dg.Definitions]:
    """What each module under `defs/` that has something to say says in its function `defs`.

    `dg.load_from_defs_folder` would do as much, with its components, which take as long as everything else.
    """
    from strades_pipelines import defs as folder

    for found in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
        module = import_module(found.name)
        if hasattr(module, "defs"):
            yield module.defs()
