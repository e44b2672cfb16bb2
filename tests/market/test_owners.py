"""Owners of one position: each has its own cost, and together they are the account, to the last digit."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.owners import combined, own_cash, owned_positions
from strades_pipelines.market.split_arithmetic import Split
from tests.strategy.builders import fill_event

START = datetime(2024, 1, 2, tzinfo=UTC)
trades = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", ""]),
        st.sampled_from(["buy", "sell"]),
        st.decimals("0.01", "50", places=2),
        st.decimals("1", "200", places=2),
    ),
    max_size=12,
)


def fills_of(made: list[tuple[str, str, Decimal, Decimal]]) -> tuple[list[Fill], dict[str, str]]:
    fills = [
        replace(
            fill_event(side, str(units), str(price), fee="0.37", known_at=START + n * timedelta(minutes=1)),
            content_id=str(n),
        )
        for n, (_, side, units, price) in enumerate(made)
    ]
    return fills, {str(n): owner for n, (owner, *_) in enumerate(made)}


@given(trades)
def test_owners_add_up_and_each_has_its_own_cash_flow(made: list[tuple[str, str, Decimal, Decimal]]) -> None:
    fills, owners = fills_of(made)
    owned = owned_positions(fills, owners, [])
    whole = combined(owned.positions.values())
    assert whole.quantity == sum(fill.units for fill in fills)
    assert whole.realised - whole.cost == sum(fill.cash_after_fee for fill in fills)
    for (owner, _), position in owned.positions.items():
        own = [fill for fill in fills if owners[fill.content_id] == owner]
        assert own_cash(Decimal(100), [position]) == 100 + sum(fill.cash_after_fee for fill in own)


def test_the_fraction_that_a_split_leaves_belongs_to_the_largest_holder() -> None:
    """5 for 3: 6 and 4 units are 10 and 6 2/3; two thirds of all 16 2/3 are paid out, and were of the first."""
    fills, owners = fills_of([("a", "buy", Decimal(6), Decimal(30)), ("b", "buy", Decimal(4), Decimal(30))])
    taken = Decimal("0.6666666667")
    at = START + timedelta(days=1)
    split = Split("w", fills[0].listing_id, date(2024, 1, 3), at, Fraction(5, 3), taken, taken * 18, True, at)
    owned = owned_positions(fills, owners, [split])
    units = {owner: position.quantity for (owner, _), position in owned.positions.items()}
    assert units == {"a": 10 - taken, "b": Decimal("6.6666666667")}
    assert owned.fractions == {split.movement_id: "a"}
    assert combined(owned.positions.values()).quantity == 16


def test_a_split_that_is_taken_back_gives_each_owner_its_units_back() -> None:
    """1 for 3 makes 1.6666666667 and 1.3333333333 of 5 and 4; three times as many are not 5 and 4."""
    fills, owners = fills_of([("a", "buy", Decimal(5), Decimal(30)), ("b", "buy", Decimal(4), Decimal(30))])
    at, none = START + timedelta(days=1), Decimal(0)
    split = Split("w", fills[0].listing_id, date(2024, 1, 3), at, Fraction(1, 3), none, none, True, at)
    pair = [split, replace(split, ratio=Fraction(3), recorded_at=at + timedelta(days=1))]
    owned = owned_positions(fills, owners, pair)
    assert owned == owned_positions(fills, owners, [])
    assert {owner: position.quantity for (owner, _), position in owned.positions.items()} == {"a": 5, "b": 4}


def test_one_owner_is_the_account() -> None:
    position = Position(Decimal(3), Decimal(7), Decimal(21), Decimal(2))
    assert combined([position]) is position
