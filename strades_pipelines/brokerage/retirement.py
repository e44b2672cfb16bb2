"""The end of wallets that Wallets.json lists no longer."""

from collections.abc import Collection

from strades_pipelines.brokerage.prices import Connection


def retire_unlisted(connection: Connection, listed: Collection[str], modes: Collection[str]) -> list[str]:
    """Retire the wallets that trade and that Wallets.json no longer lists; returns all that are still at it. Commits.

    They send nothing more, cancel what is under way, settle it, and are closed; what they hold stays in their books.
    Approvals of live trading are revoked: one that is listed again a year later does not trade by the word of then.
    What they were, halted or active, they are again in that case.
    """
    rows = connection.execute(
        """
        WITH retiring AS (
            UPDATE trading.wallets SET
                state = 'retiring', state_reason = 'Wallets.json no longer lists it',
                state_before = CASE state WHEN 'retiring' THEN state_before ELSE state END,
                reason_before = CASE state WHEN 'retiring' THEN reason_before ELSE state_reason END
            WHERE mode <> 'replay' AND mode = ANY(%s) AND wallet <> ALL(%s) AND state <> 'retired'
            RETURNING wallet
        ), revoked AS (
            INSERT INTO trading.live_revocations (request_id, revoked_by)
            SELECT r.request_id, 'Wallets.json no longer lists it'
            FROM trading.live_requests AS r INNER JOIN retiring ON r.wallet = retiring.wallet
            ON CONFLICT (request_id) DO NOTHING
        )
        SELECT wallet FROM retiring
        """,
        [list(modes), list(listed)],
    ).fetchall()
    connection.commit()
    return sorted(wallet for (wallet,) in rows)
