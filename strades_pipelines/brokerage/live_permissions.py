"""Whether a live wallet may send: two people approved it with its limits and strategies, or one where that is set.

The rule stands in the database (migrations 0059 and 0063), in the view that each send reads under its lock: a wallet
without an approval is halted, one whose limits, strategies or code have changed since is reducing, whoever asks and
whatever a page says.
"""

from strades_pipelines.brokerage.prices import Connection

UNDER_EARLIER = """
    SELECT i.intent_id FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN trading.wallets AS w ON o.wallet = w.wallet
    WHERE o.wallet = %s AND w.mode = 'live' AND o.state = 'planned' AND (
        i.live_request_id IS DISTINCT FROM trading.newest_live_approval(o.wallet)
        OR EXISTS (SELECT FROM trading.live_changes AS c WHERE c.request_id = i.live_request_id)
        OR EXISTS (SELECT FROM trading.live_revocations AS v WHERE v.request_id = i.live_request_id)
    )
"""


def planned_under_earlier(connection: Connection, wallet: str) -> set[str]:
    """The intent ids of a live wallet's unsent orders that were planned under an approval that counts no more."""
    return {intent_id for (intent_id,) in connection.execute(UNDER_EARLIER, [wallet])}


def live_refusals(connection: Connection) -> dict[str, str]:
    """Why live wallets send nothing or only exits, by wallet, in one line with what to do."""
    query = "SELECT l.wallet, l.reason FROM trading.live_refusals AS l INNER JOIN trading.wallets AS w USING (wallet)"
    found = dict(connection.execute(f"{query} WHERE w.state <> 'retired' ORDER BY l.wallet").fetchall())
    connection.commit()  # not a rollback: that forgets the prepared statements of the connection
    return found
