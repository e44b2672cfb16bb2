"""Whether a live wallet may send: two people approved it with its limits and strategies, or one where that is set.

The rule stands in the database (migrations 0059 and 0063), in the view that each send reads under its lock: a wallet
without an approval is halted, one whose limits, strategies or code have changed since is reducing, whoever asks and
whatever a page says.
"""

from strades_pipelines.brokerage.prices import Connection


def live_refusals(connection: Connection) -> dict[str, str]:
    """Why live wallets send nothing or only exits, by wallet, in one line with what to do."""
    query = "SELECT l.wallet, l.reason FROM trading.live_refusals AS l INNER JOIN trading.wallets AS w USING (wallet)"
    found = dict(connection.execute(f"{query} WHERE w.state <> 'retired' ORDER BY l.wallet").fetchall())
    connection.commit()  # not a rollback: that forgets the prepared statements of the connection
    return found
