"""Accounts at the paper venue: opened with the wallet's cash, and adjusted by what happens outside the venue."""

from collections.abc import Mapping
from decimal import Decimal

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.rows import insert
from strades_pipelines.market.ledger import plain
from strades_pipelines.market.rounding import EXACT, scaled, to_lots
from strades_pipelines.market.splits import Split

FILLED_SINCE = """
    SELECT coalesce(sum(CASE orders.side WHEN 'buy' THEN fills.quantity ELSE -fills.quantity END), 0)
    FROM trading.paper_venue_fills AS fills
    INNER JOIN trading.paper_venue_orders AS orders ON fills.client_order_id = orders.client_order_id
    WHERE orders.account = %s AND orders.listing_id = %s AND fills.filled_at >= %s
"""


def open_account(connection: Connection, wallet: Wallet) -> None:
    """Open the wallet's account with its opening cash, unless it is open. Commits nothing."""
    row = {"account": wallet.name, "cash": plain(wallet.opening_cash)}
    insert(connection, "trading.paper_venue_accounts", row)
    for listing in wallet.listings:
        insert(
            connection,
            "trading.paper_venue_positions",
            {"account": wallet.name, "listing_id": listing.listing_id},
        )


def adjust_account(
    connection: Connection, wallet: Wallet, *, cash: Decimal, units: Mapping[int, Decimal] | None = None
) -> None:
    """Move cash and units into or out of a wallet's account on paper; elsewhere do nothing. Commits nothing.

    Args:
        cash: in the wallet's currency, positive into the account.
        units: by listing id.
    """
    if wallet.broker != "paper":
        return
    open_account(connection, wallet)
    connection.execute(
        "UPDATE trading.paper_venue_accounts SET cash = cash + %s WHERE account = %s", [cash, wallet.name]
    )
    for listing_id, change in (units or {}).items():
        connection.execute(
            "UPDATE trading.paper_venue_positions SET quantity = quantity + %s WHERE account = %s AND listing_id = %s",
            [change, wallet.name, listing_id],
        )


def split_account(
    connection: Connection, wallet: Wallet, split: Split, *, lot: Decimal, returned: Decimal | None = None
) -> None:
    """Split an account on paper, and cancel its orders from before; elsewhere do nothing. Commits nothing.

    Args:
        returned: units that it is given back, where the split takes one back that paid out a fraction.
    """
    if wallet.broker != "paper":
        return
    adjust_account(connection, wallet, cash=split.cash)
    at = [wallet.name, split.listing_id]
    where = "WHERE account = %s AND listing_id = %s"
    row = connection.execute(f"SELECT quantity FROM trading.paper_venue_positions {where} FOR UPDATE", at).fetchone()
    assert row is not None, "`adjust_account` has opened it"
    # What the venue filled since the opening is in new units already: a split is often told of in the evening.
    [(since,)] = connection.execute(FILLED_SINCE, [*at, split.at]).fetchall()
    before = EXACT.add(scaled(EXACT.subtract(row[0], since), split.ratio), returned or Decimal(0))
    units = EXACT.add(to_lots(before, lot), since)
    connection.execute(f"UPDATE trading.paper_venue_positions SET quantity = %s {where}", [units, *at])
    connection.execute(
        f"""
        UPDATE trading.paper_venue_orders SET state = 'cancelled', reason = 'split'
        {where} AND state IN ('open', 'waiting') AND accepted_at < %s
        """,
        [*at, split.at],
    )
