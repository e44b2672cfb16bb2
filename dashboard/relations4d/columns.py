"""A graph as bytes: a JSON head, then columns of integers that the script reads without parsing.

`u32` length of the head, the head as UTF-8 with blanks to a multiple of four, then the columns, each with zeros to a
multiple of four. All little-endian. Places in space are worked out here, from what is shown and all listings.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from dashboard.gateway.relation_graph import PLANES, Graph

WIDE = 65_535  # of a place along x or z
EPOCH = date(1970, 1, 1).toordinal()
NODE_COLUMNS = {
    "first": "<u4", "last": "<u4", "day": "<i4", "rows": "<u4", "listing": "<u4",
    "asset": "<u2", "x": "<u2", "z": "<u2", "plane": "u1", "flags": "u1",
}  # fmt: skip
EDGE_COLUMNS = {"source": "<u4", "until": "<u4", "target": "<u4", "count": "<u4", "ahead": "<u4"}
NO_DAY = -(2**31)  # days count from 1970-01-01, and may lie before it
LOOKS_AHEAD = 1  # of the flags: an edge into or out of the node looks ahead


def encode(graph: Graph, lanes: Mapping[int, tuple[int, str]], texts: Mapping[str, Any]) -> bytes:
    """The bytes of a graph.

    Args:
        lanes: by listing, the place of its lane and its name; of every listing, so that a filter moves nothing.
        texts: what else the head says, such as the labels of the planes.
    """
    nodes, edges = graph.nodes, graph.edges
    assets = list(dict.fromkeys((node.asset, node.wallet) for node in nodes))
    numbers = {pair: n for n, pair in enumerate(assets)}
    shown = sorted({node.listing_id for node in nodes if node.listing_id in lanes}, key=lambda one: lanes[one][0])
    head = {
        **texts,
        "level": graph.level, "nodes": len(nodes), "edges": len(edges), "outside": graph.outside,
        "assets": [{"name": name, "wallet": wallet} for name, wallet in assets],
        "listings": {listing: lanes[listing][1] for listing in shown},
        "records": [node.record for node in nodes] if graph.level == "record" else [],
    }  # fmt: skip
    x, z = places(graph, lanes)
    flags = np.zeros(len(nodes), dtype="u1")
    for edge in edges:
        if edge.look_ahead:
            flags[edge.target] = LOOKS_AHEAD
            flags[edge.last] = LOOKS_AHEAD
    columns: dict[str, Sequence[int] | np.ndarray] = {
        "first": [node.first for node in nodes],
        "last": [node.last for node in nodes],
        "day": [node.day.toordinal() - EPOCH if node.day else NO_DAY for node in nodes],
        "rows": [min(node.rows, 2**32 - 1) for node in nodes],
        "listing": [node.listing_id for node in nodes],
        "asset": [numbers[node.asset, node.wallet] for node in nodes],
        "x": x,
        "z": z,
        "plane": [node.plane for node in nodes],
        "flags": flags,
    }
    fields = list(zip(*edges, strict=True)) or [()] * len(EDGE_COLUMNS)
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    text += b" " * (-len(text) % 4)
    parts = [len(text).to_bytes(4, "little"), text]
    parts += [_column(columns[name], kind) for name, kind in NODE_COLUMNS.items()]
    parts += [_column(field, kind) for field, kind in zip(fields, EDGE_COLUMNS.values(), strict=True)]
    return b"".join(parts)


def _column(values: Sequence[int] | np.ndarray, kind: str) -> bytes:
    least = np.iinfo(np.dtype(kind)).min  # times before 1970 count as 1970: all of them were known by then
    data = np.clip(np.asarray(values, dtype=np.int64), least, None).astype(kind).tobytes()
    return data + bytes(-len(data) % 4)


def places(graph: Graph, lanes: Mapping[int, tuple[int, str]]) -> tuple[list[int], list[int]]:
    """Where nodes stand along x and z, 0 to WIDE.

    Along x are instruments, by day days, and of assets and records those of a plane beside each other. Along z are the
    assets of a plane; by instrument each asset is as deep as the range, one day behind the other.
    """
    of_plane: list[dict[tuple[str, str], int]] = [{} for _ in PLANES]
    totals = [0] * len(PLANES)
    for node in graph.nodes:
        rows = of_plane[node.plane]
        rows.setdefault((node.asset, node.wallet), len(rows))
        totals[node.plane] += 1
    days = [node.day.toordinal() for node in graph.nodes if node.day]
    first, span = (min(days), max(days) - min(days) + 1) if days else (0, 1)
    counted = [0] * len(PLANES)
    x, z = [], []
    for node in graph.nodes:
        counted[node.plane] += 1
        along = (counted[node.plane] - 0.5) / totals[node.plane]
        day = (node.day.toordinal() - first + 0.5) / span if node.day else 0.5
        rows = of_plane[node.plane]
        row, depth = rows[node.asset, node.wallet], 0.5
        if graph.level == "instrument":
            along, depth = (lanes.get(node.listing_id, (0, ""))[0] + 0.5) / max(len(lanes), 1), 0.1 + 0.8 * day
        elif graph.level == "day":
            along = day
        x.append(round(along * WIDE))
        z.append(round((row + depth) / len(rows) * WIDE))
    return x, z
