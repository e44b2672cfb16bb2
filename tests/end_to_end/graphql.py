"""What the tests ask a running webserver, as its own pages do."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Answer = TypeVar("Answer")
BACKFILL = """
mutation($assets: [AssetKeyInput!], $months: [String!]) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $months}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
BACKFILL_STATUS = (
    "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)
SCHEDULE = """
query($name: String!) { scheduleOrError(scheduleSelector: {
  repositoryName: "__repository__", repositoryLocationName: "strades", scheduleName: $name
}) {
  ... on Schedule { scheduleState { ticks(limit: 20) { status runIds } } } } }"""
SENSOR = """
query($name: String!) { sensorOrError(sensorSelector: {
  repositoryName: "__repository__", repositoryLocationName: "strades", sensorName: $name
}) {
  ... on Sensor { sensorState { ticks(limit: 20) { status runIds error { message } } } } } }"""
RUN_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@dataclass(frozen=True)
class Webserver:
    """A Dagster webserver at `url`."""

    url: str

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def is_up(self) -> bool:
        """Whether the code location has loaded."""
        try:
            found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def run_ids(self, ticks: list[dict[str, Any]]) -> list[str]:
        """The runs that ticks asked for."""
        return [run for tick in ticks for run in tick["runIds"]]

    def run_status(self, run_id: str) -> str:
        """SUCCESS, FAILURE, STARTED, ..."""
        return str(self.ask(RUN_STATUS, id=run_id)["runOrError"].get("status"))


def wait_for(what: str, look: Callable[[], Answer | None], *, seconds: float, pause: float = 2) -> Answer:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")
