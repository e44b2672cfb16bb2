"""The 4D view: its page with picture and tables, its columns for the script, and what stands behind one node."""

from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from dashboard.access import allowed
from dashboard.core.live import with_scripts
from dashboard.gateway.reading import snapshot
from dashboard.gateway.relation_graph import Edge, Graph, Node, by_asset, downstream, edges_between, upstream
from dashboard.gateway.relation_records import read_records
from dashboard.gateway.relations import (
    LEVELS,
    Range,
    read_graph,
    read_listings,
    read_marts,
    read_newest_day,
    read_trace_graph,
    read_wallets,
)
from dashboard.overall_data.clock import read_text
from dashboard.relations4d.columns import encode
from dashboard.relations4d.drawing import draw
from dashboard.relations4d.filters import MODES, Filters, read_filters
from strades_pipelines.settings import settings

PLANE_NAMES = (
    gettext_noop("Sources"),
    gettext_noop("Raw"),
    gettext_noop("Cleaned"),
    gettext_noop("Features"),
    gettext_noop("Predictions"),
    gettext_noop("Signals"),
    gettext_noop("Orders"),
    gettext_noop("Fills"),
    gettext_noop("Results"),
)
SHOWN_NODES = 100
LATER = gettext_noop("later than the time that is shown")


def visible_wallets(request: HttpRequest) -> tuple[str, ...]:
    """The wallets whose rows somebody may see: all of them by the right to open a wallet's page, else none."""
    return read_wallets() if allowed(request.user, "wallet") else ()


class _Read(NamedTuple):
    """What an address asks for: its graph, the lanes by listing, the wallets that may be seen, the marts' version."""

    filters: Filters
    graph: Graph
    lanes: dict[int, tuple[int, str]]
    wallets: tuple[str, ...]
    version: str | None


def _read(request: HttpRequest) -> _Read:
    """Read what an address asks for.

    Raises:
        Http404: nothing has the id that is to be traced, or the wallet is not to be seen.
    """
    wallets = visible_wallets(request)
    marts = read_marts()
    filters = read_filters(request, read_newest_day() if marts.are_built else None, settings().now().date())
    lanes = {row.listing_id: (n, row.name) for n, row in enumerate(read_listings())}
    if filters.wallet and filters.wallet not in wallets:
        raise Http404
    if filters.trace:
        traced = read_trace_graph(filters.trace, wallets)
        if traced is None:
            raise Http404
        return _Read(filters, traced, lanes, wallets, None)
    graph = read_graph(filters.range(wallets), marts.version) if marts.are_built else Graph("", [], [])
    return _Read(filters, graph, lanes, wallets, marts.version if marts.are_built else None)


@require_safe
@with_scripts
def relations(request: HttpRequest) -> HttpResponse:
    """The page. What the script draws in space stands here as a picture and tables too."""
    with snapshot():
        filters, graph, lanes, wallets, _version = _read(request)
        focus = graph.index_of(filters.focus) if filters.focus else None
        details = _details(graph.nodes[focus], lanes, filters) if focus is not None else None
    shown = filters.shown(graph)
    planes = {n: _(name) for n, name in enumerate(PLANE_NAMES) if str(n + 1) in filters.planes}
    related: set[int] | None = None
    behind: list[tuple[int, Any]] = []
    ahead: list[tuple[int, Any]] = []
    if focus is not None:
        under, over = upstream(graph, focus), downstream(graph, focus)
        related = under.keys() | over.keys()
        behind, ahead = (_steps(graph, steps, lanes, filters) for steps in (under, over))
    picture = by_asset(graph, [n for n in shown if related is None or n in related])
    edges = [edge for _source, edge in edges_between(graph, shown)]
    late = [edge for edge in edges if edge.look_ahead]
    sentence = _sentence(graph, shown, edges)
    last = graph.index_of(after) if (after := read_text(request, "after")) else None
    # The node may be hidden now: what is behind its place is shown.
    rest = shown if last is None else shown[bisect_right(shown, last) :]
    context = {
        "filters": filters,
        "graph": graph,
        "planes": [(n + 1, _(name), str(n + 1) in filters.planes) for n, name in enumerate(PLANE_NAMES)],
        "listings": lanes,
        "wallets": wallets,
        "levels": LEVELS,
        "modes": MODES,
        "has_marts": bool(graph.level),
        "picture": draw(picture, planes, lambda asset: _address(request, asset=asset, focus="", after=""), sentence),
        "sentence": sentence,
        "rows": [_row(graph.nodes[n], lanes, filters) for n in rest[:SHOWN_NODES]],
        "more": max(0, len(rest) - SHOWN_NODES),
        "late": [
            (_row(graph.nodes[edge.last], lanes, filters), _row(graph.nodes[edge.target], lanes, filters), edge)
            for edge in late[:SHOWN_NODES]
        ],
        "late_count": len(late),
        "next_after": graph.nodes[rest[SHOWN_NODES - 1]].key if len(rest) > SHOWN_NODES else "",
        "later": _(LATER),
        "details": details,
        "behind": behind,
        "ahead": ahead,
        "columns_address": f"columns/?{_address(request, focus='').lstrip('?')}",
    }
    return render(request, "relations4d/relations.html", context, status=filters.status)


