"""The splits that wallets have booked."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.split_arithmetic import Split

# The splits that a wallet has booked, oldest first; bars are restated by them where prices are not raw.
SPLITS = """
    SELECT m.listing_id, m.ex_date, m.occurred_at, m.ratio, m.units_taken, m.amount, l.adjustment <> 'raw',
        m.recorded_at
    FROM trading.movements AS m INNER JOIN records.listings AS l USING (listing_id)
    WHERE m.wallet = %s AND m.kind = 'split' ORDER BY m.occurred_at, m.listing_id, m.recorded_at
"""


def read_splits(connection: Connection, wallet: str) -> tuple[Split, ...]:
    """The splits that a wallet has booked, oldest first."""
    return splits_of_rows(wallet, connection.execute(SPLITS, [wallet]))


def splits_of_rows(wallet: str, rows: Iterable[Sequence[Any]]) -> tuple[Split, ...]:
    """The splits of a wallet in the rows of SPLITS."""
    return tuple(
        Split(wallet, listing_id, ex_date, at, Fraction(ratio), *rest) for listing_id, ex_date, at, ratio, *rest in rows
    )
