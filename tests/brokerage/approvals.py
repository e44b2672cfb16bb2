"""Live wallets approved as two people do it on the page Live of the dashboard."""

from typing import Any

import psycopg

REQUEST = """
    INSERT INTO trading.live_requests (request_key, wallet, limits, strategies, reason, requested_by)
    SELECT gen_random_uuid(), wallet, limits, trading.strategies_of(wallet), 'a test', 'dashboard:ada'
    FROM trading.wallets WHERE wallet = %s
    RETURNING request_id
"""
APPROVE = """
    INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, is_one_person) VALUES (%s, %s, %s, %s)
"""


def approve_live(connection: psycopg.Connection[Any], wallet: str) -> None:
    """Ask for a live wallet as one person and approve it as another. Commits."""
    row = connection.execute(REQUEST, [wallet]).fetchone()
    assert row is not None, f"no wallet {wallet}"
    connection.execute(APPROVE, [row[0], "dashboard:ada", "dashboard:bob", False])
    connection.commit()
