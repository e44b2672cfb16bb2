"""Which of the frames that wait are stored together."""

from collections.abc import Sequence
from datetime import timedelta

from strades_pipelines.datamanager.protocol import Stream
from strades_pipelines.ingestion.streams.frame_store import Frame

BATCH_FRAMES, BATCH_BYTES = 4_000, 8_000_000


def longest_span(stream: Stream) -> timedelta | None:
    """How long the frames of a batch may have come; None: as long as they did.

    Quotes without a venue's time are all of the instant at which their batch had come, and one of `every_ms` is kept:
    frames that had to wait for the database would be one quote.
    """
    quotes = (one for one in stream.read.outputs if one.kind == "quote" and "event_time" not in one.fields)
    spans = [timedelta(milliseconds=one.every_ms) for one in quotes if one.every_ms]
    return min(spans, default=None)


def first_batch(frames: Sequence[Frame], span: timedelta | None) -> list[Frame]:
    """The oldest frames of one connection, within the bounds of a batch."""
    batch: list[Frame] = []
    size = 0
    for frame in frames[:BATCH_FRAMES]:
        if batch and (frame.connection != batch[0].connection or size + len(frame.data) > BATCH_BYTES):
            break
        if batch and span is not None and frame.received_at - batch[0].received_at >= span:
            break
        batch.append(frame)
        size += len(frame.data)
    return batch
