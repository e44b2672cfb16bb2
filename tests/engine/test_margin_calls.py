"""Money: sales pay for purchases of their instant, ruin and leverage, fees of an order, volume that is short."""

import math
from typing import Any

import pytest

from strades_pipelines.market.fees import PercentFee, PerShareFee
from strades_pipelines.strategy.events import Bar, Prediction
from tests.engine.test_engine import QUIET, aim
from tests.strategy.both import EVENT, NOTIONAL, ORDER, TARGET, TIMER, WEIGHT, bars, script, script_per_event, step
from tests.strategy.builders import MINUTE_US, START_US

BACKTEST: dict[str, Any] = {"rest": {"is_backtest": True}}
CASH = {"leverage": 1.0}


@pytest.mark.parametrize("wish", [TARGET, ORDER])
@pytest.mark.parametrize("hook", [EVENT, TIMER])
def test_sales_of_an_instant_count_before_its_purchases(wish: int, hook: int) -> None:
    def rows() -> list[Bar]:
        flat = (100, 100, 100, 100)
        return [bar for i in range(2) for bar in bars(flat, flat, flat, (100, 110, 100, 110), i=i)]

    # Instrument 1 is bought with 900 of the 1000; then all goes into 0, whose bar comes first, as its wish does.
    at = 1 if hook == TIMER else 2  # the second event of an instant is the bar of instrument 1
    first = step(at, wish, i=1, quantity=9, hook=hook)
    third = [3 if hook == TIMER else k for k in (5, 6)]
    sold = 0 if wish == TARGET else -9
    swap = [step(third[0], wish, i=0, quantity=9, hook=hook), step(third[1], wish, i=1, quantity=sold, hook=hook)]
    ran = script(rows(), first, *swap, size=2, limits=CASH, **BACKTEST)
    assert [(fill.i, fill.quantity, fill.price) for fill in ran.fills] == [(1, 9, 100), (1, -9, 100), (0, 9, 100)]
    assert (ran.account.cash, ran.equity[-1]) == (100, 1090)
    assert min(fill.cash for fill in ran.fills) >= 0
    assert all(decision.outcome == "accepted" for decision in ran.decisions)


def test_an_account_that_is_worth_nothing_is_closed_and_trades_no_more() -> None:
    rows = bars(QUIET, (100, 100, 100, 100), (205, 205, 205, 205), (100, 100, 100, 100))
    ran = script(rows, aim(1, -10), aim(4, 5), **BACKTEST)
    assert ran.done == [(-10, 100), (10, 205)]
    assert ran.equity == [1000, 1000, -50, -50]
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "account_ruined"]
    assert ran.engine.margin_calls.ruined_at == START_US + 3 * MINUTE_US


def test_the_leverage_is_held_after_entry() -> None:
    # Short 10 at 100 with 1000; at 120 the equity is 800 and the position 1200: two thirds of it may stay.
    rows = bars(QUIET, (100, 100, 100, 100), (120, 120, 120, 120), (120, 120, 120, 120))
    ran = script(rows, aim(1, -10), **BACKTEST, limits=CASH)
    assert ran.done == [(-10, 100), (pytest.approx(10 / 3), 120)]
    assert ran.account.gross == pytest.approx(ran.account.equity)
    assert ran.engine.margin_calls.count == 1


@pytest.mark.parametrize("exit_", [{"limit": 50}, {"stop": 300}])
def test_an_exit_that_waits_for_its_price_does_not_keep_the_leverage_from_being_held(exit_: dict[str, Any]) -> None:
    rows = bars(QUIET, (100, 100, 100, 100), (120, 120, 120, 120), (120, 120, 120, 120))
    waits = step(2, ORDER, quantity=10, reduce_only=True, **exit_)
    ran = script(rows, aim(1, -10), waits, **BACKTEST, limits=CASH)
    assert ran.done == [(-10, 100), (pytest.approx(10 / 3), 120)]
    assert ran.engine.margin_calls.count == 1


def test_a_minimum_fee_is_that_of_the_order_in_however_many_fills() -> None:
    fee = lambda: PerShareFee(0.01, 1.0)  # noqa: E731
    rows = bars(QUIET, *[(100, 100, 100, 100, 50)] * 4)
    for wish in (aim(1, 150), step(1, ORDER, quantity=150)):
        ran = script_per_event(rows, wish, cash=1e6, fee=fee, fills={"participation": 1.0})
        # 0.5, 1.0, 1.5 by the unit: the order has paid 1, 1, 1.5.
        assert [fill.fee for fill in ran.fills] == [1.0, 0.0, 0.5]


def test_a_stop_that_is_hit_does_not_wait_behind_what_is_left_of_its_entry() -> None:
    rows = bars(QUIET, (100, 100, 100, 100, 10), (100, 100, 90, 91, 10), (91, 91, 91, 91, 100))
    steps = [step(1, ORDER, quantity=20), step(1, ORDER, quantity=-20, stop=95, parent=1, reduce_only=True)]
    ran = script_per_event(rows, *steps, cash=1e4, fills={"participation": 1.0})
    assert ran.done == [(10, 100), (-10, 95)]


