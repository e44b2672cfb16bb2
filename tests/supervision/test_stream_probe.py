"""The process of the streams is well while it says how they do, whatever the venues do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg

from strades_pipelines.ingestion.streams.states import StreamState, kept_now, read_states, stream_problems
from strades_pipelines.supervision.stream_probe import streams_answer

ROW = "INSERT INTO ops.stream_states VALUES ('gateio', '001CC', NULL, 'down', NULL, 0, 'refused', %s)"


def test_a_process_is_well_while_it_says_how_the_streams_do(connection: psycopg.Connection, database_url: str) -> None:
    now = datetime.now(UTC)
    started = now - timedelta(minutes=5)
    assert streams_answer(database_url, lambda: started, ["gateio"]) == "has not said yet how the streams of gateio do"
    connection.execute(ROW, [now])
    connection.commit()
    assert (
        streams_answer(database_url, lambda: started, ["gateio"]) is None
    )  # a venue that is away is no fault of the process
    assert [each.line for each in kept_now(read_states(connection), now)] == [
        "stream gateio 001CC: down, newest record none yet (refused)"
    ]
    later = now + timedelta(seconds=1)
    assert streams_answer(database_url, lambda: later, ["gateio"]) == "has not said yet how the streams of gateio do"
    connection.execute("UPDATE ops.stream_states SET updated_at = %s", [now - timedelta(minutes=2)])
    connection.commit()
    answer = str(streams_answer(database_url, lambda: started, ["gateio"]))
    assert answer.startswith("has said nothing of the streams of gateio for 12")
    assert kept_now(read_states(connection), now) == []


def test_one_silent_stream_is_a_fault_of_the_process_and_no_stream_is_none(
    connection: psycopg.Connection, database_url: str
) -> None:
    now = datetime.now(UTC)
    started = now - timedelta(minutes=5)
    connection.execute(ROW, [now])
    connection.execute(ROW.replace("gateio", "binance_trades"), [now - timedelta(minutes=2)])
    connection.commit()

    def answer(*wanted: str) -> str:
        return str(streams_answer(database_url, lambda: started, wanted))

    assert answer("gateio", "binance_trades").startswith("has said nothing of the streams of binance_trades for 12")
    assert answer("gateio", "coinbase_trades") == "has not said yet how the streams of coinbase_trades do"
    assert answer() == "None"  # Sources.json names none any more
    assert streams_answer(database_url, lambda: started, None) is not None  # a file nobody can read: any that was kept


def test_doctor_is_told_of_streams_that_nobody_keeps_and_of_holes_that_cannot_be_asked_for() -> None:
    now = datetime.now(UTC)
    live = StreamState("gateio", "001CC", "live", now, 0, None, now)
    asking = replace(live, instrument="002CC", state="repairing", gaps=1)
    failing = replace(asking, detail="503")
    old = replace(live, source="binance_trades", updated_at=now - timedelta(minutes=2))

    def problems(*states: StreamState, is_served: bool = True) -> list[str]:
        return stream_problems(states, {"gateio", "binance_trades"}, now, is_served=is_served)

    nobody = "stream binance_trades: no process keeps it, though `strades up` runs"
    assert problems(live, asking, old) == [nobody]
    assert problems(live, asking, old, is_served=False) == []
    assert problems(live, failing) == [failing.line, nobody]
