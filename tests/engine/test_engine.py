"""Targets, corporate actions, money: each case per event and compiled, with numbers worked out by hand."""

import math
from datetime import UTC, datetime

import pytest

from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.simulated_broker import RECORDED, SAME_CLOSE
from strades_pipelines.market.fees import PercentFee, PerShareFee
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    Bar,
    BarRevision,
    CorporateAction,
    Prediction,
    Quote,
    Rate,
    RecordedFill,
    Trade,
    microseconds,
)
from tests.strategy.both import (
    EVENT,
    FILL,
    ORDER,
    TARGET,
    TIMER,
    WEIGHT,
    Script,
    bars,
    run_both,
    script,
    step,
)
from tests.strategy.builders import MINUTE_US, START_US

QUIET = (100, 101, 99, 100)
YEAR_US = int(365.25 * 86_400_000_000)


def aim(n: int, quantity: float, i: int = 0, hook: int = EVENT) -> list[float]:
    return step(n, TARGET, i=i, quantity=quantity, hook=hook)


def test_a_newer_target_takes_the_place_of_an_order_that_is_not_done() -> None:
    ran = script(
        [*bars(QUIET), Prediction(0, START_US + MINUTE_US + 5, 1.0, 0.0), *bars(QUIET, start=START_US + 2 * MINUTE_US)],
        aim(1, 5),
        aim(2, 3),
    )
    assert ran.done == [(3, 100)]
    assert ran.changes == [(1, "cancelled", "superseded")]


@pytest.mark.parametrize(("lot", "first", "second"), [(0.0, 0.1 + 0.2, 0.3), (2.0, 5.0, 4.5)])
def test_a_target_that_the_waiting_order_makes_for_leaves_it_alone(lot: float, first: float, second: float) -> None:
    """As the exact gate of a wallet does, by which what is ordered counts as held."""
    between = Prediction(0, START_US + MINUTE_US + 5, 1.0, 0.0)
    rows = [*bars(QUIET), between, *bars(QUIET, start=START_US + 2 * MINUTE_US)]
    ran = script(rows, aim(1, first), aim(2, second), limits={"lot": lot})
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "already_at_target"]
    assert ran.changes == []
    assert ran.done == [(4.0 if lot else first, 100)]


def test_an_order_decided_on_the_last_bar_stays_open() -> None:
    ran = script(bars(QUIET, QUIET), aim(2, 5))
    assert ran.done == []
    assert (ran.account.pending[0], ran.account.waiting[0]) == (5, 1)
    assert [decision.order for decision in ran.decisions] == [1]


def test_a_target_that_is_no_number_is_refused_and_takes_back_what_was_asked_for() -> None:
    for bad in (math.nan, math.inf, -math.inf):
        ran = script(bars(QUIET, QUIET, QUIET), aim(1, bad), aim(2, 2))
        assert [decision.outcome for decision in ran.decisions] == ["not_finite", "accepted"]
        assert ran.done == [(2, 100)]


def test_a_target_without_a_price_is_refused() -> None:
    ran = script([Prediction(0, START_US, 1.0, 0.0), *bars(QUIET)], aim(1, 5))
    assert [decision.outcome for decision in ran.decisions] == ["no_price"]


def test_a_target_of_the_timer_is_taken_up_at_its_instant() -> None:
    ran = script(bars(QUIET, (102, 103, 101, 102)), aim(1, 1, hook=TIMER))
    assert ran.done == [(1, 102)]
    assert ran.decisions[0].time == START_US + MINUTE_US


def test_a_target_set_on_a_fill_is_taken_up_at_its_instant() -> None:
    ran = script(bars(QUIET, QUIET, (103, 104, 102, 103)), aim(1, 1), aim(1, 0, hook=FILL))
    assert ran.done == [(1, 100), (-1, 103)]


