"""A webserver that speaks recorded answers of Dagster's GraphQL, where the webserver itself is not what is tested."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOSTILE = "<script>alert(1)</script>"
OWN_CRON = "30 21 * * 1-5"
RUN_ID = "0f9b2f4e-6a0f-4f3c-9a47-000000000001"
NEW_RUN = "0f9b2f4e-6a0f-4f3c-9a47-000000000002"
TRADING_RUN = "0f9b2f4e-6a0f-4f3c-9a47-000000000003"


def schedule(name: str, job: str, cron: str = OWN_CRON, status: str = "RUNNING") -> dict[str, Any]:
    """A schedule as Dagster 1.13 answers."""
    return {
        "id": f"id:{name}",
        "name": name,
        "cronSchedule": cron,
        "pipelineName": job,
        "description": HOSTILE,
        "scheduleState": {"status": status},
        "metadataEntries": [{"label": "own_cron", "text": OWN_CRON}],
    }


def sensor(name: str, job: str, status: str = "RUNNING") -> dict[str, Any]:
    """A sensor as Dagster 1.13 answers."""
    return {
        "id": f"id:{name}",
        "name": name,
        "minIntervalSeconds": 30,
        "description": None,
        "sensorState": {"status": status},
        "targets": [{"pipelineName": job}],
    }


def run(run_id: str, status: str, job: str = "fetch_yahoo_job", layer: str = "rawsources") -> dict[str, Any]:
    """A run as Dagster 1.13 answers."""
    return {
        "runId": run_id,
        "jobName": job,
        "status": status,
        "startTime": 1704155000.0,
        "endTime": None,
        "tags": [{"key": "dagster/partition", "value": "2024-01-01"}, {"key": "note", "value": HOSTILE}],
        "assetSelection": [{"path": [layer, "yahoo"]}],
    }


ANSWERS: dict[str, Any] = {
    "Automation": {
        "__typename": "Repository",
        "schedules": [
            schedule("yahoo_schedule", "fetch_yahoo_job"),
            schedule("reconcile_schedule", "execute_trades_job", status="STOPPED"),
        ],
        "sensors": [sensor("data_sensor", "__ASSET_JOB"), sensor("trade_sensor", "execute_trades_job")],
    },
    "Runs": {"__typename": "Runs", "results": [run(RUN_ID, "STARTED")]},
    "Run": {"__typename": "Run", **run(RUN_ID, "STARTED")},
    "EvaluateSchedule": {
        "__typename": "DryRunInstigationTick",
        "evaluationResult": {
            "runRequests": [
                {
                    "jobName": None,
                    "runConfigYaml": "{}\n",
                    "tags": [{"key": "dagster/partition", "value": "2024-01-01"}],
                }
            ],
            "skipReason": None,
            "error": None,
        },
    },
    "LaunchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": NEW_RUN}},
    "Rerun": {"__typename": "LaunchRunSuccess", "run": {"runId": NEW_RUN}},
    "TerminateRun": {"__typename": "TerminateRunSuccess", "run": {"runId": RUN_ID}},
    "LaunchBackfill": {"__typename": "LaunchBackfillSuccess", "backfillId": "abcdefgh"},
    "Backfill": {"__typename": "PartitionBackfill", "status": "REQUESTED", "numPartitions": 1},
    "StartSchedule": {"__typename": "ScheduleStateResult", "scheduleState": {"status": "RUNNING"}},
    "StopSchedule": {"__typename": "ScheduleStateResult", "scheduleState": {"status": "STOPPED"}},
    "StartSensor": {"__typename": "Sensor", "sensorState": {"status": "RUNNING"}},
    "StopSensor": {"__typename": "StopSensorMutationResult", "instigationState": {"status": "STOPPED"}},
    "ReloadLocation": {"__typename": "WorkspaceLocationEntry", "loadStatus": "LOADED"},
}


class Recorded:
    """The answers, by the name of the operation, and what was asked: its name and variables.

    An answer may be bytes (sent as they are) or a number (seconds of silence).
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers = dict(ANSWERS)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def names(self) -> list[str]:
        """The operations that were asked for and may change something."""
        return [name for name, _ in self.asked if name not in ("Automation", "Runs", "Run", "Backfill")]

    def variables(self, name: str) -> dict[str, Any]:
        """What an operation was last asked with."""
        return next(variables for asked, variables in reversed(self.asked) if asked == name)


@contextmanager
def recorded_dagster() -> Iterator[Recorded]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer as recorded."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"] == "application/json"
            assert self.headers["Origin"] is None
            name = re.search(r"(?:query|mutation) (\w+)", body["query"])[1]  # type: ignore[index]
            recorded.asked.append((name, body["variables"]))
            answer = recorded.answers[name]
            if isinstance(answer, int | float):
                time.sleep(answer)
            sent = answer if isinstance(answer, bytes) else json.dumps({"data": {"result": answer}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorded = Recorded(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield recorded
    finally:
        server.shutdown()
        server.server_close()
