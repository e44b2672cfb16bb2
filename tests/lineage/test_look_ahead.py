"""Red is what was decided before a thing that it rests on was known, in the marts and in a trace, and nothing else."""

from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.lineage.trace import follow
from strades_pipelines.predictor.formulas import SESSIONS
from strades_pipelines.resources.dbt_project import PROJECT_DIR
from tests.dbt_project.building import rows, run_dbt
from tests.lineage.lineage_world import COIN, DAY, DAYS, FIRST, MINUTE, STOCK, STOCK_ABROAD, World, midnight, window_of
from tests.lineage.test_record_graph import MARTS, graph_of

Connection = psycopg.Connection[Any]
LATE = "SELECT asset, source_asset, rows, look_ahead FROM marts.lineage_edges WHERE level = {} AND look_ahead > 0"


def test_what_was_known_later_than_the_decision_looks_ahead_and_a_revision_does_not(
    database_url: str, connection: Connection
) -> None:
    connection.execute("SET timezone TO 'UTC'")
    world = World(database_url, connection, 3)
    day = midnight(FIRST + (DAYS - 1) * DAY)
    world.decide("LATE", COIN, day + 2 * MINUTE, {"bars": window_of(COIN, "1m", day, day + 5 * MINUTE)})
    world.decide(
        "REVISED", COIN, day + 10 * MINUTE, {"bars": window_of(COIN, "1m", day + 8 * MINUTE, day + 9 * MINUTE)}
    )
    connection.execute(
        "INSERT INTO records.candle_revisions SELECT *, now() FROM records.candles "
        "WHERE listing_id = %s AND open_time = %s",
        [COIN, day + 9 * MINUTE],
    )
    connection.execute(
        "UPDATE records.candles SET knowledge_time = knowledge_time + interval '1 day' "
        "WHERE listing_id = %s AND open_time = %s",
        [COIN, day + 9 * MINUTE],
    )
    connection.commit()
    run_dbt(database_url, MARTS)
    for level in (1, 2):
        [(asset, source, _rows, late)] = rows(database_url, LATE.format(level))
        assert (asset.partition("/")[0], source, late) == ("signals", "records/candles", 1)
    ahead = {}
    for identity in ("LATE", "REVISED"):
        graph = graph_of(connection, *follow(connection, identity))
        ahead[identity] = {edge.source.partition("1m:")[2] for edge in graph.edges if edge.looks_ahead}
    # Bars close a minute after they open: those that open at 0:00 and 0:01 were known at 0:02.
    assert ahead == {"LATE": {(day + n * MINUTE).isoformat() for n in (2, 3, 4, 5)}, "REVISED": set()}


def test_features_that_read_a_bar_before_it_was_known_look_ahead_with_their_forecast(
    database_url: str, connection: Connection
) -> None:
    connection.execute("SET timezone TO 'UTC'")
    World(database_url, connection, 4)
    [(forecast, session)] = rows(
        database_url,
        "SELECT prediction_id, session_date FROM predictions.forecasts ORDER BY decision_time DESC LIMIT 1",
    )
    with connect(database_url, role="strades_dbt") as dbt:
        late = (
            "UPDATE cleaned.daily_bars SET knowledge_time = knowledge_time + interval '1 hour' WHERE session_date = %s"
        )
        dbt.execute(late, [session])
    run_dbt(database_url, MARTS)
    ahead = [(asset.partition("/")[0], source) for asset, source, _rows, late in rows(database_url, LATE.format(2))]
    red = [("features", "cleaned/daily_bars"), ("predictions", "features/daily")]
    assert sorted(set(ahead)) == red
    assert len({row[0] for row in rows(database_url, LATE.format(1))}) >= 2
    lineage, readers = follow(connection, forecast)
    graph = graph_of(connection, lineage, readers)
    assert [edge.source for edge in graph.edges if edge.looks_ahead] == [
        graph.nodes[0].key, f"bar:{STOCK}:{session}",
    ]  # fmt: skip
    # With as many bars as a row reads that were known in time, it passed over the late one.
    missing = SESSIONS - len(lineage.cleaned) + 1
    start = FIRST - missing * DAY
    connection.execute("UPDATE features.daily SET window_start = %s WHERE session_date = %s", [start, session])
    connection.commit()
    with connect(database_url, role="strades_dbt") as dbt:
        dbt.execute(
            "INSERT INTO cleaned.daily_bars SELECT (jsonb_populate_record(b, jsonb_build_object("
            "'session_date', %s::date + n, 'open_time', b.open_time - (100 - n) * interval '1 day'))).* "
            "FROM cleaned.daily_bars AS b, generate_series(0, %s) AS n WHERE b.session_date = %s",
            [start, missing - 1, FIRST],
        )
    run_dbt(database_url, (*MARTS, "--full-refresh"))
    assert rows(database_url, LATE.format(2)) == []
    graph = graph_of(connection, *follow(connection, forecast))
    assert not any(edge.looks_ahead for edge in graph.edges)


def test_a_bar_of_another_venue_that_was_revised_since_does_not_look_ahead(
    database_url: str, connection: Connection
) -> None:
    connection.execute("SET timezone TO 'UTC'")
    world = World(database_url, connection, 6)
    day = FIRST + 7 * DAY
    opened = midnight(day)
    world.decide("ABROAD", STOCK, opened + DAY, {"bars": window_of(STOCK, "1d", opened, opened)})
    bar = "WHERE listing_id = %s AND open_time = %s"
    connection.execute(f"INSERT INTO records.candle_revisions SELECT *, now() FROM records.candles {bar}".encode(), [
        STOCK_ABROAD, opened,
    ])  # fmt: skip
    later = "SET knowledge_time = knowledge_time + interval '30 days'"
    connection.execute(f"UPDATE records.candles {later} {bar}".encode(), [STOCK_ABROAD, opened])
    connection.commit()
    with connect(database_url, role="strades_dbt") as dbt:
        dbt.execute(f"UPDATE cleaned.daily_bars {later} {bar}".encode(), [STOCK, opened])
    run_dbt(database_url, MARTS)
    assert rows(database_url, LATE.format(2)) == []
    known = (
        "SELECT min(first_knowledge_time), max(knowledge_time) FROM marts.lineage_nodes "
        f"WHERE asset = 'cleaned/daily_bars' AND day = '{day}' AND level = "
    )
    for level in (1, 2):  # it stays in the view of the day after it
        assert rows(database_url, f"{known}{level}") == [(opened + DAY, opened + 31 * DAY)]
    graph = graph_of(connection, *follow(connection, "ABROAD"))
    candle = f"candle:{STOCK_ABROAD}:1d:{opened.isoformat()}"
    assert (candle, f"bar:{STOCK}:{day}", False) in {(e.source, e.target, e.looks_ahead) for e in graph.edges}
    assert not any(edge.looks_ahead for edge in graph.edges)


def test_the_window_of_the_marts_is_that_of_the_features() -> None:
    assert f"\n  feature_sessions: {SESSIONS}\n" in (PROJECT_DIR / "dbt_project.yml").read_text()
