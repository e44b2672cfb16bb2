"""Faults of units from public bug reports; the file of the cases says what must come out of their bytes, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import Parsed
from tests.ingestion.conftest import NOW


@pytest.fixture(scope="session")
def cases(shared_data: Path) -> Path:
    """The folder of the cases."""
    return shared_data / "cases" / "ingestion"


def parsed(cases: Path, name: str) -> Parsed:
    """What the body of a case says, with what its `args` give."""
    case = next(one for one in json.loads((cases / "cases.json").read_text())["cases"] if one["id"] == name)
    given: dict[str, Any] = dict(word.split("=") for word in case["args"] if "=" in word)
    body = (cases / case["files"][0]).read_bytes()
    return parse(load_protocol(case["protocol"]), body, given=given, fetched_at=NOW)


def test_a_page_with_decimal_commas_gives_no_price_a_hundred_times_too_large(cases: Path) -> None:
    """The price of IBM on 2012-03-05 was 198.57, which the page writes as 198,57."""
    found = parsed(cases, "page-with-decimal-commas")
    assert [reject.reason for reject in found.rejects] == ["open_unreadable"] * 3
    assert found.tables["candle"].num_rows == 0


def test_a_hidden_sort_key_is_not_of_the_volume(cases: Path) -> None:
    """The page shows 5,240,000 behind a key for sorting that no reader sees."""
    found = parsed(cases, "page-with-hidden-sort-keys")
    assert found.tables["candle"]["volume"].to_pylist() == [5240000.0, 4987000.0]
    assert found.rejects == ()
