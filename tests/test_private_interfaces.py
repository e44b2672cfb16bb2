"""What the project uses of other packages without their promise to keep it: all of it is listed here, and is there.

With another version of one of them this fails first: look at each place, try what rests on it, then write the version.
"""

import ast
import inspect
from importlib import import_module
from importlib.metadata import version

import pytest
from scrapy import Request
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware

from scrapers.request_url import set_url
from strades_pipelines.settings import PROJECT

VERSIONS = {
    "dagster": "1.13.27",
    "dagster-postgres": "0.29.27",
    "dbt-core": "1.11.16",
    "scrapy": "2.19.0",
    "twisted": "26.10.0",
}
INNER = ("dbt.contracts", "dbt.parser")  # dbt promises its command line and `dbtRunner` alone
IMPORTED = {
    "scrapers/decompression.py": "scrapy.utils._compression: brotli zstd",
    "scrapers/download_handler.py": "twisted.web._newclient: DONE HTTP11ClientProtocol Request",
    "strades_pipelines/orchestration/dagster_storage.py": """
        dagster._core.definitions.declarative_automation.serialized_objects: AutomationConditionEvaluation
        AutomationConditionEvaluationWithRunIds
        dagster._core.storage.event_log.schema: SqlEventLogStorageTable
        dagster._daemon.types: DaemonHeartbeat
        dagster._serdes: ConfigurableClassData
        dagster._utils.concurrency: ConcurrencyClaimStatus
    """,
    "strades_pipelines/defs/automation/movable_schedule.py": """
        dagster._core.definitions.schedule_definition: ScheduleExecutionData
    """,
    "strades_pipelines/defs/executor.py": """
        dagster._core.execution.context.system: PlanOrchestrationContext
        dagster._core.execution.plan.plan: ExecutionPlan
        dagster._core.execution.retries: RetryMode
    """,
    "strades_pipelines/defs/ops/instance.py": """
        dagster._core.scheduler.instigation: InstigatorStatus InstigatorType ScheduleInstigatorData InstigatorState
    """,
    "strades_pipelines/installation/install.py": """
        dagster._core.storage.event_log: SqlEventLogStorageMetadata
        dagster._core.storage.runs: RunStorageSqlMetadata
        dagster._core.storage.schedules: ScheduleStorageSqlMetadata
    """,
    "strades_pipelines/resources/dbt_project.py": """
        dbt.contracts.graph.manifest: Manifest
        dbt.parser.manifest: extended_mashumuro_decoder
    """,
    "strades_pipelines/serving/webserver.py": """
        dagster._core.workspace.context: IWorkspaceProcessContext WorkspaceProcessContext
        dagster._core.workspace.load_target: WorkspaceFileTarget
        dagster._utils.log: configure_loggers
    """,
}
# Methods of Dagster that `dagster_storage.py` and `movable_schedule.py` replace or call, with their arguments.
METHODS = {
    "dagster_postgres.event_log:PostgresEventLogStorage._has_asset_key_col_on_connection": ["conn", "column_name"],
    "dagster_postgres.event_log:PostgresEventLogStorage._event_to_row": ["event"],
    "dagster_postgres.event_log:PostgresEventLogStorage._store_asset_event": ["conn", "event", "event_id"],
    "dagster_postgres.event_log:PostgresEventLogStorage.prepare_insert_event_batch": ["events"],
    "dagster_postgres.event_log:PostgresEventLogStorage.store_asset_check_event": ["event", "event_id"],
    "dagster_postgres.run_storage:PostgresRunStorage.add_daemon_heartbeat": ["daemon_heartbeat"],
    "dagster_postgres.schedule_storage:PostgresScheduleStorage.purge_asset_evaluations": ["before"],
    "dagster:ScheduleDefinition.evaluate_tick": ["context"],
}


def pairs(text: str) -> set[tuple[str, str]]:
    """The module and each name of `module: name name`."""
    found, module = set(), ""
    for word in text.split():
        if word.endswith(":"):
            module = word[:-1]
        else:
            found.add((module, word))
    return found


def is_private(module: str) -> bool:
    return any(part.startswith("_") and part != "__future__" for part in module.split(".")) or module.startswith(INNER)


def imported(text: str) -> set[tuple[str, str]]:
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    return {
        (node.module, alias.name) for node in nodes if node.module and is_private(node.module) for alias in node.names
    }


def test_every_import_of_what_nobody_promises_is_listed() -> None:
    found = {}
    for package in ("strades_pipelines", "scrapers", "sandbox", "dashboard"):
        for path in (PROJECT / package).rglob("*.py"):
            if names := imported(path.read_text(encoding="utf-8")):
                found[path.relative_to(PROJECT).as_posix()] = names
    assert found == {file: pairs(names) for file, names in IMPORTED.items()}


@pytest.mark.parametrize("package", VERSIONS)
def test_the_version_is_the_one_that_was_looked_at(package: str) -> None:
    assert version(package) == VERSIONS[package]


def test_what_is_imported_is_there() -> None:
    for module, name in set().union(*map(pairs, IMPORTED.values())):
        assert hasattr(import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_what_it_took(method: str) -> None:
    module, _, path = method.partition(":")
    cls, _, name = path.partition(".")
    found = inspect.signature(getattr(getattr(import_module(module), cls), name))
    assert [argument for argument in found.parameters if argument != "self"] == METHODS[method]


def test_scrapy_changes_the_address_of_a_request_itself_and_asks_the_middleware_to_decode() -> None:
    request = Request("https://h.example/a")
    set_url(request, "https://h.example/b?key=1")
    assert request.url == "https://h.example/b?key=1"
    assert list(inspect.signature(HttpCompressionMiddleware._decode).parameters)[-3:] == [
        "body",
        "encoding",
        "max_size",
    ]
