"""results.fill_slippage and results.listing_slippage: what fills cost beyond the price that their decisions saw."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, of_interval
from strades_pipelines.brokerage.trading_rows import Row, insert_many
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.rounding import exact, scaled
from strades_pipelines.market.split_arithmetic import Split, ratio_since

# Fills of the ledger's lines after `covered` and up to `last`, with the last close that their decisions knew. Not of
# statements, nor what was adopted: no decision of ours saw a price before them.
NEW_FILLS = """
    SELECT f.fill_id, f.listing_id, d.decided_at, f.filled_at, f.side, f.quantity, f.price, f.currency, bar.close
    FROM trading.ledger AS l
    INNER JOIN trading.fills AS f ON f.fill_id = l.reference
    INNER JOIN trading.intents AS i ON i.intent_id = f.intent_id
    INNER JOIN signals.decisions AS d ON d.decision_id = i.decision_id
    LEFT JOIN LATERAL (
        SELECT b.close FROM {bars} AS b
        WHERE b.listing_id = f.listing_id AND {of_interval}
            AND b.knowledge_time <= d.decided_at AND b.open_time <= d.decided_at
        ORDER BY b.open_time DESC LIMIT 1
    ) AS bar ON true
    WHERE l.wallet = %(wallet)s AND l.kind = 'fill' AND l.sequence > %(covered)s AND l.sequence <= %(last)s
        AND i.broker <> 'statement' AND d.strategy <> 'external'
"""
ADD_TO_SUMS = """
    INSERT INTO results.listing_slippage (wallet, listing_id, currency, fills, unpriced, notional, slippage)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (wallet, listing_id, currency) DO UPDATE SET
        fills = listing_slippage.fills + excluded.fills, unpriced = listing_slippage.unpriced + excluded.unpriced,
        notional = listing_slippage.notional + excluded.notional,
        slippage = listing_slippage.slippage + excluded.slippage
"""


def record_slippage(connection: Connection, wallet: Wallet, *, covered: int, last: int) -> None:
    """Measure the fills that the ledger's lines after `covered` and up to `last` book. Commits nothing.

    The caller stores `last` in the same transaction, so that no fill is counted twice.
    """
    query = NEW_FILLS.format(bars=bar_table(wallet.interval), of_interval=of_interval(wallet.interval))
    restating = [split for split in wallet.splits if split.restates]
    found = connection.execute(query, {"wallet": wallet.name, "covered": covered, "last": last})
    rows = [_slippage_row(wallet.name, restating, *fill) for fill in found]
    insert_many(connection, "results.fill_slippage", rows)
    sums: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        sums[row["listing_id"], row["currency"]].append(row)
    for (listing_id, currency), own in sums.items():
        priced = [row for row in own if row["reference"] is not None]
        notional = sum((Decimal(row["reference"]) * Decimal(row["quantity"]) for row in priced), Decimal(0))
        slippage = sum((Decimal(row["slippage"]) for row in priced), Decimal(0))
        totals = len(priced), len(own) - len(priced), notional, slippage
        connection.execute(ADD_TO_SUMS, [wallet.name, listing_id, currency, *totals])


def slippage(side: str, quantity: Decimal, price: Decimal, reference: Decimal) -> Decimal:
    """What a fill cost beyond `reference`, fees apart; below 0 it was better.

    The part of the implementation shortfall that execution brings (Perold 1988, "The Implementation Shortfall: Paper
    versus Reality").
    """
    return (price - reference) * (quantity if side == "buy" else -quantity)


def _slippage_row(wallet: str, restating: Sequence[Split], *fill: Any) -> Row:
    fill_id, listing_id, decided_at, filled_at, side, quantity, price, currency, close = fill
    # Stored bars are in the shares of now, the fill is in those of its time.
    reference = None if close is None else scaled(exact(close), ratio_since(restating, listing_id, filled_at))
    return {
        "fill_id": fill_id,
        "wallet": wallet,
        "listing_id": listing_id,
        "decided_at": decided_at,
        "filled_at": filled_at,
        "side": side,
        "quantity": plain(quantity),
        "price": plain(price),
        "currency": currency,
        "reference": None if reference is None else plain(reference),
        "slippage": None if reference is None else plain(slippage(side, quantity, price, reference)),
    }