def test_at_the_same_close() -> None:
    ran = script(bars(QUIET, (102, 104, 101, 103)), aim(2, 2), fills={"fill": SAME_CLOSE})
    [fill] = ran.fills
    assert (fill.quantity, fill.price, fill.filled_at) == (2, 103, START_US + 2 * MINUTE_US)
    # A target that is set when no bar has just closed waits for the next open.
    later = [
        *bars(QUIET),
        Prediction(0, START_US + MINUTE_US + 5, 1.0, 0.0),
        *bars(QUIET, start=START_US + 2 * MINUTE_US),
    ]
    assert script(later, aim(2, 2), fills={"fill": SAME_CLOSE}).fills[0].filled_at == START_US + 2 * MINUTE_US


def test_at_the_same_close_the_volume_of_that_bar_counts() -> None:
    ran = script(bars((*QUIET, 8), QUIET), aim(1, 5), fills={"fill": SAME_CLOSE, "participation": 0.5})
    assert ran.done == [(4, 100), (1, 100)]


def test_on_a_quote_the_same_close_is_the_ask_or_the_bid() -> None:
    quotes = [Quote(0, START_US + n, 99.0, 5.0, 101.0, 5.0) for n in (1, 2)]
    assert script(quotes, aim(1, 1), aim(2, 0), fills={"fill": SAME_CLOSE}).done == [(1, 101), (-1, 99)]
    uneven = [Quote(0, START_US + n, 99.0, 2.0, 101.0, 5.0) for n in (1, 2)]
    ran = script(uneven, aim(1, 5), aim(2, 5), fills={"fill": SAME_CLOSE, "participation": 0.5})
    assert ran.done == [(1, 101), (2.5, 101)]


def test_all_fills_of_a_bar_share_its_volume() -> None:
    rows = bars(QUIET, (*QUIET, 10), QUIET)
    ran = script(rows, aim(1, 3), step(1, ORDER, quantity=4), fills={"participation": 0.5})
    assert ran.done == [(3, 100), (2, 100), (2, 100)]
    ran = script(rows, step(1, ORDER, quantity=4), step(1, ORDER, quantity=4), fills={"participation": 0.5})
    assert ran.done == [(4, 100), (1, 100), (3, 100)]


def test_latency_holds_for_targets() -> None:
    ran = script(bars(QUIET, (102, 104, 101, 103), (105, 106, 104, 105)), aim(1, 1), fills={"latency": 1})
    assert ran.done == [(1, 105)]


def test_lots_and_ticks() -> None:
    def prepare(account: Account, gate: Gate) -> None:
        gate.tick[0] = 0.5

    ran = script(bars(QUIET, (100.3, 101, 99, 100)), aim(1, 2.75), limits={"lot": 0.5}, prepare=prepare)
    assert ran.done == [(2.5, 100.5)]
    ran = script(bars(QUIET, QUIET), aim(1, 0.4), limits={"lot": 0.5})
    assert [decision.outcome for decision in ran.decisions] == ["already_at_target"]


def test_parts_of_lots_add_up_to_the_whole() -> None:
    rows = bars(QUIET, *[(*QUIET, 0.1)] * 3, QUIET)
    ran = script(rows, aim(1, 0.3), limits={"lot": 0.1}, fills={"participation": 1.0})
    assert ran.done == [(0.1, 100)] * 3
    assert ran.account.position == [0.3]
    assert ran.account.waiting == [0]
    order = step(1, ORDER, quantity=0.3)
    ran = script(rows, order, limits={"lot": 0.1}, fills={"participation": 1.0})
    assert ran.done == [(0.1, 100)] * 3
    assert ran.account.count == 0


def test_without_shorts() -> None:
    limits = {"allow_short": False}
    ran = script(bars(QUIET, QUIET), aim(1, -1), step(1, ORDER, quantity=-1), limits=limits)
    assert {decision.outcome for decision in ran.decisions} == {"position_below_zero"}
    # Two orders to sell what is held once: the second one finds nothing.
    ran = script(
        bars(QUIET, QUIET, (100, 100, 80, 85)),
        aim(1, 5),
        step(2, ORDER, quantity=-5, stop=95),
        step(2, ORDER, quantity=-5, stop=90),
        limits=limits,
    )
    assert ran.done == [(5, 100), (-5, 95)]
    assert ran.account.position == [0]


