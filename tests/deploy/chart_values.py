"""What we set of the values of Dagster's Helm chart, as a model of our own: the chart's schema is in no package.

Written after the chart's sources as of 2026-11 (its Pydantic models of values, whose classes forbid other keys, too); a
key that is not here is a typo, or is to be looked up there and added.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Closed(BaseModel):
    """No other keys."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Switch(Closed):
    """`switch` of the chart."""

    enabled: bool


class Image(Closed):
    """`image` of the chart."""

    repository: str = Field(pattern=r"^[a-z0-9.-]+(/[a-z0-9.-]+)+$")
    tag: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    pull_policy: Literal["Always", "IfNotPresent", "Never"]


class Named(Closed):
    """`named` of the chart."""

    name: str


class Port(Closed):
    """`port` of the chart."""

    port: int


class Postgresql(Closed):
    """`postgresql` of the chart."""

    enabled: Literal[False]
    postgresql_host: str
    postgresql_username: str
    postgresql_database: str
    postgresql_params: dict[str, str]
    service: Port


class Global(Closed):
    """`global` of the chart."""

    postgresql_secret_name: str
    dagster_home: str


class RunK8sConfig(Closed):
    """`runK8sConfig` of the chart."""

    container_config: dict[str, Any]
    pod_spec_config: dict[str, Any]
    job_spec_config: dict[str, Any]


class K8sRunLauncher(Closed):
    """`k8sRunLauncher` of the chart."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"]
    load_incluster_config: bool
    fail_pod_on_run_failure: bool
    run_config: RunK8sConfig = Field(alias="runK8sConfig")


class RunLauncherConfig(Closed):
    """`runLauncherConfig` of the chart."""

    launcher: K8sRunLauncher = Field(alias="k8sRunLauncher")


class RunLauncher(Closed):
    """`runLauncher` of the chart."""

    type: Literal["K8sRunLauncher"]
    config: RunLauncherConfig


class ComputeLogManager(Closed):
    """`computeLogManager` of the chart."""

    type: Literal["NoOpComputeLogManager"]


class PythonLogs(Closed):
    """`pythonLogs` of the chart."""

    managed_python_loggers: list[str]
    dagster_handler_config: dict[str, Any]


class Days(Closed):
    """`days` of the chart."""

    skipped: int
    success: int
    failure: int
    started: int


class Ticks(Closed):
    """`ticks` of the chart."""

    purge_after_days: int | Days


class Retention(Closed):
    """`retention` of the chart."""

    enabled: bool
    schedule: Ticks
    sensor: Ticks


class Pools(Closed):
    """`pools` of the chart."""

    granularity: Literal["op", "run"]
    default_limit: int


class TagLimit(Closed):
    """`tagLimit` of the chart."""

    key: str
    limit: int
    value: str | None = None


class Runs(Closed):
    """`runs` of the chart."""

    max_concurrent_runs: int
    tag_concurrency_limits: list[TagLimit]


class Concurrency(Closed):
    """`concurrency` of the chart."""

    enabled: bool
    pools: Pools
    runs: Runs


class Part(Closed):
    """What the daemon, the webserver and the code location have in common."""

    image: Image
    env_config_maps: list[Named]
    env_secrets: list[Named]
    pod_security_context: dict[str, Any]
    security_context: dict[str, Any]
    volumes: list[dict[str, Any]]
    volume_mounts: list[dict[str, Any]]
    resources: dict[str, Any]


class RunMonitoring(Closed):
    """`runMonitoring` of the chart."""

    enabled: bool
    start_timeout_seconds: int
    max_resume_run_attempts: int
    poll_interval_seconds: int
    free_slots_after_run_end_seconds: int


class RunRetries(Closed):
    """`runRetries` of the chart."""

    enabled: bool
    max_retries: int
    retry_on_asset_or_op_failure: bool


class Workers(Closed):
    """`workers` of the chart."""

    use_threads: bool
    num_workers: int


class Daemon(Part):
    """`daemon` of the chart."""

    enabled: bool
    run_monitoring: RunMonitoring
    run_retries: RunRetries
    schedules: Workers
    sensors: Workers


class Service(Closed):
    """`service` of the chart."""

    type: Literal["ClusterIP"]
    port: int = Field(gt=1023)


class Webserver(Part):
    """`webserver` of the chart."""

    service: Service
    readiness_probe: dict[str, Any]

    replica_count: int
    path_prefix: str
    enable_read_only: bool


class UserDeployment(Part):
    """`userDeployment` of the chart."""

    name: str
    port: int
    dagster_api_grpc_args: list[str]
    include_config_in_launched_runs: Switch
    init_containers: list[dict[str, Any]] = Field(default_factory=list)


class UserDeployments(Closed):
    """`userDeployments` of the chart."""

    enabled: bool
    enable_subchart: bool
    deployments: list[UserDeployment]


class ChartValues(Closed):
    """The whole file."""

    global_: Global = Field(alias="global")
    postgresql: Postgresql
    generate_postgresql_password_secret: Literal[False]
    generate_celery_config_secret: Literal[False]
    rabbitmq: Switch
    redis: Switch
    flower: Switch
    ingress: Switch
    telemetry: Switch
    migrate: Switch
    run_launcher: RunLauncher
    compute_log_manager: ComputeLogManager
    python_logs: PythonLogs
    retention: Retention
    concurrency: Concurrency
    dagster_daemon: Daemon
    dagster_webserver: Webserver
    user_deployments: UserDeployments = Field(alias="dagster-user-deployments")
