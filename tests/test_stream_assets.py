"""Streams in Dagster: external assets, materialized by a sensor where frames came."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.defs.rawsources.stream_assets import new_materializations, stream_key, stream_sensor
from strades_pipelines.resources.database import Database

OPENED = datetime(2026, 11, 20, 12, tzinfo=UTC)
STREAMED = """
    INSERT INTO ops.stream_states (source, instrument_id, state, last_frame_at, gaps, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (source, instrument_id) DO UPDATE SET last_frame_at = excluded.last_frame_at
"""


def test_a_stream_is_materialized_when_frames_came_and_says_how_old_the_newest_is(
    connection: "psycopg.Connection[Any]",
) -> None:
    def keep(source: str, instrument: str, newest: datetime) -> None:
        connection.execute(STREAMED, [source, instrument, "live", newest, 1, OPENED])

    sources, second = ["gateio_trades", "gateio"], timedelta(seconds=1)
    assert new_materializations(connection, sources, {}, OPENED) == ([], {})
    keep("gateio_trades", "001CC", OPENED)
    keep("gateio_trades", "002CC", OPENED + 2 * second)
    keep("another", "001CC", OPENED)
    [made], seen = new_materializations(connection, sources, {}, OPENED + 5 * second)
    assert made.asset_key == stream_key("gateio_trades")
    told = {name: value.value for name, value in made.metadata.items()}
    assert (told["lag_seconds"], told["open_gaps"], told["state"], told["frames"]) == (3.0, 2, "live", 0)
    assert new_materializations(connection, sources, seen, OPENED + 65 * second) == ([], seen)  # nothing came
    keep("gateio_trades", "001CC", OPENED + 62 * second)
    for number, at in enumerate((OPENED, OPENED + 30 * second, OPENED + 62 * second)):
        connection.execute("INSERT INTO rawsources.frames VALUES (1, %s, 'gateio_trades', %s, NULL, 'x')", [number, at])
    [made], _ = new_materializations(connection, sources, seen, OPENED + 65 * second)
    assert (made.metadata["lag_seconds"].value, made.metadata["frames"].value) == (3.0, 2)


def test_streams_are_told_of_once_a_minute_at_most_and_as_assets_without_a_run(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    assert stream_sensor.minimum_interval_seconds == 60
    connection.execute(STREAMED, ["gateio_trades", "001CC", "live", OPENED, 0, OPENED])
    connection.commit()
    context = dg.build_sensor_context(resources={"database": Database(url=database_url)})
    result = stream_sensor(context)
    assert isinstance(result, dg.SensorResult)
    assert [event.asset_key for event in result.asset_events] == [stream_key("gateio_trades")]
    again = dg.build_sensor_context(cursor=result.cursor, resources={"database": Database(url=database_url)})
    assert isinstance(stream_sensor(again), dg.SkipReason)
