"""Run config comes from whoever can reach Dagster's GraphQL: it names no URL, no path, no command and no SQL."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan
from pydantic import ValidationError

from strades_pipelines.definitions import defs
from strades_pipelines.defs.rawsources.assets import FetchConfig
from strades_pipelines.defs.trading.assets import TradeConfig
from strades_pipelines.partitions import WindowConfig

# Dagster's own: how often steps are tried again, the level of the console's log, a marker in a chart.
DAGSTERS = {
    "execution.config.retries.disabled",
    "execution.config.retries.enabled",
    "execution.config.step_dependency_config.require_upstream_step_success",
    "execution.config.marker_to_close",
    "loggers.console.config.log_level",
    "loggers.console.config.name",
}
OURS = {"from_date", "to_date", "modes", "force"}
PATH_OF_ANOTHER = "/tmp/of-another-user"


@pytest.fixture(scope="module")
def jobs() -> dict[str, dg.JobDefinition]:
    """Every job, the one of all assets included."""
    return {job.name: job for job in defs().get_repository_def().get_all_jobs()}


def leaves(config_type: Any, path: str = "") -> Iterator[str]:
    """The fields of a run config's schema that take a value; what takes `{}` alone has none."""
    fields = getattr(config_type, "fields", None)
    if fields is None:
        yield path
    for name, field in (fields or {}).items():
        yield from leaves(field.config_type, f"{path}.{name}".lstrip("."))


def test_no_resource_takes_anything_from_run_config(jobs: dict[str, dg.JobDefinition]) -> None:
    assert len(jobs) > 10
    for name, job in jobs.items():
        schema = job.run_config_schema.run_config_schema_type
        assert [leaf for leaf in leaves(schema) if leaf.startswith("resources.")] == [], name


def test_what_run_config_can_say_is_known(jobs: dict[str, dg.JobDefinition]) -> None:
    found = {leaf for job in jobs.values() for leaf in leaves(job.run_config_schema.run_config_schema_type)}
    said = {leaf for leaf in found if leaf.rpartition(".")[2] in OURS and leaf.startswith("ops.")}
    ignored = {leaf for leaf in found if leaf.startswith("ops.") and leaf.endswith(".config")}  # the op declares none
    assert found - said - ignored <= DAGSTERS


@pytest.mark.parametrize(
    ("job", "resource", "config"),
    [
        ("generate_dbt_docs_job", "dbt", {"target": PATH_OF_ANOTHER}),
        ("generate_dbt_docs_job", "dbt", {"url": "postgresql://a:b@127.0.0.1/c"}),
        ("execute_trades_job", "database", {"url": "postgresql://a:b@127.0.0.1/c"}),
        ("execute_trades_job", "io_manager", {"base_dir": PATH_OF_ANOTHER}),
        ("__ASSET_JOB", "io_manager", {"base_dir": {"env": "DATABASE_URL"}}),
    ],
)
def test_a_run_that_names_a_url_or_a_path_is_refused(
    jobs: dict[str, dg.JobDefinition], job: str, resource: str, config: dict[str, Any]
) -> None:
    create_execution_plan(jobs[job], {})
    with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected"):
        create_execution_plan(jobs[job], {"resources": {resource: {"config": config}}})


@pytest.mark.parametrize("model", [WindowConfig, FetchConfig, TradeConfig])
@pytest.mark.parametrize("day", ["now", "2012-01-01'; DROP", "2012-01-01T00:00", "/etc/passwd", "2012-13-01", ""])
def test_a_day_is_a_date(model: type[dg.Config], day: str) -> None:
    model(from_date="2012-01-01", to_date="2012-02-29")
    for field in ("from_date", "to_date"):
        with pytest.raises(ValidationError):
            model(**{field: day})


def test_a_mode_is_a_known_one() -> None:
    assert TradeConfig(modes=["paper", "live"]).modes == ["paper", "live"]
    with pytest.raises(ValidationError):
        TradeConfig(modes=["paper", "../live"])