def test_cash_never_goes_below_zero_without_leverage() -> None:
    limits = {"leverage": 1.0}
    fee = lambda: PercentFee(0.01)  # noqa: E731
    assert [d.outcome for d in script(bars(QUIET, QUIET), aim(1, 10), fee=fee, limits=limits).decisions] == [
        "cash_below_zero"
    ]
    assert script(bars(QUIET, QUIET), aim(1, 9), fee=fee, limits=limits).account.cash == 91
    ran = script(bars(QUIET, (115, 116, 114, 115)), aim(1, 9), limits=limits)
    assert ran.changes == [(1, "rejected", "insufficient_cash")]
    assert ran.account.cash == 1000


def test_what_is_set_aside_counts_for_all_instruments_and_orders() -> None:
    rows = [*bars(QUIET, QUIET), *bars(QUIET, QUIET, i=1)]
    limits = {"leverage": 1.0}
    steps = [step(1, TARGET, i=k, quantity=6, hook=TIMER) for k in (0, 1)]
    ran = script(rows, *steps, size=2, limits=limits)
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "cash_below_zero"]
    orders = [step(1, ORDER, i=k, quantity=6, limit=90, hook=TIMER) for k in (0, 1)]
    ran = script(rows, *orders, size=2, limits=limits)
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "cash_below_zero"]


def test_all_of_the_equity_may_be_used() -> None:
    rows = [(p, p, p, p) for p in (3.3, 7.7, 0.7, 99.9, 0.1, 12.34)]
    steps = [step(n, WEIGHT, quantity=n % 2) for n in range(1, 7)]
    ran = script(bars(*rows), *steps, limits={"leverage": 1.0}, fills={"fill": SAME_CLOSE}, cash=1234.56)
    assert {decision.outcome for decision in ran.decisions} == {"accepted"}


def test_a_loan_does_not_keep_a_margin_account_from_trading() -> None:
    ran = script(bars(QUIET, QUIET, QUIET), aim(1, 15), aim(2, 18), limits={"leverage": 2.0})
    assert ran.done == [(15, 100), (3, 100)]
    assert ran.account.cash == -800


def test_leverage_counts_every_position_and_every_open_order() -> None:
    rows = [*bars(QUIET, QUIET), *bars(QUIET, QUIET, i=1)]
    limits = {"leverage": 2.0}
    both = [step(1, TARGET, i=k, quantity=15, hook=TIMER) for k in (0, 1)]
    assert [d.outcome for d in script(rows, *both, size=2, limits=limits).decisions] == ["accepted", "margin"]
    ladder = [step(1, ORDER, quantity=15, limit=price, hook=TIMER) for price in (99, 98)]
    assert [d.outcome for d in script(rows, *ladder, size=2, limits=limits).decisions] == ["accepted", "margin"]
    short = script(rows, aim(1, -25), size=2, limits=limits)
    assert [d.outcome for d in short.decisions] == ["margin"]


def test_one_position_is_limited_to_its_share() -> None:
    limits = {"max_weight": 0.5}
    assert [d.outcome for d in script(bars(QUIET, QUIET), aim(1, 5.1), limits=limits).decisions] == [
        "notional_over_equity"
    ]
    assert script(bars(QUIET, QUIET), aim(1, 5), limits=limits).done == [(5, 100)]


def test_margin_of_contracts() -> None:
    def prepare(account: Account, gate: Gate) -> None:
        account.multiplier[0] = account.unit[0] = 50.0

    # A contract is worth 5,000, a tenth of it is margin: 500, so that 1,000 carry two.
    for contracts, outcome in ((2, "accepted"), (3, "margin")):
        ran = script(bars(QUIET, QUIET), aim(1, contracts), limits={"margin": 0.1}, prepare=prepare)
        assert [decision.outcome for decision in ran.decisions] == [outcome]


