"""Probes: each asks a part for a bit of its work, and returns None, or in a few words what is wrong."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from strades_pipelines.supervision.sandbox_server import sandbox_health

SECONDS = 8
LOCATIONS = """{ workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "strades") { __typename } }"""


def page_answers(url: str, method: str = "GET") -> str | None:
    """A request of `url` is answered with 200; HEAD where the page is large."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=SECONDS) as response:
            response.read()
    except urllib.error.HTTPError as error:
        return f"answers {error.code}"
    except (OSError, ValueError):
        return "does not answer"
    return None


def sandbox_answers(url: str) -> str | None:
    """The sandbox server says that it is one."""
    return None if sandbox_health(url) else "does not answer"


def code_answers(target: str) -> str | None:
    """Dagster's gRPC server at `target` ("unix:PATH") says that it serves."""
    import grpc  # type: ignore[import-untyped]
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # type: ignore[import-untyped]
    from grpc_health.v1.health_pb2_grpc import HealthStub  # type: ignore[import-untyped]

    with grpc.insecure_channel(target) as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=SECONDS)
        except grpc.RpcError:
            return "does not answer"
    return None if answer.status == HealthCheckResponse.SERVING else "says that it does not serve"


class WebserverProbe:
    """The webserver answers, also a GraphQL query, and has loaded the code location.

    A location that is not loaded is reloaded once; when that does not help, the webserver is at fault.

    Args:
        code_is_well: whether the code location answers by itself: nothing is asked of the webserver while it does not.
    """

    def __init__(self, url: str, code_is_well: Callable[[], bool]) -> None:
        self._url, self._code_is_well = url, code_is_well
        self._reloaded = False

    def __call__(self) -> str | None:
        """Probe once."""
        problem = page_answers(f"{self._url}/server_info") or self._location_problem()
        if problem is None:
            self._reloaded = False
        return problem

    def _location_problem(self) -> str | None:
        try:
            problem = location_problem(self._ask(LOCATIONS))
        except (OSError, ValueError, KeyError, TypeError):
            return "does not answer a GraphQL query"
        if problem is not None and self._code_is_well() and not self._reloaded:
            self._reloaded = True
            self._ask(RELOAD)
        return problem

    def _ask(self, query: str) -> Any:
        request = urllib.request.Request(
            f"{self._url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return json.load(response)


def location_problem(answer: Any) -> str | None:
    """What `LOCATIONS` says is wrong with the code location; None when it is loaded."""
    entries = answer["data"]["workspaceOrError"].get("locationEntries") or []
    if not entries:
        return "knows no code location"
    for entry in entries:
        loaded = entry["locationOrLoadError"]
        if loaded is None or loaded["__typename"] != "RepositoryLocation":
            return "has not loaded the code location"
    return None
