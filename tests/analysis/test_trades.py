import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.analysis.excursions import Bars
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.trades import Trades, no_trades, round_trips


def fills(*rows: tuple[int, int, float, float, float]) -> Fills:
    """(time, instrument, quantity, price, fee)."""
    return Fills.of(*(list(column) for column in zip(*rows, strict=True)))


def test_one_round_trip() -> None:
    trades = round_trips(fills((10, 0, 5, 100, 1.0), (20, 0, -5, 110, 2.0)))
    assert len(trades) == 1
    assert (trades.entry_time[0], trades.exit_time[0], trades.direction[0]) == (10, 20, 1)
    assert (trades.entry_price[0], trades.exit_price[0], trades.quantity[0]) == (100, 110, 5)
    assert (trades.profit[0], trades.fee[0]) == (47, 3)
    assert trades.return_[0] == pytest.approx(0.094)
    assert not trades.is_open[0]


def test_scaling_in_and_out_is_one_trade_at_average_prices() -> None:
    trades = round_trips(
        fills((1, 0, 2, 10, 0), (2, 0, 2, 20, 0), (3, 0, -1, 30, 0), (4, 0, 1, 15, 0), (5, 0, -4, 18, 0))
    )
    assert len(trades) == 1
    assert trades.entry_price[0] == pytest.approx((20 + 40 + 15) / 5)
    assert trades.exit_price[0] == pytest.approx((30 + 72) / 5)
    assert trades.profit[0] == pytest.approx(102 - 75)


def test_a_short_earns_when_the_price_falls() -> None:
    trades = round_trips(fills((1, 0, -10, 50, 0.5), (2, 0, 10, 40, 0.5)))
    assert (trades.direction[0], trades.profit[0], trades.return_[0]) == (-1, 99, 0.198)


def test_a_fill_through_zero_ends_one_trade_and_starts_the_next() -> None:
    """10 at 100; 25 sold at 110 with a fee of 5: 10 of them close, 15 open a short."""
    trades = round_trips(fills((1, 0, 10, 100, 0), (2, 0, -25, 110, 5), (3, 0, 15, 100, 1)))
    assert trades.direction.tolist() == [1, -1]
    assert trades.fee.tolist() == pytest.approx([2, 4])
    assert trades.profit.tolist() == pytest.approx([98, 146])
    assert (trades.exit_time[0], trades.entry_time[1]) == (2, 2)


def test_instruments_do_not_disturb_one_another() -> None:
    trades = round_trips(fills((1, 7, 1, 10, 0), (2, 3, -1, 20, 0), (3, 7, -1, 12, 0), (3, 3, 1, 15, 0)))
    assert sorted(zip(trades.i.tolist(), trades.profit.tolist(), strict=True)) == [(3, 5), (7, 2)]


def test_what_is_still_open_is_valued_at_the_mark_and_comes_last() -> None:
    made = fills((1, 0, 10, 100, 1), (2, 0, -4, 105, 1), (3, 1, 1, 5, 0), (4, 1, -1, 6, 0))
    trades = round_trips(made, marks={0: 110.0})
    assert trades.is_open.tolist() == [False, True]
    assert trades.profit[1] == pytest.approx(4 * 5 + 6 * 10 - 2)
    assert trades.exit_price[1] == pytest.approx((4 * 105 + 6 * 110) / 10)
    assert len(trades.closed()) == 1
    assert math.isnan(round_trips(made).profit[1])


def test_the_multiplier_makes_money_of_points() -> None:
    made = Fills.of([1, 2], [0, 0], [2, -2], [4000, 4010], fee=2.5, multiplier=50)
    trades = round_trips(made)
    assert trades.profit[0] == 995
    assert trades.return_[0] == pytest.approx(995 / 400_000)
    assert made.notional.tolist() == [400_000, 401_000]