def test_what_makes_a_position_smaller_always_passes() -> None:
    # The fall leaves 1,000 - 10 * 60 = 400 of equity; 5 contracts at 40 are allowed by nothing but that they are fewer.
    ran = script(
        bars(QUIET, QUIET, (40, 41, 39, 40), (40, 41, 39, 40)), aim(1, 10), aim(3, 9), limits={"max_weight": 1}
    )
    assert ran.done == [(10, 100), (-1, 40)]
    # Buying back a short one as well, with less cash than it costs.
    rows = bars(QUIET, QUIET, (300, 301, 299, 300), (300, 301, 299, 300))
    ran = script(rows, aim(1, -9), aim(3, 0), limits={"leverage": 1.0}, cash=900.0)
    assert ran.done == [(-9, 100), (9, 300)]
    assert ran.account.cash == -900


def test_a_position_that_may_not_be_turned_is_closed() -> None:
    ran = script(bars(QUIET, QUIET, QUIET, QUIET), aim(1, 5), aim(2, -30), limits={"leverage": 2.0})
    assert ran.done == [(5, 100), (-5, 100)]
    assert [(d.order, d.outcome) for d in ran.decisions] == [(1, "accepted"), (2, "margin")]


def test_before_the_opening_nothing_is_decided() -> None:
    steps = [aim(1, 5), step(1, ORDER, quantity=1), aim(2, 2)]
    ran = script(bars(QUIET, QUIET, QUIET), *steps, opened_at=START_US + 2 * MINUTE_US)
    assert ran.done == [(2, 100)]
    assert ran.changes == [(1, "rejected", "before_opening")]
    assert len(ran.equity) == 2


def test_10_a_split_keeps_the_value_and_scales_what_is_under_way() -> None:
    split = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 2.0, 0.0, 0.0)
    after = bars((50, 51, 49, 50), (50, 51, 44, 45), start=START_US + 2 * MINUTE_US)
    after = [Bar(0, bar.time + 1, bar.open_time + 1, bar.open, bar.high, bar.low, bar.close, 100.0) for bar in after]
    ran = script([*bars(QUIET, QUIET), split, *after], aim(1, 3), step(2, ORDER, quantity=-3, stop=90))
    assert ran.done == [(3, 100), (-6, 45)]
    assert ran.equity == [1000, 1000, 1000, 1000, 970]
    assert ran.account.target == [6]


def test_a_split_with_an_order_for_a_target_under_way() -> None:
    split = CorporateAction(0, START_US + MINUTE_US + 1, 2.0, 0.0, 0.0)
    rows = [*bars(QUIET), split, *bars((50, 51, 49, 50), start=START_US + 2 * MINUTE_US)]
    ran = script(rows, aim(1, 3))
    assert ran.done == [(6, 50)]
    assert ran.account.position == ran.account.target == [6]


def test_what_is_no_whole_lot_after_a_split_is_paid_out() -> None:
    split = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 0.5, 0.0, 0.0)
    ran = script([*bars(QUIET, QUIET), split], aim(1, 5), limits={"lot": 1.0})
    # 5 at 100 become 2.5 at 200; half a unit is 100 in cash.
    assert ran.done == [(5, 100), (-0.5, 200)]
    assert (ran.account.position, ran.account.cash) == ([2], 600)
    assert ran.equity == [1000, 1000, 1000]


def test_a_dividend_is_paid_to_who_holds_and_by_who_is_short() -> None:
    dividend = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 1.0, 1.5, 0.0)
    for units in (4, -4, 0):
        ran = script([*bars(QUIET, QUIET), dividend], aim(1, units))
        assert ran.account.cash == 1000 - units * 100 + units * 1.5
        assert ran.account.dividends == units * 1.5


def test_the_end_of_a_listing_pays_out_and_ends_its_orders() -> None:
    end = CorporateAction(0, START_US + 2 * MINUTE_US + 1, 1.0, 0.0, 1.0)
    after = Prediction(0, START_US + 3 * MINUTE_US, 1.0, 0.0)
    ran = script(
        [*bars(QUIET, (100, 101, 99, 98)), end, after], aim(1, 4), step(2, ORDER, quantity=-4, stop=90), aim(4, 2)
    )
    assert ran.done == [(4, 100), (-4, 98)]
    assert ran.account.cash == 992
    assert ran.changes[-1] == (2, "cancelled", "delisted")
    assert ran.decisions[-1].outcome == "no_price"


