"""Schedules, sensors and runs as Dagster has them now, and what can be asked of it. Times are UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.gateway.dagster import LOCATION, REPOSITORY, DagsterRefused, ask, one_line
from dashboard.gateway.reading import read

# What sends orders: to start it takes what a resume does, to stop it what a halt does.
OWN_CRON = "own_cron"  # metadata of a schedule: its times without an override
TRADING_JOB, TRADING_TAG, TRADING_LAYER = "execute_trades_job", "strades/trade", "trading"
REQUEST_TAG, PERSON_TAG = "strades/request", "strades/requested_by"
FIRST_MONTH, LAST_MONTH, MONTH = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
    "dagster/partition",
)
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
OPS_TABLES = ("events", "runs", "schedules", "ticks")
LAST_TICKS = """
    SELECT DISTINCT ON (t.schedule) t.schedule, t.tick_at, t.status, t.run_id FROM ops.ticks AS t
    WHERE t.status <> 'planned' AND t.schedule = ANY(%(names)s) ORDER BY t.schedule, t.tick_at DESC
"""
KNOWN = "SELECT s.name, s.kind, s.cron, s.status FROM ops.schedules AS s ORDER BY s.kind, s.name LIMIT 500"


@dataclass(frozen=True)
class Automation:
    """A schedule (with its times, UTC) or a sensor (with its least interval in seconds).

    Args:
        dagster_id: None where it was read from ops.schedules, as it was last seen.
        own_cron: the times without an override.
    """

    name: str
    kind: str
    status: str
    cron: str | None
    own_cron: str | None = None
    dagster_id: str | None = None
    every: int | None = None
    jobs: tuple[str, ...] = ()
    description: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is switched on."""
        return self.status == "RUNNING"

    @property
    def trades(self) -> bool:
        """Whether its runs send orders."""
        return TRADING_JOB in self.jobs

    @property
    def is_moved(self) -> bool:
        """Whether a person gave it other times than its own."""
        return self.own_cron is not None and self.cron != self.own_cron


