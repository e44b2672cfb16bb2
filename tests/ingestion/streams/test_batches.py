"""Which frames a recorder stores together: no more of them, nor of more seconds, than one time can stand for."""

from datetime import UTC, datetime, timedelta

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.streams.batches import first_batch, longest_span
from strades_pipelines.ingestion.streams.frame_store import Frame

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("protocol", "batches"),
    [
        ("binance_quotes", [[0, 100, 200], [250, 400], [5000], [5000]]),  # states no time: it is that of its batch
        ("gateio_quotes", [[0, 100, 200, 250, 400, 5000], [5000]]),
        ("gateio_trades", [[0, 100, 200, 250, 400, 5000], [5000]]),
    ],
)
def test_frames_that_waited_for_the_database_keep_their_times(protocol: str, batches: list[list[int]]) -> None:
    """In milliseconds; the last one is of another connection."""
    stream = load_protocol(protocol).stream
    assert stream is not None
    came = [*((1, each) for each in (0, 100, 200, 250, 400, 5000)), (2, 5000)]
    frames = [
        Frame(connection, number, NOW + timedelta(milliseconds=milliseconds), b"{}", "BTC")
        for number, (connection, milliseconds) in enumerate(came)
    ]
    found = []
    while frames:
        batch = first_batch(frames, longest_span(stream))
        found.append([(each.received_at - NOW) // timedelta(milliseconds=1) for each in batch])
        del frames[: len(batch)]
    assert found == batches