def test_interest_on_what_is_owed() -> None:
    rows = bars(QUIET, QUIET, QUIET, length=YEAR_US)
    ran = script(rows, aim(1, 15), rest={"financing": 0.1})
    assert ran.account.cash == pytest.approx(-550.0, abs=1e-9)  # 500 owed for a year at 10 %
    assert ran.account.interest == pytest.approx(50.0, abs=1e-9)
    ran = script(rows, aim(1, -5), rest={"borrowing": 0.02})
    assert ran.account.cash == pytest.approx(1490.0, abs=1e-9)  # 500 borrowed for a year at 2 %


def foreign(account: Account, gate: Gate) -> None:
    """Instrument 0 is in another currency, of which no rate is known yet."""
    account.converts = True
    account.rate[0] = account.unit[0] = math.nan


def test_a_fill_is_converted_at_the_rate_of_its_time_and_a_position_at_that_of_now() -> None:
    """100 at the open of the third bar, 10 EUR of 1.1 dollars; half of it sold at 11.5 inside the next, at 1.3."""
    rows = bars((10, 10, 10, 10), (10, 10, 10, 10), (10, 11, 10, 11), (11, 12, 11, 11))
    rates = [
        Rate(0, bar.time, *rate)
        for bar, rate in zip(rows, [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.25, 1.3)], strict=True)
    ]
    events = [event for pair in zip(rates, rows, strict=True) for event in pair]
    steps = [step(2, TARGET, quantity=100), step(3, ORDER, quantity=-50, limit=11.5)]
    ran = script(events, *steps, cash=10_000.0, prepare=foreign)
    assert [fill.cash for fill in ran.fills] == pytest.approx(
        [10_000 - 1100, 10_000 - 1100 + 50 * 11.5 * 1.3], rel=1e-12
    )
    assert ran.equity == pytest.approx(
        [10_000, 10_000, 8900 + 1100 * 1.2, 8900 + 50 * 11.5 * 1.3 + 50 * 11 * 1.3], rel=1e-12
    )


@pytest.mark.parametrize("kind", [TARGET, ORDER])
def test_the_fee_that_is_set_aside_is_in_the_instruments_currency(kind: int) -> None:
    """4,800 at 3,000 yen of 0.0067 dollars are $96,480; 1 yen a unit is $32.16 of the $3,520 that are left."""
    rows = bars((3000, 3000, 3000, 3000), (3000, 3000, 3000, 3000))
    events = [Rate(0, rows[0].time, 0.0067, 0.0067), *rows]
    changes = {"cash": 100_000.0, "fee": lambda: PerShareFee(1.0), "limits": {"leverage": 1.0}, "prepare": foreign}
    ran = script(events, step(1, kind, quantity=4800), **changes)
    assert [decision.outcome for decision in ran.decisions] == ["accepted"]
    assert ran.account.cash == pytest.approx(100_000 - 96_480 - 32.16, rel=1e-12)
    # The fee counts still: 4,975 units are $99,997.50, and $33.33 for them more than the cash.
    [dear] = script(events, step(1, kind, quantity=4975), **changes).decisions
    assert dear.outcome == "cash_below_zero"


def test_before_a_rate_is_known_nothing_is_traded() -> None:
    ran = script(bars(QUIET, QUIET), aim(1, 1), step(1, ORDER, quantity=1, limit=90), prepare=foreign)
    assert [decision.outcome for decision in ran.decisions] == ["no_price", "no_price"]


