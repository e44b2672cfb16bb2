"""What a webserver's answer says of the code location."""

from typing import Any

import pytest

from strades_pipelines.supervision.probes import code_answers, location_problem, page_answers, sandbox_answers
from strades_pipelines.system.ports import free_port


def answer(*kinds: str | None) -> dict[str, Any]:
    """An answer to `LOCATIONS` with locations of these kinds; None for one that is loading."""
    entries = [{"locationOrLoadError": kind and {"__typename": kind}} for kind in kinds]
    return {"data": {"workspaceOrError": {"locationEntries": entries}}}


@pytest.mark.parametrize(
    ("kinds", "problem"),
    [
        (["RepositoryLocation"], None),
        ([], "knows no code location"),
        ([None], "has not loaded the code location"),
        (["PythonError"], "has not loaded the code location"),
    ],
)
def test_a_location_must_be_there_and_loaded(kinds: list[str | None], problem: str | None) -> None:
    assert location_problem(answer(*kinds)) == problem


def test_where_nothing_listens_nothing_answers() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert page_answers(url) == sandbox_answers(url) == "does not answer"
    assert code_answers("unix:/nowhere/code.sock") == "does not answer"
