"""What a start finds of an earlier process: how far the records reach, and where they stop being complete."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from strades_pipelines.database.connection import connect, terminate_own_backends
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams.frame_store import Frame, store_frames
from strades_pipelines.ingestion.streams.repair import RepairFailed
from strades_pipelines.ingestion.streams.stream_log import DATABASE_ERRORS
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.ingestion.streams.writer import Coverage, State, StreamWriter, Taken
from strades_pipelines.settings import PROJECT

BTC = "001CC"  # of gateio_trades in Sources.json
at = partial(datetime, 2026, 11, 30, tzinfo=UTC)  # hour, minute


def trade(number: int, time: datetime, connection: int = 7) -> Frame:
    """The frame of a trade at Gate.io, which arrives as it happens."""
    row = {"id": number, "create_time_ms": f"{1000 * time.timestamp():.0f}", "side": "buy", "amount": "1", "price": "2"}
    document = {"channel": "spot.trades", "event": "update", "result": row | {"currency_pair": "BTC_USDT"}}
    microseconds = round(1_000_000 * time.timestamp())
    return Frame(connection, number, time, json.dumps(document).encode(), BTC, ((BTC, microseconds),))


@pytest.fixture
def writer(database_url: str) -> StreamWriter:
    """The writer of gateio_trades on an empty database."""
    sources = load_sources(PROJECT / "Sources.json")
    sync_listings(sources, url=database_url, now=at(9))
    [source] = stream_sources(sources, ["gateio_trades"])
    return StreamWriter(source, database_url)


def test_02_a_start_goes_on_from_the_hole_that_an_earlier_process_left_open(writer: StreamWriter) -> None:
    # cut from 10:00 to 10:20: the trades of 10:20 are stored while the hole is open
    frames = [trade(1, at(9, 50)), trade(2, at(10)), trade(9, at(10, 20)), trade(10, at(10, 21))]
    assert writer.store(frames, at(10, 21)).rows == 4
    now = at(10, 40)
    assert writer.open(now)[BTC] == Coverage(at(9, 50), at(10, 21))
    writer.keep_states({BTC: State(7, "repairing", at(10, 21), 1, None, None, at(10))}, now)
    assert writer.open(now)[BTC] == Coverage(at(9, 50), at(10))
    # a process that does not know yet leaves the time as it is
    writer.keep_states({BTC: State(8, "down", None, 0, None, None, None)}, now)
    assert writer.open(now)[BTC] == Coverage(at(9, 50), at(10))
    # five minutes of the hole are older than the last six hours, whose start is 10:05 then: bars begin there
    later = at(16, 5)
    assert writer.open(later)[BTC] == Coverage(later - timedelta(hours=6), later - timedelta(hours=6))
    writer.close()


def test_an_answer_that_the_parser_refuses_fills_no_hole(writer: StreamWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    # by a clock that is an hour behind, every trade is of the future: refused, in a batch and in an answer
    frames = [trade(number, at(11))._replace(received_at=at(10)) for number in (1, 2)]
    taken = writer.store(frames, at(10))
    assert taken.rows == 0
    assert "time_in_the_future in every row" in taken.refused[0]
    with connect(writer.url) as connection:
        fetch_ids = store_frames(connection, writer.source, [frames[0]._replace(connection=8)])
    monkeypatch.setattr("strades_pipelines.ingestion.streams.writer.ask_again", lambda *_, **__: fetch_ids)
    with pytest.raises(RepairFailed, match=r"an answer was refused: .*time_in_the_future"):
        writer.repair([BTC], at(10), at(11), at(11))
    writer.close()


def test_the_oldest_trade_of_an_answer_is_known_where_the_provider_takes_no_stretch(
    writer: StreamWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the trade of 10:05 was stored by the stream; the answer has it again, and 10:06 that was missing
    writer.store([trade(1, at(10)), trade(5, at(10, 5))], at(10, 5))
    with connect(writer.url) as connection:
        frames = [trade(5, at(10, 5), connection=8), trade(6, at(10, 6), connection=8)]
        fetch_ids = store_frames(connection, writer.source, frames)
    monkeypatch.setattr("strades_pipelines.ingestion.streams.writer.ask_again", lambda *_, **__: fetch_ids)
    ask = replace(writer.source.protocol.ask, chunk=None)
    writer.source = replace(writer.source, protocol=replace(writer.source.protocol, ask=ask))
    assert writer.repair([BTC], at(10), at(10, 6), at(10, 7)) == Taken(1, 0, (), {BTC: at(10, 5)})
    # bars begin behind it after a restart too
    writer.keep_states({BTC: State(7, "live", at(10, 6), 0, None, at(10, 5), at(10, 6))}, at(10, 7))
    assert writer.open(at(10, 8))[BTC] == Coverage(at(10, 5), at(10, 6))
    writer.close()


BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()
"""


def test_loads_keep_their_connections_until_one_breaks(writer: StreamWriter) -> None:
    backends = []
    for number in (1, 2):
        assert writer.store([trade(number, at(10, number))], at(10, number)).rows == 1
        with connect(writer.url) as connection:
            backends.append({pid for (pid,) in connection.execute(BACKENDS)})
    assert len(backends[0]) == 3
    assert backends[0] == backends[1]
    terminate_own_backends(writer.url)
    for _ in range(2):  # the writer's own connection, then those of its loads
        with pytest.raises(DATABASE_ERRORS):
            writer.store([trade(3, at(10, 3))], at(10, 3))
    assert writer.store([trade(4, at(10, 4))], at(10, 4)).rows == 2
    writer.close()
