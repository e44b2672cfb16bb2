"""The last price of a listing is in the shares that are traded now."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from strades_pipelines.brokerage.feed import read_feed
from strades_pipelines.brokerage.prices import bar_table, find_listings, last_closes
from strades_pipelines.database.connection import adbc_connect
from tests.brokerage.conftest import AAPL, MINUTE, START, AddCandles, Connection

# Of 2014-06-09, 7 shares for one: 561.02 in the shares of before is 561.02 / 7 in those of after.
SPLIT = """
    INSERT INTO records.split_adjustments
        (listing_id, fetch_id, from_time, to_time, ratio, basis, knowledge_time, recorded_at)
    VALUES (%s, 1, %s, %s, 7, 'fetch_time', %s, %s)
"""


def test_a_split_under_an_intraday_wallet_changes_its_last_price(
    market: Connection, add_candles: AddCandles, database_url: str
) -> None:
    """The gate would allow an order a seventh as large, and the feed of the strategy says the same as the gate."""
    add_candles([554.52, 561.02], listing=AAPL)
    listings = find_listings(market.cursor(), ["yahoo:AAPL"])
    now = START + 5 * MINUTE
    assert last_closes(market, listings, interval="1m", known_at=now)[AAPL] == Decimal("561.02")
    market.execute(SPLIT, [AAPL, START, START + timedelta(hours=1), now, now])
    market.commit()
    assert float(last_closes(market, listings, interval="1m", known_at=now)[AAPL]) == pytest.approx(
        561.02 / 7, rel=1e-12
    )
    with adbc_connect(database_url) as adbc, adbc.cursor() as cursor:
        feed = read_feed(cursor, listings, interval="1m", opened_at=START, end=now, lookback=0)
        cursor.execute(f"SELECT close, volume FROM {bar_table('1m')} ORDER BY open_time")
        read = cursor.fetch_arrow_table()
    assert np.asarray(feed.columns.d) == pytest.approx([554.52 / 7, 561.02 / 7], rel=1e-12)
    assert read["close"].cast(pa.float64()).to_pylist() == pytest.approx([554.52 / 7, 561.02 / 7], rel=1e-12)
    assert read["volume"].to_pylist() == [7.0, 7.0]