@require_safe
def columns(request: HttpRequest) -> HttpResponse:
    """The graph as bytes (`relations4d/columns.py`)."""
    planes = tuple(_(name) for name in PLANE_NAMES)
    with snapshot():
        filters, graph, lanes, wallets, version = _read(request)
        if filters.problem:
            return HttpResponse(f"{filters.problem}\n", status=400, content_type="text/plain; charset=utf-8")
        if version is None:
            body = encode(graph, lanes, {"planes": planes})
        else:
            body = _known_columns(filters.range(wallets), version, tuple(lanes.items()), planes)
    return HttpResponse(body, content_type="application/octet-stream")


@lru_cache(maxsize=4)  # under 1 MB each at 20,000 nodes; encoding is most of an answer whose graph is known
def _known_columns(
    wanted: Range, version: str, lanes: tuple[tuple[int, tuple[int, str]], ...], planes: tuple[str, ...]
) -> bytes:
    """The bytes of a graph of the marts; the key holds all they depend on, the wallets that may be seen among it."""
    return encode(read_graph(wanted, version), dict(lanes), {"planes": planes})


@require_safe
def node(request: HttpRequest) -> HttpResponse:
    """What stands behind one node (`focus` in the address), as a part of a page."""
    with snapshot():
        filters, graph, lanes, _wallets, _version = _read(request)
        focus = graph.index_of(filters.focus)
        if focus is None:
            raise Http404
        details = _details(graph.nodes[focus], lanes, filters)
    return render(request, "relations4d/node.html", {"details": details, "filters": filters, "later": _(LATER)})


def _address(request: HttpRequest, **changed: str) -> str:
    """The address of this page with other values."""
    values = {name: value for name, value in request.GET.items() if value}
    values |= {"planes": "".join(request.GET.getlist("planes"))} | changed
    return "?" + urlencode({name: value for name, value in values.items() if value})


def _row(node: Node, lanes: dict[int, tuple[int, str]], filters: Filters) -> dict[str, Any]:
    """A node as a row of a table; `last` is None where it is later than the time that is shown."""
    is_whole = filters.until is None or node.last <= filters.until.timestamp()
    return {
        "node": node,
        "key": node.key,
        "plane": _(PLANE_NAMES[node.plane]),
        "listing": lanes.get(node.listing_id, (0, ""))[1],
        "first": datetime.fromtimestamp(node.first, UTC),
        "last": datetime.fromtimestamp(node.last, UTC) if is_whole else None,
    }


def _details(node: Node, lanes: dict[int, tuple[int, str]], filters: Filters) -> dict[str, Any]:
    """A node with its records, and where each of them can be opened."""
    kind, _colon, identity = node.record.partition(":")
    row = _row(node, lanes, filters)
    return row | {
        "records": read_records(node, filters.until),
        "fetch_id": identity if kind == "fetch" else "",
        "identity": node.record if node.record and not identity and node.record.isalnum() else "",
        "day": (node.day or row["first"].date()).isoformat() if node.wallet else "",
        "as_of": (row["last"] or filters.until or row["first"]).strftime("%Y-%m-%dT%H:%M"),
    }


def _steps(
    graph: Graph, steps: dict[int, int], lanes: dict[int, tuple[int, str]], filters: Filters
) -> list[tuple[int, Any]]:
    """Nodes by their distance from the one in focus, which is not among them."""
    nearest = sorted((step, n) for n, step in steps.items() if step and filters.shows(graph.nodes[n]))
    return [(step, _row(graph.nodes[n], lanes, filters)) for step, n in nearest[:SHOWN_NODES]]


def _sentence(graph: Graph, shown: list[int], edges: list[Edge]) -> str:
    """What the drawing shows, for who does not see it."""
    planes = {graph.nodes[n].plane for n in shown}
    late = sum(1 for edge in edges if edge.look_ahead)
    counts = {"nodes": len(shown), "edges": len(edges), "planes": len(planes), "late": late}
    text = _("%(nodes)s nodes and %(edges)s relations on %(planes)s planes; %(late)s relations look ahead.")
    return str(text % counts)