def test_instruments_on_the_same_time_stamp_do_not_disturb_one_another() -> None:
    first = [(100 + n % 7, 108 + n % 7, 92 + n % 7, 100 + (n * 5) % 7) for n in range(30)]
    second = [(50 + n % 5, 58 + n % 5, 42 + n % 5, 50 + (n * 3) % 5) for n in range(30)]

    def steps(i: int, size: int) -> list[list[float]]:
        return [step(n * size + i + 1, TARGET, i=i, quantity=(n * (3 + i)) % 5 - 2) for n in range(29)]

    alone = [script(bars(*rows), *steps(0, 1)) for rows in (first,)]
    other = script(bars(*second), *[[*one[:3], 0.0, *one[4:]] for one in steps(1, 1)], cash=1e6)
    together = script([*bars(*first), *bars(*second, i=1)], *steps(0, 2), *steps(1, 2), size=2, cash=1e6)
    shifted = [[*one[:1], one[1] - 1, *one[2:3], 0.0, *one[4:]] for one in steps(1, 1)]
    other = script(bars(*second), *shifted, cash=1e6)
    for i, single in enumerate((alone[0], other)):
        mine = [(fill.quantity, fill.price, fill.time) for fill in together.fills if fill.i == i]
        assert mine == [(fill.quantity, fill.price, fill.time) for fill in single.fills]
        assert len(mine) > 10


def test_times_before_1970() -> None:
    start = microseconds(datetime(1928, 1, 3, tzinfo=UTC))
    ran = script(bars(QUIET, (102, 103, 101, 102), start=start, length=86_400_000_000), aim(1, 1))
    assert ran.done == [(1, 102)]
    assert ran.equity == [1000, 1000]


def test_a_revision_changes_nothing_that_was_traded() -> None:
    revised = BarRevision(0, START_US + MINUTE_US + 1, START_US, 90.0, 91.0, 89.0, 90.0, 1.0)
    ran = script([*bars(QUIET), revised, *bars(QUIET, start=START_US + 2 * MINUTE_US)], aim(1, 1))
    assert ran.done == [(1, 100)]


def test_fills_that_are_recorded_take_the_place_of_a_broker() -> None:
    recorded = [
        RecordedFill(0, START_US + MINUTE_US + 9, START_US + MINUTE_US + 8, 1.0, 2.0, 100.5, 0.25),
        RecordedFill(0, START_US + MINUTE_US + 10, START_US + MINUTE_US + 9, 1.0, 1.0, 100.75, 0.25),
    ]
    ran = script([*bars(QUIET, QUIET, QUIET), *recorded], aim(1, 3), fills={"fill": RECORDED})
    assert ran.done == [(2, 100.5), (1, 100.75)]
    assert ran.account.cash == 1000 - 201 - 100.75 - 0.5
    assert (ran.account.pending, ran.account.waiting) == ([0], [0])
    # A bracket whose entry is recorded opens its exits, one of which the other cancels.
    steps = [
        step(1, ORDER, quantity=1),
        step(1, ORDER, quantity=-1, stop=90, parent=1, group=5, reduce_only=True),
        step(1, ORDER, quantity=-1, limit=110, parent=1, group=5, reduce_only=True),
    ]
    moments = (START_US + MINUTE_US + 9, 1.0, 1.0), (START_US + MINUTE_US + 10, 3.0, -1.0)
    back = [RecordedFill(0, time, time, order, quantity, 100.0, 0.0) for time, order, quantity in moments]
    ran = script([*bars(QUIET, QUIET), *back], *steps, fills={"fill": RECORDED})
    assert ran.changes[-3:] == [
        (3, "open", "accepted"),
        (3, "filled", "accepted"),
        (2, "cancelled", "one_cancels_other"),
    ]


def test_an_error_keeps_what_was_done_before_it() -> None:
    trades = [Trade(0, START_US + n, 100.0, 5.0, 0.0) for n in range(1, 4)]
    ran = run_both(lambda: Script(aim(1, 1), step(3, ORDER, i=7, quantity=1)), trades)
    assert ran.progress.error is not None
    assert ran.done == [(1, 100)]
    assert len(ran.equity) == 2


def test_a_position_turns_at_the_price_of_the_turn() -> None:
    ran = script(bars(QUIET, QUIET, (110, 111, 109, 110), (110, 111, 109, 110)), aim(1, 2), aim(2, 4), aim(3, -1))
    assert ran.done == [(2, 100), (2, 110), (-5, 110)]
    assert ran.account.average == [110]
    two = script(bars(QUIET, QUIET, (110, 111, 109, 110)), aim(1, 2), aim(2, 4))
    assert two.account.average == [105]
