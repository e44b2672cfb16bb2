"""What rests on what: the marts of nodes and edges, and the records of one trace.

Rows of wallets that somebody may not see are left out by the queries, so that no sum has them either.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from dashboard.gateway.reading import domain_connection, read, read_one
from dashboard.gateway.relation_graph import PLANES, Edge, Graph, Node, plane_of
from strades_pipelines.lineage.record_graph import read_first_known, record_graph
from strades_pipelines.lineage.row_lineage import NotFound, read_rows
from strades_pipelines.lineage.trace import follow

LEVELS = ("asset", "day", "instrument")  # from the coarsest to the finest
MOST_NODES, MOST_EDGES, MOST_DAY_NODES = 20_000, 40_000, 5_000
INSTRUMENT_DAYS = 92  # without a wish, longer ranges are shown by day
MOST_DAYS = 9_150  # 25 years; more is refused
MOST_FETCHES = 500  # of a trace: a model may have been trained on thousands

# The version changes with each build of the marts: while one is at it, and when it has ended, there is another one.
MARTS = """
    SELECT
        to_regclass('marts.lineage_nodes') IS NOT NULL AND to_regclass('marts.lineage_edges') IS NOT NULL AS are_built,
        (
            SELECT b.build_id || coalesce(b.ended_at::text, '') FROM ops.dbt_builds AS b WHERE b.layer = 'marts'
        ) AS version
"""
NEWEST = "SELECT max(n.day) AS day FROM marts.lineage_nodes AS n WHERE n.level = 1"
LISTINGS = (
    "SELECT l.listing_id, l.venue || ':' || l.symbol AS name FROM records.listings AS l ORDER BY l.venue, l.symbol"
)
WALLETS = "SELECT w.wallet FROM trading.wallets AS w ORDER BY w.wallet"
IN_RANGE = """
    n.day BETWEEN %(first)s AND %(last)s AND (n.wallet = '' OR n.wallet = ANY(%(wallets)s))
    AND (%(listing)s::integer IS NULL OR n.listing_id = %(listing)s)
"""
COUNTS = f"""
    SELECT
        (SELECT count(*) FROM (
            SELECT FROM marts.lineage_nodes AS n WHERE n.level = 2 AND {IN_RANGE} LIMIT 10 * %(most)s) AS instruments
        ) AS instrument,
        (SELECT count(*) FROM (
            SELECT FROM marts.lineage_edges AS n WHERE n.level = 2 AND {IN_RANGE} LIMIT 10 * %(most)s) AS relations
        ) AS edges,
        (SELECT count(*) FROM (
            SELECT DISTINCT n.asset, n.day FROM marts.lineage_nodes AS n
            WHERE n.level = CASE WHEN %(listing)s::integer IS NULL THEN 1 ELSE 2 END AND {IN_RANGE} LIMIT 10 * %(most)s
        ) AS days) AS day
"""
NODES = f"""
    SELECT n.asset, CASE WHEN %(by_instrument)s THEN n.wallet ELSE '' END AS wallet,
        CASE WHEN %(by_instrument)s THEN n.listing_id ELSE 0 END AS listing_id,
        CASE WHEN %(by_day)s THEN n.day END AS day,
        sum(n.rows)::bigint AS rows, floor(extract(epoch FROM min(n.first_knowledge_time)))::bigint AS first,
        floor(extract(epoch FROM max(n.knowledge_time)))::bigint AS last
    FROM marts.lineage_nodes AS n
    WHERE n.level = %(stored)s AND {IN_RANGE}
    GROUP BY 1, 2, 3, 4
