"""Live wallets approved as two people do it on the page Live of the dashboard."""

from typing import Any

import psycopg

REQUEST = """
    INSERT INTO trading.live_requests (request_key, wallet, limits, strategies, code_hash, reason, requested_by)
    SELECT gen_random_uuid(), w.wallet, trading.live_terms(w), trading.strategies_of(w.wallet), w.code_hash,
        'a test', %s
    FROM trading.wallets AS w WHERE w.wallet = %s
    RETURNING request_id
"""
APPROVE = """
    INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, is_one_person) VALUES (%s, %s, %s, %s)
"""
# As its owner, whom no trigger stops.
OLDER = """
    SET session_replication_role = replica;
    UPDATE trading.live_requests
    SET requested_at = requested_at - '{0} s'::interval, expires_at = expires_at - '{0} s'::interval;
    UPDATE trading.live_approvals SET approved_at = approved_at - '{0} s'::interval;
    SET session_replication_role = origin;
"""


def request_live(connection: psycopg.Connection[Any], wallet: str, *, by: str = "dashboard:ada") -> int:
    """Ask for a live wallet; the number of the request."""
    row = connection.execute(REQUEST, [by, wallet]).fetchone()
    assert row is not None, f"no wallet {wallet}"
    return int(row[0])


def let_time_pass(superuser: psycopg.Connection[Any], seconds: int) -> None:
    """Have all requests and approvals be older than they are."""
    superuser.execute(OLDER.format(seconds))


def approve_live(connection: psycopg.Connection[Any], wallet: str) -> None:
    """Ask for a live wallet as one person and approve it as another, a minute ago: it may send. Commits.

    Args:
        connection: of the application's role, which may write a time.
    """
    request = request_live(connection, wallet)
    connection.execute(
        "INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, approved_at) "
        "VALUES (%s, 'dashboard:ada', 'dashboard:bob', now() - interval '1 minute')",
        [request],
    )
    connection.commit()
