"""trading.owner_positions: what each sleeve of a wallet holds, kept with each fill; none without sleeves."""

from datetime import datetime

from strades_pipelines.brokerage.portfolio import Wallet, load_fills
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import OWNERS, fill_owners
from strades_pipelines.brokerage.trading_rows import insert, position_row
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.owners import Key, Owned, combined, owned_positions

POSITIONS = """
    SELECT owner, listing_id, quantity, average_price, cost, realised FROM trading.owner_positions WHERE wallet = %s
"""


def read_owner_positions(connection: Connection, wallet: str) -> dict[Key, Position]:
    """What is stored by owner and listing."""
    rows = connection.execute(f"{POSITIONS} ORDER BY owner, listing_id", [wallet])
    return {(owner, listing_id): Position(*amounts) for owner, listing_id, *amounts in rows}


def work_out(connection: Connection, wallet: Wallet, listing_id: int | None = None) -> Owned:
    """The positions by owner, from all fills and splits: of one listing, or of all."""
    fills = load_fills(connection, wallet)
    fills = [fill for fill in fills if listing_id in (None, fill.listing_id)]
    splits = [split for split in wallet.splits if listing_id in (None, split.listing_id)]
    return owned_positions(fills, fill_owners(connection, wallet.name), splits)


def book_fill(connection: Connection, wallet: Wallet, fill: Fill) -> Position:
    """Take a stored fill into its owner's position; returns the wallet's position with it. Commits nothing."""
    row = connection.execute(f"{OWNERS} AND f.fill_id = %s", [wallet.name, fill.content_id]).fetchone()
    assert row is not None, "its intent is stored before it"
    key = row[1], fill.listing_id
    own = {
        known: position
        for known, position in read_owner_positions(connection, wallet.name).items()
        if known[1] == fill.listing_id
    }
    own[key] = own.get(key, Position()).after(fill)
    _store(connection, wallet, key, own[key], at=fill.knowledge_time)
    return combined(own.values())


def rework(connection: Connection, wallet: Wallet, listing_id: int, *, at: datetime) -> Position:
    """Work out the owners' positions in a listing again, and store them; returns the wallet's. Commits nothing."""
    positions = work_out(connection, wallet, listing_id).positions
    for key, position in positions.items():
        _store(connection, wallet, key, position, at=at)
    return combined(positions.values())


def _store(connection: Connection, wallet: Wallet, key: Key, position: Position, *, at: datetime) -> None:
    owner, listing_id = key
    row = position_row(wallet.name, listing_id, position, at) | {"owner": owner}
    insert(connection, "trading.owner_positions", row, replace=["wallet", "owner", "listing_id"])