def test_tenths_that_add_up_to_nothing_leave_no_dust() -> None:
    trades = round_trips(fills((1, 0, 0.1, 10, 0), (2, 0, 0.2, 10, 0), (3, 0, -0.3, 11, 0), (4, 0, 1.0, 9, 0)))
    assert trades.is_open.tolist() == [False, True]
    assert trades.entry_time.tolist() == [1, 4]


def test_bars_held_and_excursions_by_hand() -> None:
    """Bars by their close. In at 100 when the second opens (its close is 20), out at 104 when the fifth opens (40)."""
    bars = Bars(np.array([10, 20, 30, 40, 50]), np.array([999, 103, 108, 106, 999.0]), np.array([1, 97, 99, 103, 1.0]))
    trades = round_trips(fills((10, 0, 1, 100, 0), (40, 0, -1, 104, 0)), bars={0: bars})
    assert (trades.bars_held[0], trades.mae[0], trades.mfe[0]) == pytest.approx((3, -0.03, 0.08))
    short = round_trips(fills((10, 0, -1, 100, 0), (40, 0, 1, 104, 0)), bars={0: bars})
    assert (short.mae[0], short.mfe[0]) == pytest.approx((-0.08, 0.03))


def test_a_trade_within_a_bar_and_an_open_one() -> None:
    bars = Bars(np.array([10, 20, 30]), np.array([5.0, 6.0, 9.0]), np.array([4.0, 5.0, 7.0]))
    trades = round_trips(fills((11, 0, 1, 5, 0), (12, 0, -1, 6, 0), (20, 0, 1, 6, 0)), bars={0: bars}, marks={0: 8})
    assert trades.bars_held.tolist() == [0, 1]
    assert trades.mae.tolist() == [0, 0]
    assert trades.mfe.tolist() == pytest.approx([0, 0.5])
    assert np.isnan(round_trips(fills((1, 4, 1, 5, 0))).mae).all()


def test_no_fills_are_no_trades() -> None:
    nothing = round_trips(Fills.of([], [], [], []))
    assert len(nothing) == len(no_trades().closed()) == 0
    assert nothing.is_open.dtype == bool


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1, 2], [0, 0], [1, 0], [5, 5]), "quantity 0.0, price 5.0 at row 1"),
        (([1], [0], [math.nan], [5]), "quantity nan"),
        (([1], [0], [1], [math.inf]), "price inf"),
        (([1, 2], [0, 0], [1], [5, 5]), "one length"),
        (([2, 1], [0, 0], [1, 1], [5, 5]), "ascending, was 1 after 2 at row 1"),
    ],
)
def test_bad_fills_are_refused(columns: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fills.of(*columns)


steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-5, 5).filter(bool), st.integers(1, 50), st.integers(0, 3)), max_size=60
)


@given(steps)
def test_equals_a_ledger_kept_by_hand_in_fractions(rows: list[tuple[int, int, int, int]]) -> None:
    made = fills(*((t, i, q, p, f) for t, (i, q, p, f) in enumerate(rows))) if rows else Fills.of([], [], [], [])
    trades = round_trips(made, marks={0: 7.0, 1: 7.0, 2: 7.0})
    expected = [trade for i in range(3) for trade in by_hand(i, rows)]
    assert profits(trades) == pytest.approx(sorted(float(x) for x in expected))


def profits(trades: Trades) -> list[float]:
    return sorted(trades.profit.tolist())


def by_hand(i: int, rows: list[tuple[int, int, int, int]]) -> list[Fraction]:
    """One unit after the other, each with its share of the fee."""
    position, cash, done = 0, Fraction(0), []
    for _, quantity, price, fee in (row for row in rows if row[0] == i):
        sign = 1 if quantity > 0 else -1
        for _ in range(abs(quantity)):
            position += sign
            cash -= sign * price + Fraction(fee, abs(quantity))
            if position == 0:
                done.append(cash)
                cash = Fraction(0)
    return [*done, cash + position * 7] if position else done
