"""What the 4D view draws is what `strades trace` says: each relation of a trace, and none besides."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.lineage.record_graph import RecordGraph, read_first_known, record_graph
from strades_pipelines.lineage.row_lineage import FetchReaders, Lineage, read_rows
from strades_pipelines.lineage.trace import follow
from tests.dbt_project.building import rows, run_dbt
from tests.lineage.lineage_world import (
    ABROAD,
    COIN,
    DAY,
    DAYS,
    FIRST,
    MINUTE,
    STOCK,
    STOCK_ABROAD,
    World,
    midnight,
    window_of,
)  # fmt: skip

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Connection = psycopg.Connection[Any]
Place = tuple[str, date, int, str]  # asset, day, listing, wallet
MARTS = ("run", "--select", "lineage_nodes", "lineage_edges")
EDGES = """
    SELECT e.source_asset, n.day, e.source_listing_id, e.source_wallet, e.asset, e.day, e.listing_id, e.wallet
    FROM marts.lineage_edges AS e
    INNER JOIN marts.lineage_nodes AS n ON (n.level, n.asset, n.listing_id, n.wallet)
        = (e.level, e.source_asset, e.source_listing_id, e.source_wallet)
        AND n.day BETWEEN e.first_source_day AND e.last_source_day
    WHERE e.level = 2
"""


def marts_edges(url: str) -> set[tuple[Place, Place]]:
    """The relations of the mart, a window as one of each of its days."""
    return {(row[:4], row[4:]) for row in rows(url, EDGES)}


def relations_of(lineage: Lineage, sources: dict[int, str]) -> Iterator[tuple[Place, Place]]:
    """What a trace's document says rests on what, by day, worked out from its rows and nothing else."""
    fill, intent, decision, forecast = lineage.fill, lineage.intent, lineage.decision, lineage.prediction
    chain: list[Any] = [
        (fill and ("trading/fills", _day(fill["filled_at"]), fill["listing_id"], fill["wallet"])),
        (intent and ("trading/orders", _day(intent["intended_at"]), intent["listing_id"], intent["wallet"])),
        decision
        and (
            f"signals/{decision['strategy']}",
            _day(decision["decided_at"]),
            decision["listing_id"],
            decision["wallet"],
        ),
        forecast and (f"predictions/{forecast['name']}", forecast["session_date"], forecast["listing_id"], ""),
        lineage.features and ("features/daily", lineage.features["session_date"], lineage.features["listing_id"], ""),
    ]
    for upper, lower in pairwise(chain):
        if upper and lower:
            yield lower, upper
    read = (decision or {"inputs": {}})["inputs"].get("bars")
    for row in [*lineage.records, *lineage.cleaned]:
        listing_id = STOCK_ABROAD if row.get("quoted_venue") == ABROAD else row["listing_id"]
        raw: Place = ("records/candles", _day(row["open_time"]), listing_id, "")
        yield (f"rawsources/{sources[row['fetch_id']]}", raw[1], listing_id, ""), raw
        daily = "session_date" in row
        bar: Place = ("cleaned/daily_bars", row["session_date"], row["listing_id"], "") if daily else raw
        if daily:
            yield raw, bar
        elif row["interval"] == "1d":
            continue  # what reads daily bars reads the cleaned ones
        window = lineage.features
        if daily and window and window["window_start"] <= row["session_date"] <= window["session_date"]:
            yield bar, chain[4]
        opened = row["open_time"].isoformat()
        if read and daily == (read["interval"] == "1d") and read["first_open_time"] <= opened <= read["last_open_time"]:
            yield bar, chain[2]
        if fill and fill["bar_open_time"] == row["open_time"] and daily == (fill["bar_interval"] == "1d"):
            yield bar, chain[0]


def _day(at: datetime) -> date:
    return at.date()


def graph_of(connection: Connection, lineage: Lineage, readers: FetchReaders) -> RecordGraph:
    """The graph of a trace, as the 4D view reads it."""
    query = "SELECT fetch_id, source, NULL AS sha256 FROM rawsources.fetches WHERE fetch_id = ANY(%s)"
    fetches = read_rows(connection, query, list(readers))
    return record_graph(lineage, fetches, read_first_known(connection, lineage), readers)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_relation_of_a_trace_is_drawn_and_no_other(seed: int, database_url: str, connection: Connection) -> None:
    connection.execute("SET timezone TO 'UTC'")
    world = World(database_url, connection, seed)
    run_dbt(database_url, MARTS)
    drawn = marts_edges(database_url)
    sources = {row["fetch_id"]: row["source"] for row in read_rows(connection, "SELECT * FROM rawsources.fetches")}
    said: set[tuple[Place, Place]] = set()
    for identity in world.identities:
        lineage, readers = follow(connection, identity)
        own = set(relations_of(lineage, sources))
        assert own <= drawn, identity
        said |= own
        graph = graph_of(connection, lineage, readers)
        assert {(place, target) for place, target in joined_records(graph, lineage, sources)} == own, identity
        assert not any(edge.looks_ahead for edge in graph.edges)
    # A trace begins at a forecast or later: of bars that nothing read it says nothing.
    begun = {edge for edge in drawn if edge[1][0].split("/")[0] in ("signals", "trading", "predictions")}
    below = {edge for edge in drawn if edge[1][0] == "features/daily" and any(edge[1] == lower for lower, _ in begun)}
    assert begun | below <= said
    assert {edge for edge in said if edge[1][0] == "records/candles"} <= drawn
    assert rows(database_url, "SELECT FROM marts.lineage_edges WHERE look_ahead > 0") == []


