"""What a graph of the 4D view says of its nodes, and how rows of the marts become one."""

from datetime import date

from dashboard.gateway import relations as gateway
from dashboard.gateway.relation_graph import Edge, Graph, Node, by_asset, downstream, edges_between, upstream
from dashboard.relations4d.drawing import draw


def node(plane: int, asset: str, n: int = 0, *, listing: int = 1) -> Node:
    """A node of day `n`."""
    return Node(plane, asset, "", listing, date(2024, 1, 1 + n), 1, 100 + n, 100 + n)


SMALL = Graph(
    "instrument",
    [node(1, "records/a", n) for n in range(4)] + [node(2, "cleaned/b", n) for n in range(2)] + [node(5, "signals/c")],
    [Edge(0, 2, 4, 1, 0), Edge(3, 3, 5, 1, 0), Edge(4, 4, 6, 1, 1)],
)


def test_what_a_node_rests_on_and_leads_to_is_followed_over_windows() -> None:
    assert upstream(SMALL, 6) == {6: 0, 4: 1, 0: 2, 1: 2, 2: 2}
    assert downstream(SMALL, 1) == {1: 0, 4: 1, 6: 2}
    assert downstream(SMALL, 3) == {3: 0, 5: 1}


def test_edges_between_nodes_have_both_ends_among_them() -> None:
    assert edges_between(SMALL, [1, 4]) == [(1, SMALL.edges[0])]
    assert edges_between(SMALL, [3, 4, 6]) == [(4, SMALL.edges[2])]


def test_one_node_an_asset_adds_up_its_days_and_relations() -> None:
    found = by_asset(SMALL, range(7))
    assert [(total.asset, total.rows, total.first, total.last) for total in found.nodes] == [
        ("records/a", 4, 100, 103), ("cleaned/b", 2, 100, 101), ("signals/c", 1, 100, 100),
    ]  # fmt: skip
    assert found.edges == [Edge(0, 0, 1, 2, 0), Edge(1, 1, 2, 1, 1)]
    picture = str(draw(found, {1: "Raw", 2: "Cleaned", 5: "Signals"}, lambda asset: f"?{asset}&", "a picture"))
    assert picture.count("<a href=") == 3
    assert picture.count('class="edge"') == picture.count('class="edge ahead"') == 1
    assert "&amp;" in picture


def test_a_relation_whose_node_is_not_there_yet_ends_nowhere() -> None:
    first, later = date(2024, 1, 1), date(2024, 1, 2)
    names = ("asset", "wallet", "listing", "day", "rows", "first", "last")
    nodes = [
        gateway._NodeRow(**dict(zip(names, (asset, "", listing, first, 1, 1, 1), strict=True)))
        for asset, listing in (("cleaned/daily_bars", 1), ("features/daily", 1), ("features/daily", 2))
    ]
    for listing, day, edges in ((1, later, 0), (2, later, 0), (2, first, 1)):
        values = ("cleaned/daily_bars", "", 1, first, first, "features/daily", "", listing, day, 1, 0)
        relation = gateway._EdgeRow(**{str(n): value for n, value in enumerate(values)})
        graph = gateway._arrange("instrument", None, nodes, [relation])
        assert (len(graph.edges), graph.outside) == (edges, 1 - edges)
