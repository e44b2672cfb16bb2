"""Worked examples of tax authorities, and laws that hold for any trades."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.cost_basis import AVERAGE, FIFO, METHODS, CostBasis, Disposal, take_fills, unvalued_fees

START = datetime(2024, 1, 2, tzinfo=UTC)
D = Decimal


def trade(basis: CostBasis, day: int, units: str, cash: str) -> list[Disposal]:
    return basis.trade(START + timedelta(days=day), D(units), D(cash))


def test_irs_publication_550_first_in_first_out() -> None:
    """ "Identification not possible": 100 shares at $10, 200 at $11, 50 given away, 100 at $9; 130 are sold.

    Their basis is 50 * $10 + 80 * $11 = $1,380. The gift is a disposal without proceeds, of a basis of $500.
    """
    basis = CostBasis(FIFO)
    trade(basis, 1, "100", "-1000")
    trade(basis, 2, "200", "-2200")
    [gift] = trade(basis, 3, "-50", "0")
    assert gift.cost == 500
    trade(basis, 4, "100", "-900")
    sold = trade(basis, 5, "-130", "1300")
    assert [(one.units, one.cost) for one in sold] == [(D(50), D(500)), (D(80), D(880))]
    assert sum(one.cost for one in sold) == 1380


def test_hmrc_hs284_section_104_holding() -> None:
    """1,000 shares at £4 with costs of £150, 500 at £4.10 with £80: a pool of £6,280.

    700 sold at £4.80 with costs of £100: £3,260 less 700 / 1,500 of the pool (£2,930.67) is a gain of £329. Then 400
    at £5.20 with £105: £1,975 less 400 / 800 of £3,349.33 is one of £300.
    """
    basis = CostBasis(AVERAGE)
    trade(basis, 1, "1000", "-4150")
    trade(basis, 2, "500", "-2130")
    assert basis.cost == 6280
    [first] = trade(basis, 3, "-700", "3260")
    [second] = trade(basis, 4, "-400", "1975")
    assert (int(first.profit), int(second.profit)) == (329, 300)
    assert basis.units == 400


def test_a_short_position_brings_what_it_was_opened_for_less_what_closed_it() -> None:
    for method in METHODS:
        basis = CostBasis(method)
        trade(basis, 1, "-2", "199")  # 2 at 100, fee 1
        assert (basis.units, basis.cost) == (D(-2), D(-199))
        [closed] = trade(basis, 2, "2", "-181")  # 2 at 90, fee 1
        assert closed.profit == 18


def test_a_trade_that_turns_a_position_closes_one_and_opens_the_other() -> None:
    basis = CostBasis(FIFO)
    trade(basis, 1, "1", "-10")
    [closed] = trade(basis, 2, "-3", "36")
    assert (closed.proceeds, closed.profit) == (D(12), D(2))
    assert (basis.units, basis.cost) == (D(-2), D(-24))


def test_a_fee_that_takes_all_units_is_a_loss() -> None:
    [lost] = CostBasis(AVERAGE).trade(START, D(0), D(-5))
    assert lost.profit == -5


def test_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of fifo, average, was 'lifo'"):
        CostBasis("lifo")


sizes = st.decimals("0.001", "1000", places=3)
trades = st.lists(st.tuples(st.sampled_from([1, -1]), sizes, sizes, st.decimals("0", "1", places=4)), max_size=30)


@given(trades)
def test_both_methods_agree_once_flat_and_add_up_to_the_cash_flow(made: list[tuple[int, D, D, D]]) -> None:
    steps = [(side * units, -side * units * price - fee) for side, units, price, fee in made]
    held = sum((units for units, _ in steps), D(0))
    if held:
        steps.append((-held, held * 7))
    total = {}
    for method in METHODS:
        basis = CostBasis(method)
        closed = [one for n, step in enumerate(steps) for one in basis.trade(START + timedelta(days=n), *step)]
        total[method] = sum((one.profit for one in closed), D(0))
        assert (basis.units, basis.cost) == (D(0), D(0))
    assert total[FIFO] == total[AVERAGE] == sum((cash for _, cash in steps), D(0))


@given(trades)
def test_profit_and_cost_are_the_cash_flow_at_any_time(made: list[tuple[int, D, D, D]]) -> None:
    for method in METHODS:
        basis, realised, flow, held = CostBasis(method), D(0), D(0), D(0)
        for n, (side, units, price, fee) in enumerate(made):
            cash = -side * units * price - fee
            realised += sum((one.profit for one in basis.trade(START + timedelta(days=n), side * units, cash)), D(0))
            flow += cash
            held += side * units
            assert realised - basis.cost == flow
            assert basis.units == held


def fill(day: int, side: str, quantity: str, price: str, fee: str = "0", currency: str | None = None) -> Fill:
    at = START + timedelta(days=day)
    return Fill(0, 1, "", "", side, D(quantity), D(price), D(fee), "USD", at, at, fee_currency=currency)


def test_fills_are_taken_in_the_order_of_their_times_whenever_they_were_booked() -> None:
    late = [fill(2, "sell", "1", "15"), fill(1, "buy", "1", "10", "0.5"), fill(0, "buy", "1", "8")]
    basis, [sold] = take_fills(late, FIFO)[1]
    assert sold.profit == 7
    assert basis.cost == D("10.5")


def test_a_fee_without_a_known_rate_is_in_no_cost_and_named() -> None:
    fills = [
        fill(0, "buy", "1", "10", "0.1", "GT"),
        fill(1, "buy", "1", "10", "0.2", "GT"),
        fill(2, "buy", "1", "1", "1"),
    ]
    assert unvalued_fees(fills) == {"GT": D("0.3")}
    assert take_fills(fills, FIFO)[1][0].cost == 22