def joined_records(graph: RecordGraph, lineage: Lineage, sources: dict[int, str]) -> Iterator[tuple[Place, Place]]:
    """The relations of a graph of records, by day; bytes that were read past a candle of their day as if through it."""
    nodes = {node.key: node for node in graph.nodes}
    days = {f"bar:{row['listing_id']}:{row['session_date']}": row["session_date"] for row in lineage.cleaned}
    quoted = {
        f"bar:{row['listing_id']}:{row['session_date']}": STOCK_ABROAD
        for row in lineage.cleaned
        if row["quoted_venue"] == ABROAD
    }
    days |= {
        f"candle:{r['listing_id']}:{r['interval']}:{r['open_time'].isoformat()}": _day(r["open_time"])
        for r in lineage.records
    }
    for row, key, at in (
        (lineage.fill, "fill_id", "filled_at"), (lineage.intent, "intent_id", "intended_at"),
        (lineage.decision, "decision_id", "decided_at"),
    ):  # fmt: skip
        if row:
            days[row[key]] = _day(row[at])
    if lineage.prediction:
        days[lineage.prediction["prediction_id"]] = lineage.prediction["session_date"]
    for node in graph.nodes:
        if node.layer == "features" and lineage.features:
            days[node.key] = lineage.features["session_date"]

    def place(key: str) -> Place:
        node = nodes[key]
        return node.asset, days[key], node.listing_id, node.wallet

    for edge in graph.edges:
        source, target = nodes[edge.source], place(edge.target)
        if source.layer != "sources":
            yield place(edge.source), target
            continue
        listing_id = quoted.get(edge.target, target[2])
        raw: Place = ("records/candles", target[1], listing_id, "")
        yield (source.asset, target[1], listing_id, ""), raw
        if target != raw:
            yield raw, target


def test_what_a_model_was_trained_on_leads_to_the_model_and_what_was_heard_to_the_decision() -> None:
    at = midnight(FIRST)
    features = {"listing_id": STOCK, "decision_time": at, "window_start": FIRST, "session_date": FIRST}
    lineage = Lineage(
        "D",
        decision={"decision_id": "D", "strategy": "s", "decided_at": at, "inputs": {}, "listing_id": STOCK},
        prediction={"prediction_id": "P", "name": "ridge", "decision_time": at},
        model={"model_id": "M", "trained_at": at},
        features=features,
    )
    readers: FetchReaders = {1: {"features"}, 2: {"model"}, 3: {"features", "model"}, 4: {"decision"}, 5: {"bars"}}
    fetches = [{"fetch_id": fetch_id, "source": "s", "sha256": None} for fetch_id in readers]
    row = f"features:{STOCK}:{at.isoformat()}"
    graph = record_graph(lineage, fetches, {}, readers)
    assert [(e.source, e.target) for e in graph.edges if e.source.startswith("fetch")] == [
        ("fetch:1", row), ("fetch:2", "model:M"), ("fetch:3", row), ("fetch:3", "model:M"), ("fetch:4", "D"),
        ("fetch:5", row),
    ]  # fmt: skip


def test_a_new_day_is_added_by_itself_and_equals_what_is_made_anew(
    database_url: str, connection: Connection, adbc: "AdbcConnection"
) -> None:
    world = World(database_url, connection, 4)
    run_dbt(database_url, MARTS)
    places = "SELECT day, ctid, asset, listing_id FROM marts.lineage_nodes"
    before = set(rows(database_url, places))
    run_dbt(database_url, MARTS)
    assert set(rows(database_url, places)) == before
    late = midnight(FIRST + (DAYS - 1) * DAY)
    world.decide("NEW", COIN, late + timedelta(hours=3), {"bars": window_of(COIN, "1m", late, late + MINUTE)})
    connection.execute("DELETE FROM records.candles WHERE listing_id = %s AND open_time < %s", [COIN, late])
    connection.commit()
    run_dbt(database_url, MARTS)
    tables = {f"marts.lineage_{kind}": "ORDER BY 1, 2, 3, 4, 5, 6, 7" for kind in ("nodes", "edges")}
    grown = {name: rows(database_url, f"SELECT * FROM {name} {order}") for name, order in tables.items()}
    written = before ^ set(rows(database_url, places))
    assert {row[0] for row in written} == {late.date() - DAY, late.date()}
    assert {row[3] for row in written} == {0, COIN}
    run_dbt(database_url, (*MARTS, "--full-refresh"))
    assert {name: rows(database_url, f"SELECT * FROM {name} {order}") for name, order in tables.items()} == grown
