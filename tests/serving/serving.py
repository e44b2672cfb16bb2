"""A real webserver of Dagster behind the guard, with a code location and an instance of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import dagster as dg

from strades_pipelines.system.ports import LOOPBACK, free_port, is_taken
from strades_pipelines.system.processes import tied_to_this_process
from tests.end_to_end.graphql import Webserver, wait_for

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 120
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "test"}
STOP = 'mutation { stopSensor(id: "%s") { __typename } }'
LAUNCH = """mutation { launchRun(executionParams: {mode: "default", selector: {
  repositoryName: "__repository__", repositoryLocationName: "test", jobName: "trade_job"}}) { __typename } }"""
SENSOR = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
  ... on Sensor { id sensorState { status } } } }"""


@dataclass(frozen=True)
class Served:
    """A webserver on `port` of 127.0.0.1 and the Dagster home that it works on."""

    port: int
    home: Path
    path_prefix: str = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{self.path_prefix}"

    def send(
        self, method: str, target: str, headers: list[tuple[str, str]] | None = None, body: str = ""
    ) -> tuple[int, str]:
        """Return the status and the body of the answer to exactly this request; it gets a `Host` where it has none."""
        headers = headers or []
        connection = HTTPConnection(LOOPBACK, self.port, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        if "host" not in {name.lower() for name, _ in headers}:
            connection.putheader("Host", f"127.0.0.1:{self.port}")
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() or None)
        response = connection.getresponse()
        answer = response.status, response.read().decode(errors="replace")
        connection.close()
        return answer

    def sensor(self) -> Any:
        """Id and state of the sensor."""
        selector = {**SELECTOR, "sensorName": "trade_sensor"}
        return Webserver(self.url).ask(SENSOR, selector=selector)["sensorOrError"]

    def state(self) -> dict[str, Any]:
        """What a stranger could change: the sensor, and how many runs and events of the asset there are."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            key = dg.AssetKey("bars")
            check = dg.AssetCheckKey(key, "is_complete")
            return {
                "sensor": self.sensor()["sensorState"]["status"],
                "runs": instance.get_runs_count(),
                "materializations": len(instance.fetch_materializations(key, limit=1000).records),
                "observations": len(instance.fetch_observations(key, limit=1000).records),
                "checks": len(instance.event_log_storage.get_asset_check_execution_history(check, limit=1000)),
            }

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Fail where the block changed something."""
        before = self.state()
        yield
        assert self.state() == before

    def stop_mutation(self) -> str:
        """The mutation that stops the sensor."""
        return STOP % str(self.sensor()["id"])


@contextmanager
def code_location(
    folder: Path, module: str = "tests.serving.location", name: str = "test", **more: str
) -> Iterator[Path]:
    """Start the code location; yields the workspace file that leads to it."""
    port = free_port()
    location = ["dagster", "api", "grpc", "--port", str(port), "--module-name", module]
    workspace = folder / "workspace.yaml"
    server = {"host": LOOPBACK, "port": port, "location_name": name}
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
    with running([*location, "--attribute", "definitions"], port, folder, **more):
        yield workspace


@contextmanager
def webserver(
    folder: Path, workspace: Path, *options: str, path_prefix: str = "", public_host: str = ""
) -> Iterator[Served]:
    """Start the webserver as `strades up` does, on Dagster's home in `folder`."""
    port = free_port()
    command = [
        "python",
        "-m",
        "strades_pipelines.serving.webserver",
        "--port",
        str(port),
        "--workspace",
        str(workspace),
    ]
    command += ["--path-prefix", path_prefix, *options]
    with running(command, port, folder, STRADES_PUBLIC_HOST=public_host):
        yield Served(port, folder, path_prefix)


@contextmanager
def running(command: list[str], port: int, home: Path, **more: str) -> Iterator[None]:
    """Run a program of the environment until the block ends; the block begins when it listens."""
    environment = {**os.environ, "DAGSTER_HOME": str(home), **more}
    program = str(Path(sys.executable).parent / command[0])
    with (home / "output").open("ab") as output:
        process = subprocess.Popen(
            tied_to_this_process([program, *command[1:]]), cwd=PROJECT, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for((home / "output").read_text() or command[0], lambda: is_taken(port), seconds=SECONDS, pause=0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:  # Dagster's own handler of SIGTERM waits for its threads
            process.kill()
            process.wait(timeout=30)
