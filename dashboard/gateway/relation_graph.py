"""Nodes and edges of the 4D view: what the marts and a trace are read into."""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

# Layers from the bottom to the top; an edge leads upwards, or stays in a layer (a model and its forecasts).
PLANES = ("sources", "raw", "cleaned", "features", "predictions", "signals", "orders", "fills", "results")
PLANE_OF = {"rawsources": 0, "records": 1, "cleaned": 2, "features": 3, "predictions": 4, "signals": 5, "results": 8}
PLANE_OF_TABLE = {"trading/orders": 6, "trading/fills": 7, "trading/statements": 0, "trading/findings": 0}


class Node(NamedTuple):
    """What there is of an asset: of a day, a listing and a wallet as far as the level tells them apart.

    Args:
        day: None at the level of assets, and of a record.
        listing_id: 0 for all, or none.
        wallet: empty for none, or where the level adds them up.
        rows: how many rows it stands for.
        first, last: when the first and the last of them were known or decided, in seconds since 1970 (UTC).
        record: the key of a record (`strades_pipelines.lineage.record_graph`); empty elsewhere.
        sha256: the hash of a record, where it has one.
    """

    plane: int
    asset: str
    wallet: str
    listing_id: int
    day: date | None
    rows: int
    first: int
    last: int
    record: str = ""
    sha256: str = ""

    @property
    def key(self) -> str:
        """What the address calls it."""
        day = self.day.isoformat() if self.day else ""
        return self.record or "~".join((self.asset, day, str(self.listing_id), self.wallet))


class Edge(NamedTuple):
    """The nodes from index `first` to `last` went into the one at `target`; `look_ahead` of `rows` rows look ahead."""

    first: int
    last: int
    target: int
    rows: int
    look_ahead: int


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of plane, asset, wallet, listing and day, so that what a window read lies side by side.

    Args:
        level: asset, day, instrument or record.
        too_many: nodes of the level that was asked for, and how many days would fit; None where it is what is shown.
        outside: relations of which the source lies outside of what is shown.
    """

    level: str
    nodes: list[Node]
    edges: list[Edge]
    too_many: tuple[int, int] | None = None
    outside: int = 0

    def index_of(self, key: str) -> int | None:
        """The place of a node, or None."""
        return next((n for n, node in enumerate(self.nodes) if node.key == key), None)


def plane_of(asset: str) -> int:
    """The place of an asset's layer in PLANES."""
    return PLANE_OF_TABLE[asset] if asset in PLANE_OF_TABLE else PLANE_OF[asset.partition("/")[0]]


def upstream(graph: Graph, start: int) -> dict[int, int]:
    """What a node rests on: by the index of each, over how many steps."""
    into: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge)
    steps = {start: 0}
    frontier: Iterable[int] = [start]
    while frontier:
        step = max(steps.values()) + 1
        edges = (edge for target in frontier for edge in into.get(target, ()))
        behind = {n for edge in edges for n in range(edge.first, edge.last + 1)} - steps.keys()
        steps |= dict.fromkeys(behind, step)
        frontier = behind
    return steps


def downstream(graph: Graph, start: int) -> dict[int, int]:
    """What rests on a node: by the index of each, over how many steps."""
    steps = {start: 0}
    frontier: Collection[int] = [start]
    while frontier:
        step, indices = max(steps.values()) + 1, sorted(frontier)
        ahead = {edge.target for edge in graph.edges if _first_source(indices, edge) is not None} - steps.keys()
        steps |= dict.fromkeys(ahead, step)
        frontier = ahead
    return steps


def edges_between(graph: Graph, indices: Collection[int]) -> list[tuple[int, Edge]]:
    """The edges into nodes at `indices` that have a source among them, each with the first such source."""
    ordered, targets = sorted(indices), set(indices)
    joined = ((_first_source(ordered, edge), edge) for edge in graph.edges if edge.target in targets)
    return [(source, edge) for source, edge in joined if source is not None]


def _first_source(indices: list[int], edge: Edge) -> int | None:
    """The first of the sorted `indices` that is a source of an edge, or None."""
    place = bisect_left(indices, edge.first)
    return indices[place] if place < len(indices) and indices[place] <= edge.last else None


def by_asset(graph: Graph, indices: Collection[int]) -> Graph:
    """The same graph with one node an asset, of the nodes at `indices`."""
    places: dict[str, int] = {}
    totals: list[Node] = []
    of_node: dict[int, int] = {}
    for n in sorted(indices):
        node = graph.nodes[n]
        if node.asset not in places:
            places[node.asset] = len(totals)
            totals.append(Node(node.plane, node.asset, "", 0, None, 0, node.first, node.last))
        place = of_node[n] = places[node.asset]
        total = totals[place]
        totals[place] = total._replace(
            rows=total.rows + node.rows, first=min(total.first, node.first), last=max(total.last, node.last)
        )
    sums: dict[tuple[int, int], Edge] = {}
    for first_source, edge in edges_between(graph, of_node):
        source, target = of_node[first_source], of_node[edge.target]
        sum_ = sums.get((source, target), Edge(source, source, target, 0, 0))
        sums[source, target] = sum_._replace(rows=sum_.rows + edge.rows, look_ahead=sum_.look_ahead + edge.look_ahead)
    return Graph("asset", totals, list(sums.values()))
