"""A connection is compared with what is stored, or refused; it never agrees because nothing is there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.lineage.stream_replay import replay_connection

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
COLD = """
    INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)
    VALUES ('records.trades', '2026-01-01', 'p', 1, 1, 's', 's', '2026-03-05')
"""
FRAME = "INSERT INTO rawsources.frames VALUES (1, 1, 'streamed', %s, NULL, 'x')"


@pytest.mark.parametrize(
    ("received", "is_cold"),
    [
        (FEBRUARY - timedelta(days=3), True),
        (FEBRUARY + timedelta(seconds=59), True),
        (FEBRUARY + timedelta(minutes=1), False),
    ],
)
def test_a_connection_whose_trades_are_cold_is_refused(
    connection: psycopg.Connection[Any], database_url: str, received: datetime, is_cold: bool
) -> None:
    connection.execute(FRAME, [received])
    connection.execute(COLD)
    connection.commit()
    if is_cold:
        with pytest.raises(BadInput, match="`strades archive 2026-01 --restore` first"):
            replay_connection(1, database_url)
    else:
        assert replay_connection(1, database_url).frames == 1
