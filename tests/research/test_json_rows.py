"""JSON written in columns is the JSON that Python would have written."""

import io
import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from strades_pipelines.research.json_rows import CHUNK, Rows, choices, numbers, times, write
from strades_pipelines.strategy.events import moment


def read(rows: Rows) -> Any:
    stream = io.StringIO()
    write({"before": None, "rows": rows, "after": [1]}, stream)
    assert stream.getvalue().count("\n") == 1
    document = json.loads(stream.getvalue())
    assert list(document) == ["before", "rows", "after"]
    return document["rows"]


def test_numbers_read_back_to_the_bit_and_others_are_null() -> None:
    values = np.random.default_rng(1).normal(0, 1, 3 * CHUNK + 7) * 10.0 ** np.arange(-8, 8, 16 / (3 * CHUNK + 7))
    values[:6] = [math.nan, math.inf, -math.inf, 1e300, 5e-324, -0.0]
    found = read(Rows(len(values), {"x": numbers(values)}, as_objects=False))
    assert found[:3] == [[None], [None], [None]]
    assert [row[0] for row in found[3:]] == values[3:].tolist()


def test_times_are_iso_with_z() -> None:
    seconds = np.array([0, 1_577_836_800_000_000, 4_102_444_799_000_000])
    assert read(Rows(3, {"t": times(seconds)})) == [
        {"t": "1970-01-01T00:00:00Z"},
        {"t": "2020-01-01T00:00:00Z"},
        {"t": "2099-12-31T23:59:59Z"},
    ]
    odd = np.array([1_577_836_800_000_001])
    found = datetime.fromisoformat(read(Rows(1, {"t": times(odd)}))[0]["t"])
    assert (found, found.tzinfo) == (moment(odd[0]), UTC)


def test_texts_are_quoted() -> None:
    names = ['a"b', "c\\", "é\n", None, True]
    rows = Rows(5, {"name": choices(names, np.arange(5)), "k": numbers(np.arange(5))})
    assert read(rows) == [{"name": name, "k": k} for k, name in enumerate(names)]


def test_no_rows_are_an_empty_list() -> None:
    assert read(Rows(0, {"x": numbers(np.zeros(0)), "t": times(np.zeros(0, np.int64))})) == []
