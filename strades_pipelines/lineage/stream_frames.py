"""Fetches with their bytes: those of streams with the frames that they are made of, cold ones too."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.cold_store import ColdStoreError, cold_months, read_months
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.verify import verify_fetch
from strades_pipelines.lineage.row_lineage import Connection, Row, read_row, read_rows

FRAMES = "rawsources.frames"
HOT_FRAMES = (
    "SELECT connection, sequence, frame FROM rawsources.frames WHERE fetch_id = %s ORDER BY connection, sequence"
)
HOT_SPAN = """
    SELECT min(connection) AS connection, min(sequence) AS first_frame, max(sequence) AS last_frame
    FROM rawsources.frames WHERE fetch_id = %s
"""
# `first_of_batch`: the sequence of its first frame, of which its key says "connection first-last instrument".
FETCH = """
    SELECT fetch_id, source, protocol, url, fetched_at, encode(sha256, 'hex') AS sha256,
        CASE WHEN method = 'STREAM' THEN substring(request_key FROM '^[0-9]+ ([0-9]+)-')::bigint END AS first_of_batch
    FROM rawsources.fetches WHERE fetch_id = %s
"""
LONGEST_BATCH = timedelta(days=1)  # from its first frame to its last, whose time its fetch has


def verify(connection: Connection, fetch_id: int) -> Row:
    """A fetch, the frames that it was made of where it is a stream's, and a fault for each row that its bytes lack.

    Frames of a cold month are read from their file, and must be the bytes that were parsed.
    """
    fetch = read_row(connection, FETCH, fetch_id)
    if fetch is None:
        return {"fetch_id": fetch_id, "faults": [f"fetch {fetch_id} is gone from rawsources.fetches"]}
    first_of_batch = fetch.pop("first_of_batch")
    fetch |= {
        "connection": None,
        "first_frame": None,
        "last_frame": None,
        **(read_row(connection, HOT_SPAN, fetch_id) or {}),
    }
    faults: list[str] = []
    if first_of_batch != fetch["first_frame"]:  # what is cold came before what is not
        try:
            faults = _take_cold_frames(connection, fetch)
        except (BadInput, ColdStoreError) as error:
            faults = [f"fetch {fetch_id}: its frames are in a cold month: {error}"]
    try:
        with connection.cursor() as cursor:
            verification = verify_fetch(cursor, fetch_id)
    except LookupError as error:
        return {**fetch, "rows": 0, "faults": [*faults, str(error)]}
    return {**fetch, "rows": verification.rows, "faults": [*faults, *verification.faults]}


def is_cold(connection: Connection, connection_id: int) -> str | None:
    """The newest cold month, `2026-01`, that has frames of a stream's connection, or None."""
    with connection.cursor() as cursor:
        months = cold_months(cursor, FRAMES)
    for month in reversed(months):
        if read_months([month], chosen={"connection": [connection_id]}, columns=["sequence"]).num_rows:
            return f"{month.month:%Y-%m}"
    return None


def cold_frames(connection: Connection, fetch_id: int, last_received_at: datetime) -> list[Row]:
    """The frames of a fetch that are in cold months, each with connection, sequence and bytes."""
    span = last_received_at - LONGEST_BATCH, last_received_at + timedelta(microseconds=1)
    with connection.cursor() as cursor:
        months = cold_months(cursor, FRAMES, span)
    if not months:
        return []
    rows: list[dict[str, Any]] = read_months(
        months, span, {"fetch_id": [fetch_id]}, ["connection", "sequence", "frame"]
    ).to_pylist()
    return rows


def _take_cold_frames(connection: Connection, fetch: Row) -> list[str]:
    """Widen the fetch's span of frames to its cold ones; a fault where these are not the bytes that were parsed."""
    cold = cold_frames(connection, fetch["fetch_id"], fetch["fetched_at"])
    if not cold:
        return []
    frames = sorted([*cold, *read_rows(connection, HOT_FRAMES, fetch["fetch_id"])], key=_place)
    fetch |= {
        "connection": frames[0]["connection"],
        "first_frame": frames[0]["sequence"],
        "last_frame": frames[-1]["sequence"],
    }
    if hashlib.sha256(join_frames(bytes(frame["frame"]) for frame in frames)).hexdigest() == fetch["sha256"]:
        return []
    return [f"fetch {fetch['fetch_id']}: its frames are not the bytes that were parsed"]


def _place(frame: Row) -> tuple[int, int]:
    return frame["connection"], frame["sequence"]
