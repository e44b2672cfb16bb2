"""The columns that the script reads: what they hold, and where nodes stand."""

import json
from datetime import date
from typing import Any

import numpy as np

from dashboard.gateway.relation_graph import Graph
from dashboard.relations4d.columns import EDGE_COLUMNS, NO_DAY, NODE_COLUMNS, encode, places
from tests.dashboard.gateway.test_relation_graph import node


def decode(body: bytes) -> dict[str, Any]:
    """What the script reads of the columns."""
    size = int.from_bytes(body[:4], "little")
    found: dict[str, Any] = {"head": json.loads(body[4 : 4 + size])}
    at = 4 + size
    for kinds, count in ((NODE_COLUMNS, found["head"]["nodes"]), (EDGE_COLUMNS, found["head"]["edges"])):
        for name, kind in kinds.items():
            assert at % 4 == 0
            found[name] = np.frombuffer(body, kind, count, at)
            at += -(-found[name].nbytes // 4) * 4
    assert at == len(body)
    return found


def test_a_place_is_the_same_whatever_else_is_shown() -> None:
    lanes = {1: (0, "v:A"), 2: (1, "v:B"), 3: (2, "v:C")}
    both = Graph("instrument", [node(1, "records/a", listing=2), node(1, "records/a", listing=3)], [])
    one = Graph("instrument", [node(1, "records/a", listing=3)], [])
    assert (places(both, lanes)[0][1], places(both, lanes)[1][1]) == (
        places(one, lanes)[0][0],
        places(one, lanes)[1][0],
    )
    assert places(both, lanes)[0][0] < places(both, lanes)[0][1]
    head = decode(encode(one, lanes, {"planes": []}))["head"]
    assert head["listings"] == {"3": "v:C"}
    assert decode(encode(Graph("asset", [], []), {}, {}))["head"]["nodes"] == 0


def test_a_day_before_1970_is_a_day() -> None:
    old = date(1965, 3, 1)
    graph = Graph(
        "instrument", [node(1, "records/a")._replace(day=old, first=-5), node(1, "records/a")._replace(day=None)], []
    )
    decoded = decode(encode(graph, {}, {"planes": []}))
    assert decoded["day"].tolist() == [(old - date(1970, 1, 1)).days, NO_DAY]
    assert decoded["first"].tolist() == [0, 100]