def test_what_moves_the_price_waits_for_a_bar_with_volume() -> None:
    rows = bars(QUIET, (100, 100, 100, 100, 0), (102, 102, 102, 102, 100))
    [(quantity, price)] = script_per_event(rows, aim(1, 10), fills={"impact": 0.1}).done
    assert quantity == 10
    assert price == pytest.approx(102 * 1.001)


def test_what_is_wanted_of_an_instrument_without_a_price_waits_for_its_first() -> None:
    rows = [Prediction(0, START_US, 1.0, 0.0), *bars(QUIET, (100, 101, 99, 100), (102, 103, 101, 102))]
    wishes = aim(1, 5), step(1, WEIGHT, quantity=0.5), step(1, ORDER, quantity=5)
    for wish in wishes:  # half of 1000 is 5 units at the first close, 100
        ran = script_per_event(rows, wish, **BACKTEST)
        assert [(decision.outcome, decision.time) for decision in ran.decisions] == [("accepted", START_US + MINUTE_US)]
        assert ran.done == [(5, 100)]


def test_what_never_gets_a_price_is_refused_when_all_is_over() -> None:
    rows = [Prediction(0, START_US, 1.0, 0.0), *bars(QUIET, i=1)]
    ran = script(rows, aim(1, 5), step(1, ORDER, quantity=5), size=2, **BACKTEST)
    assert sorted(decision.outcome for decision in ran.decisions) == ["no_price", "no_price"]


@pytest.mark.parametrize("rest", [{}, {"is_backtest": True}], ids=["replay", "backtest"])
@pytest.mark.parametrize("what", [WEIGHT, NOTIONAL])
def test_a_weight_or_an_amount_that_never_gets_a_price_is_refused_when_all_is_over(
    what: int, rest: dict[str, Any]
) -> None:
    rows = [Prediction(0, START_US, 1.0, 0.0), *bars(QUIET, i=1)]
    [refused] = script(rows, step(1, what, quantity=0.5), size=2, rest=rest).decisions
    assert (refused.i, refused.outcome, refused.order) == (0, "no_price", 0)
    assert math.isnan(refused.target)


def test_a_weight_that_waits_is_taken_back_by_a_weight_of_nothing() -> None:
    rows = [Prediction(0, START_US, 1.0, 0.0), Prediction(0, START_US + 1, 1.0, 0.0), *bars(QUIET, QUIET)]
    ran = script(rows, step(1, WEIGHT, quantity=0.5), step(2, WEIGHT, quantity=0.0), **BACKTEST)
    assert (ran.decisions, ran.done) == ([], [])


def test_a_purchase_is_cut_to_what_the_cash_pays() -> None:
    rows = bars(QUIET, (125, 126, 124, 125))
    for wish in (aim(1, 9), step(1, ORDER, quantity=9)):
        ran = script_per_event(rows, wish, limits=CASH, **BACKTEST)
        assert ran.done == [(8, 125)]
        assert ran.changes[-1] == (1, "cancelled", "insufficient_cash")
        assert ran.account.cash == 0
    # With 25 % of fee 1000 pay 1000 / 156.25 = 6.4 units: one lot of 4.
    limits, fee = {**CASH, "lot": 4.0}, lambda: PercentFee(0.25)
    assert script_per_event(rows, aim(1, 8), limits=limits, fee=fee, **BACKTEST).done == [(4, 125)]


@pytest.mark.parametrize(
    ("cash", "wish", "fee", "units"),
    [
        # 1 is the least fee of so few units, whatever it would be of the wish: 999 of the 1000 at 100 each.
        (1000, 1e4, lambda: PerShareFee(0.005, minimum=1.0), 9.99),
        (1000, 1e6, lambda: PerShareFee(0.005, minimum=1.0), 9.99),
        # 0.1 %, rounded to 8 decimals: at 100.1 each, and no hundredth less.
        (835.91, 98, lambda: PercentFee(0.001), 835.91 / 100.1),
    ],
)
def test_what_fits_the_cash_takes_the_fee_of_that_and_not_of_the_wish(
    cash: float, wish: float, fee: Any, units: float
) -> None:
    limits = {**CASH, "fits_cash": True}
    ran = script_per_event(bars(QUIET, QUIET), aim(1, wish), cash=cash, limits=limits, fee=fee, **BACKTEST)
    [(bought, price)] = ran.done
    assert bought == pytest.approx(units, rel=1e-9)
    assert price == 100
    assert ran.account.cash == pytest.approx(0, abs=1e-6)


def test_a_target_fits_the_cash_where_that_is_wanted() -> None:
    # 1000 at 100 and 25 % of fee are 8 units; without the word they are refused.
    fee = lambda: PercentFee(0.25)  # noqa: E731
    ran = script_per_event(bars(QUIET, QUIET), aim(1, 10), limits={**CASH, "fits_cash": True}, fee=fee, **BACKTEST)
    assert (ran.done, ran.account.cash) == ([(8, 100)], 0)
    assert script_per_event(bars(QUIET, QUIET), aim(1, 10), limits=CASH, fee=fee, **BACKTEST).done == []
