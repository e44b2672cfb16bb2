"""Frames go after a time, but for those that a decision heard or that hold bars.

Of each frame with records the bytes are in the body of its batch as well (`rawsources.bodies`), which stays.
"""

from datetime import datetime
from typing import Any

import psycopg

BATCH_ROWS = 20_000  # so that no delete holds its locks for long
# What a decision heard is told by its window, a minute wider: trades and quotes are heard later than they happen. A
# batch goes when its last frame (`answered_at`) is old: a half of it would not be the bytes that were parsed.
DELETE = """
    WITH heard AS MATERIALIZED (
        SELECT DISTINCT t.fetch_id
        FROM signals.decisions AS d
        CROSS JOIN LATERAL jsonb_to_record(d.inputs -> 'trades') AS read (
            listing_ids integer[], heard_from timestamptz, heard_to timestamptz
        )
        INNER JOIN records.trades AS t
            ON t.listing_id = ANY(read.listing_ids)
                AND t.event_time BETWEEN read.heard_from - interval '1 minute' AND read.heard_to
        WHERE d.inputs ? 'trades' AND read.heard_from < %(before)s
        UNION
        SELECT q.fetch_id
        FROM signals.decisions AS d
        CROSS JOIN LATERAL jsonb_to_record(d.inputs -> 'quotes') AS read (
            listing_ids integer[], heard_from timestamptz, heard_to timestamptz
        )
        INNER JOIN records.quotes AS q
            ON q.listing_id = ANY(read.listing_ids)
                AND q.event_time BETWEEN read.heard_from - interval '1 minute' AND read.heard_to
        WHERE d.inputs ? 'quotes' AND read.heard_from < %(before)s
    ), old AS (
        SELECT f.connection, f.sequence, f.received_at FROM rawsources.frames AS f
        WHERE f.source = ANY(ARRAY(SELECT DISTINCT source FROM ops.stream_states)) AND f.received_at < %(before)s
            AND (
                f.fetch_id IS NULL OR (
                    EXISTS (
                        SELECT FROM rawsources.fetches AS p
                        WHERE p.fetch_id = f.fetch_id AND p.is_parsed AND p.answered_at < %(before)s
                    )
                    AND NOT EXISTS (SELECT FROM heard WHERE heard.fetch_id = f.fetch_id)
                    AND NOT EXISTS (SELECT FROM records.candles AS c WHERE c.fetch_id = f.fetch_id)
                    -- What of cold months a decision heard is not looked up: their frames stay, those too that came
                    -- within a minute after the month.
                    AND f.received_at >= coalesce((
                        SELECT max(month) + interval '1 month 1 minute' FROM records.cold_months
                        WHERE relation IN ('records.trades', 'records.quotes')
                    ), '-infinity')
                )
            )
        LIMIT %(most)s
    )
    DELETE FROM rawsources.frames AS f USING old
    WHERE (f.connection, f.sequence, f.received_at) = (old.connection, old.sequence, old.received_at)
"""


def delete_old_frames(connection: psycopg.Connection[Any], before: datetime) -> int:
    """Delete the frames of before that no decision rests on, whole batches; returns how many. Commits as it goes.

    Args:
        before: the world's time, UTC.
    """
    deleted = 0
    while True:
        # A trigger refuses every other delete of frames; the setting ends with the transaction.
        connection.execute("SELECT set_config('strades.deletes_old_frames', 'on', true)")
        count = connection.execute(DELETE, {"before": before, "most": BATCH_ROWS}).rowcount
        connection.commit()
        deleted += count
        if count < BATCH_ROWS:
            return deleted
