"""The planes as columns of boxes, as SVG made on the server: without a script, for phones, print and screen readers."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard.core.numbers import decimal_text
from dashboard.gateway.relation_graph import Graph

COLUMN, BOX, ROW, TOP, DIP = 150, 128, 40, 34, 28  # units of the view box
LONGEST_LABEL = 20


def draw(graph: Graph, planes: Mapping[int, str], address: Callable[[str], str], title: str) -> SafeString:
    """A graph with one node an asset: its planes from left to right, each box a link.

    Args:
        planes: the labels of those that are shown, by number.
        address: where the box of an asset leads to.
        title: what a screen reader says of the whole.
    """
    columns = {plane: n for n, plane in enumerate(sorted(planes))}
    heights = dict.fromkeys(columns, 0)
    corners: list[tuple[int, int]] = []
    for node in graph.nodes:
        corners.append((columns[node.plane] * COLUMN + 10, TOP + heights[node.plane] * ROW))
        heights[node.plane] += 1
    width, height = len(columns) * COLUMN, TOP + max(heights.values(), default=0) * ROW + DIP
    lines = (
        _line(corners[edge.first], corners[edge.target], "edge ahead" if edge.look_ahead else "edge")
        # Those that look ahead come last, over the others.
        for edge in sorted(graph.edges, key=lambda edge: edge.look_ahead)
    )
    path = '<path class="{0}" d="M{1} {2}c{3} {4} {5} {6} {7} {8}"/>'
    paths = format_html_join("", path, lines)
    heads = format_html_join(
        "", '<text class="label" x="{}" y="18">{}</text>', ((n * COLUMN + 10, planes[p]) for p, n in columns.items())
    )
    boxes = format_html_join(
        "",
        '<a href="{0}" aria-label="{1}: {2}"><title>{1}: {2}</title><rect class="box plane{7}" x="{3}" y="{4}"'
        ' width="128" height="30" rx="4"/><text translate="no" x="{5}" y="{6}">{8}</text></a>',
        (
            (
                address(node.asset), node.asset, decimal_text(Decimal(node.rows), 0), x, y, x + 6, y + 19,
                node.plane + 1, _short(node.asset),
            )
            for node, (x, y) in zip(graph.nodes, corners, strict=True)
        ),
    )  # fmt: skip
    return format_html(
        '<svg class="relations" viewBox="0 0 {} {}" role="group" aria-label="{}">{}{}{}</svg>',
        width, height, title, paths, heads, boxes,
    )  # fmt: skip


def _short(asset: str) -> str:
    """The name of an asset without its layer, cut to fit its box."""
    name = asset.partition("/")[2] or asset
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


def _line(source: tuple[int, int], target: tuple[int, int], kind: str) -> tuple[str | int, ...]:
    """Class, start and curve of a line; past a column it goes below the boxes: it would seem to end at one."""
    right, down = target[0] - source[0] - BOX, target[1] - source[1]
    dip = DIP if right > COLUMN - BOX else 0
    return kind, source[0] + BOX, source[1] + 15, 14, dip, right - 14, down + dip, right, down
