"""Rows that have a key, or have it not."""

import pyarrow as pa

from strades_pipelines.ingestion.keyed_rows import with_keys, without_keys

ROWS = pa.table({"venue": ["a", "b", "a", "a"], "day": [1, 1, 2, 1], "tags": [["x"], [], ["y"], ["z"]]})
KEYS = pa.table({"day": pa.array([1, 3], pa.int32()), "venue": ["a", "a"]})


def test_rows_are_chosen_by_their_whole_key_and_keep_their_order() -> None:
    assert with_keys(ROWS, KEYS)["tags"].to_pylist() == [["x"], ["z"]]
    assert without_keys(ROWS, KEYS)["tags"].to_pylist() == [[], ["y"]]


def test_without_a_key_no_row_has_one() -> None:
    assert with_keys(ROWS, KEYS.slice(0, 0)).num_rows == 0
    assert without_keys(ROWS, KEYS.slice(0, 0)).equals(ROWS)
