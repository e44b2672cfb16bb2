"""A few mutated bodies of every parser and frames of every stream; `make fuzz-parsers` tries two thousand of each."""

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from tests.ingestion import fuzz

SEEDS = range(1_000_000, 1_000_012)


@pytest.mark.parametrize("name", fuzz.names())
def test_5_mutated_bodies_and_frames_are_refused_or_read_by_the_laws(name: str) -> None:
    whole = fuzz.specimen(name)
    parsed = parse(load_protocol(name), whole.body, given=whole.given, fetched_at=fuzz.NOW)
    assert parsed.rejects == ()
    assert all(table.num_rows for kind, table in parsed.tables.items() if kind != "corporate_action"), "no specimen"
    fuzz.check_laws(name, parsed)
    results = [fuzz.run(name, seed) for seed in SEEDS]
    assert [said for result, said in results if result == "WRONG"] == []
