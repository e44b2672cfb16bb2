"""The choice of the day as the gate reads it: rows of trading.asset_choices, which pages add."""

from datetime import UTC, datetime

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.asset_choice import AssetChoice

# By recorded time: a version that is made later, or that says so, has no part in a pass before it.
CHOICE = """
    SELECT day, version, instruments, chosen_by, reason FROM trading.asset_choices
    WHERE wallet = %s AND day = %s AND chosen_at <= %s ORDER BY version DESC LIMIT 1
"""


def read_choice(connection: Connection, wallet: str, *, now: datetime) -> AssetChoice | None:
    """The newest choice for the wallet and the UTC day of `now` that was made by then; None without one."""
    row = connection.execute(CHOICE, [wallet, now.astimezone(UTC).date(), now]).fetchone()
    if row is None:
        return None
    day, version, instruments, chosen_by, reason = row
    return AssetChoice(day, version, frozenset(instruments), chosen_by, reason)
