"""`strades replay`: the words of the command; what a replay finds is in tests/brokerage/test_stream_desk.py."""

from strades_pipelines.database.connection import connect
from tests.operations.test_trading import World, mine
from tests.research.bars import Run

__all__ = ["mine"]


def test_the_newest_connections_are_listed_and_one_that_is_unknown_is_refused(strades: Run, mine: World) -> None:
    assert strades("replay", "--json").document == {"connections": []}
    with connect(mine.url) as connection:
        connection.execute(
            "INSERT INTO ops.stream_states (source, instrument_id, connection, state, gaps, updated_at)"
            " VALUES ('gateio_trades', '001CC', 4741380588797071730, 'live', 0, now())"
        )
    [newest] = strades("replay", "--json").document["connections"]
    assert (newest["source"], newest["connection"]) == ("gateio_trades", 4741380588797071730)
    assert "4741380588797071730" in strades("replay").out
    refused = strades("replay", 7)
    assert refused.code == 2
    assert "expected a connection with stored frames, was 7" in refused.err
