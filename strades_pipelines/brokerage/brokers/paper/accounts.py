"""Accounts at the paper venue: opened with the wallet's cash, and adjusted by what happens outside the venue."""

from collections.abc import Mapping
from decimal import Decimal

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.rounding import EXACT, scaled, to_lots
from strades_pipelines.market.split_arithmetic import Split

# Of the venue's fills, and of the statements' trades, which move the account as well (`adjust_account`).
FILLED_SINCE = """
    SELECT coalesce(sum(CASE done.side WHEN 'buy' THEN done.quantity ELSE -done.quantity END - done.fee), 0)
    FROM (
        SELECT orders.side, fills.quantity, 0 AS fee
        FROM trading.paper_venue_fills AS fills
        INNER JOIN trading.paper_venue_orders AS orders ON fills.client_order_id = orders.client_order_id
        WHERE orders.account = %(account)s AND orders.listing_id = %(listing)s AND fills.filled_at >= %(at)s
        UNION ALL
        SELECT fills.side, fills.quantity, CASE WHEN fills.fee_in_units THEN fills.fee ELSE 0 END
        FROM trading.fills AS fills
        INNER JOIN trading.intents AS intents ON fills.intent_id = intents.intent_id
        WHERE fills.wallet = %(account)s AND fills.listing_id = %(listing)s AND intents.broker = 'statement'
            AND fills.filled_at >= %(at)s
    ) AS done
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
    # The venue fills in transactions of its own: without the row lock a fill between this read and the update would be
    # lost.
    row = connection.execute(f"SELECT quantity FROM trading.paper_venue_positions {where} FOR UPDATE", at).fetchone()
    assert row is not None, "`adjust_account` has opened it"
    # What was filled since the opening is in new units already: a split is often told of in the evening.
    values = {"account": wallet.name, "listing": split.listing_id, "at": split.at}
    [(since,)] = connection.execute(FILLED_SINCE, values).fetchall()
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