"""
EDGES = f"""
    SELECT n.source_asset, CASE WHEN %(by_instrument)s THEN n.source_wallet ELSE '' END AS source_wallet,
        CASE WHEN %(by_instrument)s THEN n.source_listing_id ELSE 0 END AS source_listing_id,
        min(n.first_source_day) AS first_day, max(n.last_source_day) AS last_day,
        n.asset, CASE WHEN %(by_instrument)s THEN n.wallet ELSE '' END AS wallet,
        CASE WHEN %(by_instrument)s THEN n.listing_id ELSE 0 END AS listing_id,
        CASE WHEN %(by_day)s THEN n.day END AS day,
        sum(n.rows)::bigint AS rows, sum(n.look_ahead)::bigint AS look_ahead
    FROM marts.lineage_edges AS n
    WHERE n.level = %(stored)s AND {IN_RANGE} AND (n.source_wallet = '' OR n.source_wallet = ANY(%(wallets)s))
    GROUP BY 1, 2, 3, 6, 7, 8, 9
"""
FETCHES = """
    SELECT f.fetch_id, f.source, encode(f.sha256, 'hex') AS sha256 FROM rawsources.fetches AS f
    WHERE f.fetch_id = ANY(%s) ORDER BY f.fetched_at DESC LIMIT %s
