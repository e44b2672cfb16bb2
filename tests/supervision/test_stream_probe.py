"""The process of the streams is well while it says how they do, whatever the venues do."""

from datetime import UTC, datetime, timedelta

import psycopg

from strades_pipelines.ingestion.streams.states import kept_now, read_states
from strades_pipelines.supervision.stream_probe import streams_answer

ROW = "INSERT INTO ops.stream_states VALUES ('gateio', '001CC', NULL, 'down', NULL, 0, 'refused', %s)"


def test_a_process_is_well_while_it_says_how_the_streams_do(connection: psycopg.Connection, database_url: str) -> None:
    now = datetime.now(UTC)
    started = now - timedelta(minutes=5)
    assert streams_answer(database_url, lambda: started) == "has not said yet how the streams do"
    connection.execute(ROW, [now])
    connection.commit()
    assert streams_answer(database_url, lambda: started) is None  # a venue that is away is no fault of the process
    assert [each.line for each in kept_now(read_states(connection), now)] == [
        "stream gateio 001CC: down, newest record none yet (refused)"
    ]
    assert streams_answer(database_url, lambda: now + timedelta(seconds=1)) == "has not said yet how the streams do"
    connection.execute("UPDATE ops.stream_states SET updated_at = %s", [now - timedelta(minutes=2)])
    connection.commit()
    assert str(streams_answer(database_url, lambda: started)).startswith("has said nothing of the streams for 12")
    assert kept_now(read_states(connection), now) == []
