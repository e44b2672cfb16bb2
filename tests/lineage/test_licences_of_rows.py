"""What a file of records may be used for is what the licences of all its sources let one do."""

from typing import Any

import pytest

from strades_pipelines.lineage.licences_of_rows import own_use_sources, use_of


def source(name: str, export: str) -> dict[str, Any]:
    """One of the sources of a file."""
    return {"source": name, "licence": f"that of {name}", "export": export}


@pytest.mark.parametrize(
    ("sources", "kept", "use"),
    [
        ([], [], "may be passed on under these licences"),
        ([source("fred", "free"), source("wikipedia", "attribution")], [], "may be passed on under these licences"),
        (
            [source("yahoo", "own_use"), source("fred", "free"), source("yahoo", "own_use")],
            ["yahoo (that of yahoo)"],
            "own use only",
        ),
    ],
)
def test_one_source_for_own_use_is_enough(sources: list[dict[str, Any]], kept: list[str], use: str) -> None:
    assert (own_use_sources(sources), use_of(sources)) == (kept, use)