"""


@dataclass(frozen=True)
class Range:
    """What is asked for: days (inclusive), the finest level, one listing or all (None), and the wallets to be seen."""

    first: date
    last: date
    level: str
    listing: int | None
    wallets: tuple[str, ...]

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Listing:
    """An instrument at its venue, as `venue:symbol`."""

    listing_id: int
    name: str


@dataclass(frozen=True)
class _Counts:
    instrument: int
    edges: int
    day: int


@dataclass(frozen=True)
class Marts:
    """Whether dbt has made the marts yet, and their version; None where no build is known of."""

    are_built: bool
    version: str | None


@dataclass(frozen=True)
class _Day:
    day: date | None


@dataclass(frozen=True)
class _Wallet:
    wallet: str


class _NodeRow(tuple[str, str, int, date | None, int, int, int]):
    """A row of NODES, without the cost of a record each."""

    def __new__(cls, **columns: object) -> "_NodeRow":
        return super().__new__(cls, columns.values())  # type: ignore[arg-type]


class _EdgeRow(tuple[str, str, int, date, date, str, str, int, date | None, int, int]):
    """A row of EDGES."""

    def __new__(cls, **columns: object) -> "_EdgeRow":
        return super().__new__(cls, columns.values())  # type: ignore[arg-type]


def read_marts() -> Marts:
    """What there is of the marts. One query."""
    marts = read_one(Marts, MARTS)
    assert marts is not None
    return marts


def read_newest_day() -> date | None:
    """The newest day that anything is about, or None."""
    newest = read_one(_Day, NEWEST)
    return newest.day if newest else None


def read_listings() -> list[Listing]:
    """Every listing, in the order of the lanes: by venue and symbol, whatever is shown of them."""
    return read(Listing, LISTINGS)


def read_wallets() -> tuple[str, ...]:
    """Every wallet, by name."""
    return tuple(row.wallet for row in read(_Wallet, WALLETS))


def read_graph(wanted: Range, version: str | None) -> Graph:
    """The graph of a range at the finest level that is asked for and fits. Three queries, or none if it was read.

    Args:
        version: of the marts; None: nothing that was read before is used.
    """
    return _read_known_graph(wanted, version) if version else _read_graph(wanted)


@lru_cache(maxsize=4)  # some 10 MB each at 20,000 nodes
def _read_known_graph(wanted: Range, version: str) -> Graph:
    return _read_graph(wanted)


def _read_graph(wanted: Range) -> Graph:
    parameters = {
        "first": wanted.first, "last": wanted.last, "listing": wanted.listing, "wallets": list(wanted.wallets),
        "most": MOST_EDGES,
    }  # fmt: skip
    counts = read_one(_Counts, COUNTS, **parameters)
    assert counts is not None
    level, too_many = _fitting_level(wanted, counts)
    parameters |= {
        "by_instrument": level == "instrument", "by_day": level != "asset",
        "stored": 2 if level == "instrument" or wanted.listing is not None else 1,
    }  # fmt: skip
    nodes, edges = read(_NodeRow, NODES, **parameters), read(_EdgeRow, EDGES, **parameters)
    return _arrange(level, too_many, nodes, edges)


def _fitting_level(wanted: Range, counts: _Counts) -> tuple[str, tuple[int, int] | None]:
    """The finest level that fits; where it is not the one that is asked for, its nodes and the days that would fit."""
    fits = {
        "instrument": counts.instrument <= MOST_NODES and counts.edges <= MOST_EDGES,
        "day": counts.day <= MOST_DAY_NODES,
        "asset": True,
    }
    finest = wanted.level or ("instrument" if wanted.days <= INSTRUMENT_DAYS else "day")
    level = next(level for level in reversed(LEVELS[: LEVELS.index(finest) + 1]) if fits[level])
    if level == finest:
        return level, None
    nodes, most = (counts.instrument, MOST_NODES) if finest == "instrument" else (counts.day, MOST_DAY_NODES)
    share = min(most / max(nodes, 1), MOST_EDGES / max(counts.edges, 1) if finest == "instrument" else 1.0)
    return level, (nodes, max(1, int(wanted.days * share)))


def _arrange(
    level: str, too_many: tuple[int, int] | None, rows: Sequence[_NodeRow], relations: Sequence[_EdgeRow]
) -> Graph:
    """Nodes in their order, and edges between their places; a window is cut to the days that are shown."""
    nodes = [Node(plane_of(row[0]), *row) for row in rows]
    # At the level of assets no node has a day.
    nodes.sort(key=lambda node: (node.plane, node.asset, node.wallet, node.listing_id, node.day or date.min))
    groups: dict[tuple[str, str, int], tuple[int, list[date]]] = {}
    for n, node in enumerate(nodes):
        groups.setdefault((node.asset, node.wallet, node.listing_id), (n, []))[1].append(node.day or date.min)
    edges, outside = [], 0
    for source, source_wallet, source_listing, first, last, asset, wallet, listing, day, count, ahead in relations:
        start, days = groups.get((source, source_wallet, source_listing), (0, []))
        target, target_days = groups.get((asset, wallet, listing), (0, []))
        # A relation is of a window of days: the nodes of its source within it follow one another.
        low, high = (0, len(days)) if level == "asset" else (bisect_left(days, first), bisect_right(days, last))
        place = bisect_left(target_days, day or date.min)
        # While dbt builds, a relation may be there whose node is not there yet.
        if low < high and target_days[place : place + 1] == [day or date.min]:
            edges.append(Edge(start + low, start + high - 1, target + place, count, ahead))
        else:
            outside += 1
    return Graph(level, nodes, edges, too_many, outside)


def read_trace_graph(identity: str, wallets: Sequence[str]) -> Graph | None:
    """The records behind an id, as `strades trace` follows them; None where there are none to be seen."""
    with domain_connection() as connection:
        try:
            lineage, readers = follow(connection, identity)
        except NotFound:
            return None
        owner = (lineage.decision or {}).get("wallet")
        if owner is not None and owner not in wallets:
            return None
        fetches = read_rows(connection, FETCHES, list(readers), MOST_FETCHES)
        graph = record_graph(lineage, fetches, read_first_known(connection, lineage), readers)
    ordered = sorted(graph.nodes, key=lambda node: (PLANES.index(node.layer), node.asset, node.known_at, node.key))
    places = {node.key: n for n, node in enumerate(ordered)}
    nodes = [
        Node(
            PLANES.index(node.layer), node.asset, node.wallet, node.listing_id, None, 1, *_seconds(node.known_at),
            node.key, node.sha256 or "",
        )
        for node in ordered
    ]  # fmt: skip
    edges = [
        Edge(places[edge.source], places[edge.source], places[edge.target], 1, int(edge.looks_ahead))
        for edge in graph.edges
    ]
    return Graph("record", nodes, edges, outside=len(readers) - len(fetches))


def _seconds(at: datetime) -> tuple[int, int]:
    seconds = int(at.timestamp())
    return seconds, seconds


def default_range(newest: date | None, today: date) -> tuple[date, date]:
    """The days that are shown without a wish: the newest week that there is anything of."""
    last = newest or today
    return last - timedelta(days=6), last