@dataclass(frozen=True)
class DagsterRun:
    """A run of Dagster; `months` as `first..last`."""

    run_id: str
    job: str
    status: str
    months: str
    assets: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing works on it any more."""
        return self.status not in UNFINISHED

    @property
    def trades(self) -> bool:
        """Whether it sends orders."""
        layers = {asset.partition("/")[0] for asset in self.assets}
        return self.job == TRADING_JOB or TRADING_TAG in dict(self.tags) or TRADING_LAYER in layers


@dataclass(frozen=True)
class LastTick:
    """The newest tick of a schedule that was, as ops.ticks has it."""

    schedule: str
    tick_at: datetime
    status: str
    run_id: str | None


@dataclass(frozen=True)
class BackfillPart:
    """An asset and its months, both inclusive, as `2024-01-01`."""

    asset: str
    first: str
    last: str


def read_automation() -> list[Automation]:
    """All schedules and sensors, from Dagster. Raises `DagsterDown`, `DagsterRefused`."""
    found = ask("automation", "Repository", repository=REPOSITORY)
    schedules = [
        Automation(
            name=one["name"],
            kind="schedule",
            status=one["scheduleState"]["status"],
            cron=one["cronSchedule"],
            own_cron=next((m.get("text") for m in one["metadataEntries"] if m["label"] == OWN_CRON), None),
            dagster_id=one["id"],
            jobs=(one["pipelineName"],),
            description=one["description"] or "",
        )
        for one in found["schedules"]
    ]
    sensors = [
        Automation(
            name=one["name"],
            kind="sensor",
            status=one["sensorState"]["status"],
            cron=None,
            dagster_id=one["id"],
            every=one["minIntervalSeconds"],
            jobs=tuple(target["pipelineName"] for target in one["targets"] or ()),
            description=one["description"] or "",
        )
        for one in found["sensors"]
    ]
    return sorted([*schedules, *sensors], key=lambda one: (one.kind, one.name))


def read_known_automation() -> list[Automation]:
    """Schedules and sensors as ops.schedules last saw them, for when Dagster does not answer. One query."""
    return read(Automation, KNOWN)


def read_last_ticks(names: Sequence[str]) -> dict[str, LastTick]:
    """The newest tick of each schedule that had one. One query."""
    return {tick.schedule: tick for tick in read(LastTick, LAST_TICKS, names=list(names))}


def read_run(run_id: str) -> DagsterRun | None:
    """A run, or None. Raises `DagsterDown`."""
    try:
        return _run(ask("run", "Run", runId=run_id))
    except DagsterRefused:
        return None


def read_unfinished_runs(most: int) -> list[DagsterRun]:
    """The runs in progress and in the queue, newest first. Raises `DagsterDown`, `DagsterRefused`."""
    found = ask("runs", "Runs", filter={"statuses": list(UNFINISHED)}, limit=most)
    return [_run(one) for one in found["results"]]


def read_runs_of_request(key: str, most: int) -> list[DagsterRun]:
    """The runs that a request launched, newest first. Raises `DagsterDown`, `DagsterRefused`."""
    found = ask("runs", "Runs", filter={"tags": [{"key": REQUEST_TAG, "value": key}]}, limit=most)
    return [_run(one) for one in found["results"]]


def _run(one: dict[str, Any]) -> DagsterRun:
    tags = {tag["key"]: tag["value"] for tag in one["tags"]}
    months = f"{tags[FIRST_MONTH]}..{tags[LAST_MONTH]}" if FIRST_MONTH in tags else tags.get(MONTH, "")
    started, ended = one.get("startTime"), one.get("endTime")
    return DagsterRun(
        run_id=one["runId"],
        job=one["jobName"],
        status=one["status"],
        months=months,
        assets=tuple(sorted("/".join(asset["path"]) for asset in one["assetSelection"] or ())),
        # Dagster's own tags that people are not to see begin with a dot.
        tags=tuple(sorted((key, value) for key, value in tags.items() if not key.startswith("."))),
        started_at=datetime.fromtimestamp(started, UTC) if started else None,
        ended_at=datetime.fromtimestamp(ended, UTC) if ended else None,
    )


def launch_schedule(schedule: Automation, *, now: datetime, tags: dict[str, str]) -> list[str]:
    """Launch what a schedule asks for at its next tick; returns the ids of the runs.

    Raises:
        DagsterDown: no answer. Of several runs some may have been launched.
        DagsterRefused: Dagster said no, or the schedule asks for nothing, with its reason.
    """
    selector = REPOSITORY | {"scheduleName": schedule.name}
    evaluation = ask("evaluate_schedule", "DryRunInstigationTick", schedule=selector, timestamp=now.timestamp())
    found = evaluation["evaluationResult"] or {}
    if found.get("error"):
        raise DagsterRefused(one_line(found["error"]))
    if not found.get("runRequests"):
        raise DagsterRefused(found.get("skipReason") or "it asks for no run")
    launched = []
    for request in found["runRequests"]:
        wanted = {tag["key"]: tag["value"] for tag in request["tags"]} | tags
        launched.append(_launch(request["jobName"] or schedule.jobs[0], request["runConfigYaml"], wanted))
    return launched


def _launch(job: str, config: str, tags: dict[str, str], assets: Sequence[Sequence[str]] = ()) -> str:
    selector: dict[str, Any] = REPOSITORY | {"jobName": job}
    if assets:
        selector["assetSelection"] = [{"path": list(path)} for path in assets]
    execution = {"selector": selector, "runConfigData": config, "executionMetadata": {"tags": _as_input(tags)}}
    return str(ask("launch_run", "LaunchRunSuccess", execution=execution)["run"]["runId"])


def launch_ops(tags: dict[str, str]) -> str:
    """Launch the step that brings ops.agenda up to date; returns the id of the run."""
    return _launch("__ASSET_JOB", "{}", tags, [("ops", table) for table in OPS_TABLES])


def switch(automation: Automation, *, on: bool) -> None:
    """Start or stop a schedule or sensor. Idempotent. Raises `DagsterDown`, `DagsterRefused`."""
    if automation.kind == "schedule":
        if on:
            ask("start_schedule", "ScheduleStateResult", schedule=REPOSITORY | {"scheduleName": automation.name})
        else:
            ask("stop_schedule", "ScheduleStateResult", id=automation.dagster_id)
    elif on:
        ask("start_sensor", "Sensor", sensor=REPOSITORY | {"sensorName": automation.name})
    else:
        ask("stop_sensor", "StopSensorMutationResult", id=automation.dagster_id)


def cancel_run(run_id: str) -> None:
    """End a run; what it had written stays. Raises `DagsterDown`, `DagsterRefused`."""
    ask("terminate_run", "TerminateRunSuccess", runId=run_id)


def launch_again(run_id: str, *, tags: dict[str, str]) -> str:
    """Launch all steps of a run once more; returns the new id. Raises `DagsterDown`, `DagsterRefused`."""
    wanted = {"parentRunId": run_id, "strategy": "ALL_STEPS", "extraTags": _as_input(tags)}
    return str(ask("rerun", "LaunchRunSuccess", reexecution=wanted)["run"]["runId"])


def launch_backfill(parts: Sequence[BackfillPart], *, title: str, tags: dict[str, str]) -> str:
    """Launch a backfill; returns its id. Raises `DagsterDown`, `DagsterRefused`."""
    by_assets = [
        {
            "assetKey": {"path": part.asset.split("/")},
            "partitions": {"ranges": [{"start": part.first, "end": part.last}]},
        }
        for part in parts
    ]
    backfill = {"partitionsByAssets": by_assets, "title": title, "tags": _as_input(tags)}
    return str(ask("launch_backfill", "LaunchBackfillSuccess", backfill=backfill)["backfillId"])


def read_backfill_status(backfill_id: str) -> str | None:
    """REQUESTED, COMPLETED_SUCCESS, ..., or None. Raises `DagsterDown`."""
    try:
        return str(ask("backfill", "PartitionBackfill", backfillId=backfill_id)["status"])
    except DagsterRefused:
        return None


def reload_location() -> None:
    """Have Dagster's pages ask the code location again. Raises `DagsterDown`, `DagsterRefused`."""
    ask("reload_location", "WorkspaceLocationEntry", location=LOCATION)


def _as_input(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
