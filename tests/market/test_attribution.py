from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.attribution import contribution, round_trips
from strades_pipelines.market.bars_and_fills import Fill

START = datetime(2024, 1, 2, tzinfo=UTC)


def fill(listing: int, side: str, quantity: str, price: str, *, fee: str = "0", at: int = 0) -> Fill:
    time = START + timedelta(minutes=at)
    amounts = Decimal(quantity), Decimal(price), Decimal(fee)
    return Fill(0, listing, "", "", side, *amounts, "USD", time, time)


def test_pnl_of_a_listing_is_sales_less_purchases_and_fees_plus_the_value_held() -> None:
    fills = [fill(1, "buy", "2", "10", fee="0.5", at=1), fill(1, "sell", "1", "16", fee="0.5", at=3)]
    known = np.array([1, 3])
    attribution = contribution(fills, known, np.array([0, 1, 2, 3, 4]), np.array([np.nan, 10.0, 14.0, 16.0, 8.0]))
    assert attribution.quantity.tolist() == [0, 2, 2, 1, 1]
    # -20.5 + 20; -20.5 + 28; -20.5 + 15.5 + 16; ... + 8.
    assert attribution.pnl.tolist() == [0.0, -0.5, 7.5, 11.0, 3.0]


def test_a_round_trip_ends_flat_and_sums_its_fees() -> None:
    fills = [
        fill(1, "buy", "2", "10", fee="1"),
        fill(1, "sell", "1", "12"),
        fill(1, "sell", "1", "12", fee="1"),
        fill(1, "buy", "1", "5"),
        fill(1, "sell", "1", "4"),
        fill(1, "buy", "1", "9"),
    ]
    assert [trip.profit for trip in round_trips(fills)] == [2, -1, None]
    first, _, last = round_trips(fills)
    assert first.side == "long"
    assert [first.quantity, first.entry_price, first.exit_price, first.fees] == [2, 10, 12, 2]
    assert not last.is_closed
    assert [last.entry_price, last.exit_price, last.fees] == [9, None, 0]


def test_prices_of_a_round_trip_are_averages_weighted_by_units() -> None:
    # Sold short 1 at 10 and 3 at 14: (10 + 42) / 4 = 13; bought back 4 at 12: 4 x (13 - 12).
    fills = [fill(1, "sell", "1", "10"), fill(1, "sell", "3", "14"), fill(1, "buy", "4", "12")]
    [trip] = round_trips(fills)
    assert trip.side == "short"
    assert [trip.quantity, trip.entry_price, trip.exit_price, trip.profit] == [4, 13, 12, 4]


amounts = st.decimals("0.01", "1000", places=2)
trades = st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["buy", "sell"]), amounts, amounts, amounts)


@given(st.lists(trades, max_size=20), st.lists(st.floats(0.01, 1e4), min_size=3, max_size=3))
def test_pnls_of_the_listings_sum_to_that_of_the_account(
    trade_rows: list[tuple[int, str, Decimal, Decimal, Decimal]], closes: list[float]
) -> None:
    fills = [fill(i, side, str(q), str(p), fee=str(fee), at=n) for n, (i, side, q, p, fee) in enumerate(trade_rows)]
    cash = sum((-fill.signed * fill.price - fill.fee for fill in fills), Decimal(0))
    value_held = sum(float(fill.signed) * closes[fill.listing_id - 1] for fill in fills)
    end = np.array([len(fills)])
    total = 0.0
    for listing, close in zip((1, 2, 3), closes, strict=True):
        own_fills = [fill for fill in fills if fill.listing_id == listing]
        known = np.array([(fill.knowledge_time - START) // timedelta(minutes=1) for fill in own_fills], np.int64)
        total += float(contribution(own_fills, known, end, np.array([close])).pnl[0])
    assert total == pytest.approx(float(cash) + value_held, rel=1e-9, abs=1e-4)
