"""Which shares an amount is in: ratios, lots, and fills and splits in turn."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.cost_basis import METHODS, take_fills
from strades_pipelines.market.split_arithmetic import Split, in_current_shares, in_turn, ratio_of, ratio_since
from tests.strategy.builders import fill_event

DAY = timedelta(days=1)
FIRST = datetime(2024, 6, 10, 13, 30, tzinfo=UTC)


def split_at(day: int, ratio: str = "4", **changes: object) -> Split:
    at, none = FIRST + day * DAY, Decimal(0)
    made = Split("w", 1, date(2024, 6, 10) + day * DAY, at, Fraction(ratio), none, none, restates=True, recorded_at=at)
    return replace(made, **changes)  # type: ignore[arg-type]


def fill_at(day: float, side: str, quantity: str, price: str) -> Fill:
    at = FIRST + day * DAY
    return replace(fill_event(side, quantity, price, fee="0", known_at=at), listing_id=1, filled_at=at)


@pytest.mark.parametrize(
    ("stated", "meant"),
    [(7.0, "7"), (1 / 3, "1/3"), (0.1, "1/10"), (1.5, "3/2"), (20 / 3, "20/3"), (1.05, "21/20"), (1 / 35, "1/35")],
)
def test_a_float_is_the_ratio_that_its_source_meant(stated: float, meant: str) -> None:
    assert ratio_of(stated) == Fraction(meant)


def test_a_unit_becomes_what_the_splits_after_it_make_of_it() -> None:
    splits = [split_at(1), split_at(3, "1/2"), split_at(2, listing_id=2)]
    assert [ratio_since(splits, 1, FIRST + day * DAY) for day in (0, 1, 2, 3)] == [2, Fraction(1, 2), Fraction(1, 2), 1]


def test_a_fill_in_current_shares_is_worth_the_same() -> None:
    moved = in_current_shares(fill_at(0, "buy", "10", "400"), [split_at(1)])
    assert [moved.quantity, moved.price, moved.paid] == [40, 100, -4000]
    raw = in_current_shares(fill_at(0, "buy", "10", "400"), [split_at(1, restates=False)])
    assert [raw.quantity, raw.price] == [10, 400]


def test_a_split_comes_before_a_fill_at_its_instant_and_after_a_late_one_from_before() -> None:
    split = split_at(1)
    before, at, late = fill_at(0, "buy", "1", "1"), fill_at(1, "buy", "2", "1"), fill_at(0.5, "buy", "3", "1")
    assert list(in_turn([before, at, late], [split])) == [before, late, split, at]


def test_first_in_first_out_sells_the_oldest_units_in_new_shares() -> None:
    """Two lots of 10 at 400 and 500 are 40 at 100 and 40 at 125; 60 sold at 130 leave 20 at 125."""
    fills = [
        fill_at(0, "buy", "10", "400"),
        fill_at(0.5, "buy", "10", "500"),
        fill_at(2, "sell", "60", "130"),
    ]
    basis, disposals = take_fills(fills, "fifo", [split_at(1)])[1]
    assert [basis.units, basis.cost] == [20, 2500]
    assert [disposal.profit for disposal in disposals] == [40 * 30, 20 * 5]


@given(
    quantities=st.lists(st.decimals("0.0001", "1000", places=4), min_size=1, max_size=5),
    ratio=st.fractions("1/50", 50, max_denominator=50),
    method=st.sampled_from(METHODS),
)
def test_no_cost_and_no_unit_is_lost_in_any_split(quantities: list[Decimal], ratio: Fraction, method: str) -> None:
    """Sold again at a price of nothing, the loss is what was paid, to the last digit."""
    fills = [fill_at(0, "buy", str(quantity), "3.21") for quantity in quantities]
    split = split_at(1, str(ratio))
    basis, _ = take_fills(fills, method, [split])[1]
    exactly = sum(quantities) * Decimal(ratio.numerator) / Decimal(ratio.denominator)
    assert abs(basis.units - exactly) <= Decimal("1e-10")
    assert basis.cost == sum(quantities) * Decimal("3.21")
    sold = [*fills, fill_at(2, "sell", str(basis.units), "0")]
    _, disposals = take_fills(sold, method, [split])[1]
    assert sum(disposal.profit for disposal in disposals) == -basis.cost


def test_a_fraction_that_is_paid_out_is_a_sale() -> None:
    held = Position(Decimal(15), Decimal(10), Decimal(150), Decimal(0))
    split = split_at(1, "1/2", taken=Decimal("0.5"), cash=Decimal(11))
    assert held.after_split(split) == Position(Decimal(7), Decimal(20), Decimal(140), Decimal(1))


def test_a_position_that_is_flat_stays_flat() -> None:
    held = Position(realised=Decimal(3))
    assert held.after_split(split_at(1)) == held
