"""Explicit orders on bars, with numbers worked out by hand from the rules that `SimulatedBroker` states."""

import math

import pytest

from strades_pipelines.strategy.events import Quote, Trade
from strades_pipelines.strategy.orders import DAY, FOK, IOC, NOT_GIVEN, ON_CLOSE, ON_OPEN
from tests.strategy.both import (
    BRACKET,
    CANCEL,
    CHANGE,
    FILL,
    ORDER,
    Script,
    bars,
    run_both,
    script,
    script_per_event,
    step,
)
from tests.strategy.builders import MINUTE_US, START_US

QUIET = (100, 101, 99, 100)
DAY_US = 86_400_000_000
BEST = {"best_path": True}
LONG = step(1, ORDER, quantity=1)


def test_a_market_order_is_done_at_the_next_open() -> None:
    ran = script(bars(QUIET, (102, 104, 101, 103)), LONG)
    [fill] = ran.fills
    assert (fill.quantity, fill.price, fill.filled_at, fill.time) == (
        1,
        102,
        START_US + MINUTE_US,
        START_US + 2 * MINUTE_US,
    )
    assert ran.account.cash == 898
    assert ran.equity == [1000, 1001]
    assert ran.changes == [(1, "open", "accepted"), (1, "filled", "accepted")]


@pytest.mark.parametrize(
    ("bar", "worst", "best"),
    [
        ((100, 101, 95, 98), [], [(1, 95)]),  # touched, not gone through
        ((100, 101, 94.5, 98), [(1, 95)], [(1, 95)]),
        ((94, 96, 93, 95), [(1, 94)], [(1, 94)]),  # the open is better than the limit
    ],
)
def test_a_limit_is_done_where_the_price_goes_through_it(
    bar: tuple[float, ...], worst: list[object], best: list[object]
) -> None:
    buy = step(1, ORDER, quantity=1, limit=95)
    assert script(bars(QUIET, bar), buy).done == worst
    assert script(bars(QUIET, bar), buy, fills=BEST).done == best


@pytest.mark.parametrize(
    ("bar", "done"),
    [((100, 101, 95, 98), [(-1, 95)]), ((93, 96, 92, 95), [(-1, 93)]), ((100, 101, 95.5, 98), [])],
)
def test_a_stop_is_done_where_the_price_touches_it_or_opens_behind_it(
    bar: tuple[float, ...], done: list[object]
) -> None:
    assert script(bars(QUIET, bar), step(1, ORDER, quantity=-1, stop=95)).done == done


def test_orders_that_many_bars_left_alone_are_done_by_the_one_that_reaches_them() -> None:
    entry = step(1, BRACKET, quantity=1, stop=95, trail=105)
    quiet = [QUIET] * 6
    # Touched is not gone through; of a stop touched is enough.
    touched = script(bars(*quiet, (100, 105, 99, 104), (104, 105.5, 103, 105)), entry)
    assert [(fill.price, fill.time) for fill in touched.fills] == [
        (100, START_US + 2 * MINUTE_US),
        (105, START_US + 8 * MINUTE_US),
    ]
    assert script(bars(*quiet, (100, 101, 95, 98)), entry).done == [(1, 100), (-1, 95)]
    assert script(bars(*quiet, (107, 108, 106, 107)), entry).done == [(1, 100), (-1, 107)]


def test_a_stop_that_found_no_volume_is_done_at_the_next_open_wherever_that_is() -> None:
    rows = bars(QUIET, QUIET, QUIET, (100, 101, 94, 98, 0), QUIET)
    short = step(1, ORDER, quantity=-1, stop=95)
    assert script(rows, short, fills={"participation": 0.5}).done == [(-1, 100)]


@pytest.mark.parametrize(
    ("stop", "limit", "rows", "done"),
    [
        (105, 106, [(104, 110, 103, 108)], [(1, 105)]),
        (105, 106, [(107, 110, 105.5, 108)], [(1, 106)]),  # passed at the open, and come back to the limit
        (105, 106, [(107, 110, 106.5, 108), (105, 107, 104, 106)], [(1, 105)]),
        # Passed inside the bar with the limit on the other side: what came before does not count.
        (105, 104, [(100, 110, 99, 108), (103.5, 106, 103, 104)], [(1, 103.5)]),
        (105, 104, [(100, 110, 99, 108)], []),
    ],
)
def test_a_stop_limit_waits_for_its_stop_and_then_keeps_its_limit(
    stop: float, limit: float, rows: list[tuple[float, ...]], done: list[object]
) -> None:
    assert script(bars(QUIET, *rows), step(1, ORDER, quantity=1, stop=stop, limit=limit)).done == done


def test_a_trailing_stop_follows_from_bar_to_bar() -> None:
    rows = [(100, 110, 99, 109), (109, 112, 106, 111), (111, 111.5, 104, 105)]
    trail = step(1, ORDER, quantity=-1, trail=5)
    # It stands at 95, then 105, then 107, which the third bar touches; by the worst path the first bar fell to 99 after
    # its high of 110.
    assert script(bars(QUIET, *rows), LONG, trail, fills=BEST).done == [(1, 100), (-1, 107)]
    assert script(bars(QUIET, *rows), LONG, trail).done == [(1, 100), (-1, 105)]
    gapped = script(bars(QUIET, *rows[:2], (103, 104, 102, 103)), LONG, trail, fills=BEST)
    assert gapped.done == [(1, 100), (-1, 103)]


def test_a_trailing_stop_to_buy_follows_down() -> None:
    ran = script(bars(QUIET, (100, 101, 90, 91), (91, 96, 90.5, 95)), step(1, ORDER, quantity=1, trail=5))
    assert ran.done == [(1, 95)]  # 105, then 95


def test_on_open_and_on_close() -> None:
    bar = (102, 104, 99, 103)
    assert script(bars(QUIET, bar), step(1, ORDER, quantity=1, on=ON_OPEN)).done == [(1, 102)]
    ran = script(bars(QUIET, bar), step(1, ORDER, quantity=1, on=ON_CLOSE))
    assert ran.done == [(1, 103)]
    assert ran.fills[0].filled_at == START_US + 2 * MINUTE_US


@pytest.mark.parametrize("on", [ON_OPEN, ON_CLOSE])
def test_an_auction_that_a_limit_misses_ends_it(on: int) -> None:
    ran = script(bars(QUIET, (102, 104, 99, 103), (98, 98, 98, 98)), step(1, ORDER, quantity=1, limit=100, on=on))
    assert ran.done == []
    assert ran.changes[-1] == (1, "cancelled", "auction_over")


def test_an_order_for_an_auction_with_a_stop_is_refused() -> None:
    ran = script(bars(QUIET, QUIET), step(1, ORDER, quantity=1, stop=105, on=ON_CLOSE))
    assert [decision.outcome for decision in ran.decisions] == ["contradictory"]


def test_a_stop_comes_before_the_close_it_saves_from() -> None:
    ran = script(
        bars(QUIET, QUIET, (100, 100, 80, 85)),
        LONG,
        step(2, ORDER, quantity=-1, on=ON_CLOSE, reduce_only=True),
        step(2, ORDER, quantity=-1, stop=95, reduce_only=True),
    )
    assert ran.done == [(1, 100), (-1, 95)]


ENTRY = step(1, BRACKET, quantity=1, stop=95, trail=110)  # trail: the take-profit of a bracket


@pytest.mark.parametrize(
    ("bar", "worst", "best"),
    [
        ((100, 111, 94, 100), -95, -110),  # both are reached: the order is not known
        ((100, 111, 96, 100), -110, -110),
        ((100, 109, 94, 100), -95, -95),
        ((93, 111, 92, 100), -93, -93),  # the open decides: it is below the stop
        ((112, 113, 94, 100), -112, -112),
    ],
)
def test_a_bracket_by_the_worst_and_the_best_path(bar: tuple[float, ...], worst: float, best: float) -> None:
    for changes, price in (({}, worst), ({"fills": BEST}, best)):
        ran = script(bars(QUIET, QUIET, bar, bar), ENTRY, **changes)
        assert [quantity * at for quantity, at in ran.done] == [100, price]
        assert ran.account.count == 0


@pytest.mark.parametrize(
    ("bar", "worst", "best"),
    [
        ((100, 112, 89, 99), [95, -90], [95, -110]),
        ((100, 101, 94, 99), [95, -98], [95, -98]),  # 98 is sure: the close is above it, and the entry came before
        ((100, 101, 94, 97), [95], [95, -98]),  # the high may have come before the entry
        ((100, 101, 88, 89), [95, -90], [95, -98]),
        ((100, 100, 88, 89), [95, -90], [95, -98]),
        ((94, 97, 88, 89), [94, -90], [94, -90]),  # at the open: all of the bar comes after it
        ((94, 99, 88, 89), [94, -90], [94, -98]),
    ],
)
def test_an_entry_inside_a_bar_and_its_exits_in_the_same_bar(
    bar: tuple[float, ...], worst: list[float], best: list[float]
) -> None:
    profit = 110 if bar[1] == 112 else 98
    entry = step(1, BRACKET, quantity=1, limit=95, stop=90, trail=profit)
    for changes, prices in (({}, worst), ({"fills": BEST}, best)):
        assert [quantity * at for quantity, at in script(bars(QUIET, bar), entry, **changes).done] == prices


def test_by_the_best_path_too_the_low_comes_after_a_limit_to_buy() -> None:
    entry = step(1, BRACKET, quantity=1, limit=95, stop=90, trail=110)
    assert script(bars(QUIET, (100, 101, 88, 91)), entry, fills=BEST).done == [(1, 95), (-1, 90)]
    assert script_per_event(bars(QUIET, (100, 101, 90.5, 91)), entry, fills=BEST).done == [(1, 95)]


def test_by_the_worst_path_too_the_low_comes_after_a_stop_to_sell() -> None:
    steps = [
        step(1, ORDER, quantity=-1, stop=90),
        step(1, ORDER, quantity=1, stop=99, parent=1, group=9),
        step(1, ORDER, quantity=1, limit=85, parent=1, group=9),
    ]
    assert script_per_event(bars(QUIET, (95, 96, 84, 86)), *steps).done == [(-1, 90), (1, 85)]
    # A high of 99 may have come after the entry; then the stop was first.
    assert script_per_event(bars(QUIET, (95, 99, 84, 86)), *steps).done == [(-1, 90), (1, 99)]
    assert script_per_event(bars(QUIET, (95, 99, 84, 86)), *steps, fills=BEST).done == [(-1, 90), (1, 85)]


@pytest.mark.parametrize(
    ("bar", "worst", "best"),
    [
        ((100, 110, 100, 106), [-109], [-109]),  # it fell by 4 from its high, whatever came first
        ((100, 110, 100, 109.5), [-109], []),  # low, high, close: by the best path it fell by 0.5
        ((100, 110, 98, 109.5), [-99], [-109]),  # low first: 99; high first: 109; it is stopped on both
        ((100, 100.5, 99.75, 100.25), [], []),
    ],
)
def test_a_trailing_stop_follows_the_bar_on_the_path_that_is_taken(
    bar: tuple[float, ...], worst: list[float], best: list[float]
) -> None:
    trail = step(2, ORDER, quantity=-1, trail=1, reduce_only=True)
    for changes, expected in (({}, worst), ({"fills": BEST}, best)):
        ran = script_per_event(bars(QUIET, (100, 100, 100, 100), bar), LONG, trail, **changes)
        assert [quantity * at for quantity, at in ran.done[1:]] == expected


def test_an_entry_by_stop_and_its_stop_in_the_same_bar() -> None:
    steps = [
        step(1, ORDER, quantity=1, stop=105),
        step(1, ORDER, quantity=-1, stop=97, parent=1, reduce_only=True, group=9),
        step(1, ORDER, quantity=-1, limit=108, parent=1, reduce_only=True, group=9),
    ]
    assert script(bars(QUIET, (100, 110, 96, 106)), *steps).done == [(1, 105), (-1, 97)]
    assert script(bars(QUIET, (100, 110, 96, 106)), *steps, fills=BEST).done == [(1, 105), (-1, 108)]


def test_a_trailing_child_starts_from_the_entry() -> None:
    steps = [step(1, ORDER, quantity=1, limit=95), step(1, ORDER, quantity=-1, trail=4, parent=1, reduce_only=True)]
    # Entered at 95, stop at 91; the close of 99 moves it to 95, not the high of 101, which may have come before.
    ran = script(bars(QUIET, (100, 101, 94, 99), (99, 99, 94, 96)), *steps)
    assert ran.done == [(1, 95), (-1, 95)]


def test_one_cancels_the_other() -> None:
    steps = [step(1, ORDER, quantity=1, stop=105, group=7), step(1, ORDER, quantity=-1, stop=95, group=7)]
    ran = script(bars(QUIET, (100, 106, 99, 103), (103, 104, 90, 91)), *steps)
    assert ran.done == [(1, 105)]
    assert ran.changes[-1] == (2, "cancelled", "one_cancels_other")


def test_a_part_of_one_shrinks_the_other() -> None:
    steps = [
        step(1, ORDER, quantity=10),
        step(2, ORDER, quantity=-10, limit=105, group=7, reduce_only=True),
        step(2, ORDER, quantity=-10, stop=95, group=7, reduce_only=True),
    ]
    rows = [QUIET, QUIET, (100, 106, 99, 104, 8), (104, 104, 90, 92)]
    ran = script(bars(*rows), *steps, fills={"participation": 0.5}, cash=2000.0)
    assert ran.done == [(10, 100), (-4, 105), (-6, 95)]
    assert ran.account.count == 0


def test_what_is_left_of_an_entry_is_taken_back_when_its_exit_is_done() -> None:
    entry = step(1, BRACKET, quantity=10, limit=95, stop=90, trail=110)
    rows = [QUIET, (100, 101, 94, 96, 8), (96, 96, 89, 92, 8), (92, 93, 80, 85)]
    ran = script(bars(*rows), entry, fills={"participation": 0.5}, cash=2000.0)
    # 4 are bought at 95 in the second bar, and sold at 90 in the third; by the worst path that comes first.
    assert ran.done == [(4, 95), (-4, 90)]
    assert ran.account.count == 0


def test_time_in_force() -> None:
    rows = [QUIET, QUIET, (100, 101, 94, 95)]
    day = step(1, ORDER, quantity=1, limit=95, time_in_force=DAY)
    assert script(bars(*rows), day).done == [(1, 95)]
    ran = script(bars(*rows, length=DAY_US), day)
    assert ran.done == []
    assert ran.changes[-1] == (1, "expired", "day_over")
    for force, reason in ((IOC, "immediate_or_cancel"), (FOK, "fill_or_kill")):
        ran = script(bars(QUIET, (100, 101, 94, 95)), step(1, ORDER, quantity=1, limit=95, time_in_force=force))
        assert ran.done == []  # the limit is reached only inside the bar
        assert ran.changes[-1] == (1, "cancelled", reason)
        at_once = step(1, ORDER, quantity=1, limit=105, time_in_force=force)
        assert script(bars(QUIET, (102, 104, 101, 103)), at_once).done == [(1, 102)]


def test_immediate_takes_a_part_and_fill_or_kill_nothing_of_a_small_bar() -> None:
    rows = bars(QUIET, (*QUIET, 6), QUIET)
    fills = {"participation": 0.5}
    assert script(rows, step(1, ORDER, quantity=5, time_in_force=IOC), fills=fills).done == [(3, 100)]
    assert script(rows, step(1, ORDER, quantity=5, time_in_force=FOK), fills=fills).done == []
    assert script(rows, step(1, ORDER, quantity=5), fills=fills).done == [(3, 100), (2, 100)]


def test_an_immediate_order_waits_for_its_stop_first() -> None:
    stop = step(1, ORDER, quantity=1, stop=105, time_in_force=IOC)
    assert script(bars(QUIET, QUIET, (100, 106, 100, 105)), stop).done == [(1, 105)]


def test_what_reduces_never_turns_a_position() -> None:
    ran = script(bars(QUIET, QUIET, QUIET), LONG, step(2, ORDER, quantity=-3, reduce_only=True))
    assert ran.done == [(1, 100), (-1, 100)]
    assert ran.changes[-1] == (2, "cancelled", "reduce_only")  # the rest, as a venue and the books have it
    ran = script(bars(QUIET, QUIET), step(1, ORDER, quantity=-1, reduce_only=True))
    assert [decision.outcome for decision in ran.decisions] == ["reduce_only"]
    # Two exits, the second finds nothing to reduce.
    ran = script(
        bars(QUIET, QUIET, (100, 100, 90, 91)),
        LONG,
        step(2, ORDER, quantity=-1, stop=96, reduce_only=True),
        step(2, ORDER, quantity=-1, stop=95, reduce_only=True),
    )
    assert ran.done == [(1, 100), (-1, 96)]
    assert ran.changes[-1] == (3, "cancelled", "reduce_only")


def test_a_part_of_what_reduces_leaves_the_rest_open() -> None:
    ran = script(
        bars(QUIET, QUIET, (*QUIET, 6), QUIET),
        step(1, ORDER, quantity=5),
        step(2, ORDER, quantity=-5, reduce_only=True),
        fills={"participation": 0.5},
    )
    assert ran.done == [(5, 100), (-3, 100), (-2, 100)]


def test_an_order_can_be_cancelled_in_the_hook_that_made_it_and_later() -> None:
    ran = script(bars(QUIET, QUIET), LONG, step(1, CANCEL, quantity=1))
    assert ran.done == []
    assert ran.changes == [(1, "open", "accepted"), (1, "cancelled", "asked_for")]
    ran = script(
        bars(QUIET, QUIET, (90, 90, 90, 90)), step(1, ORDER, quantity=1, limit=95), step(2, CANCEL, quantity=1)
    )
    assert ran.done == []
    assert ran.account.count == 0


def test_the_children_of_an_order_that_ends_end_with_it() -> None:
    steps = [step(1, BRACKET, quantity=1, limit=95, stop=90, trail=110), step(2, CANCEL, quantity=1)]
    ran = script(bars(QUIET, QUIET, (90, 111, 80, 90)), *steps)
    assert ran.done == []
    assert ran.changes[3:] == [
        (1, "cancelled", "asked_for"),
        (2, "cancelled", "one_cancels_other"),
        (3, "cancelled", "one_cancels_other"),
    ]


def test_the_children_of_an_order_that_is_refused_are_refused() -> None:
    ran = script(bars(QUIET, QUIET), step(1, BRACKET, quantity=100, stop=90, trail=110), limits={"leverage": 1.0})
    outcomes = [decision.outcome for decision in ran.decisions]
    assert outcomes == ["cash_below_zero", "one_cancels_other", "one_cancels_other"]
    assert ran.account.count == 0


def test_what_is_ordered_on_a_fill_is_active_for_the_next_bar() -> None:
    exit_ = step(1, ORDER, quantity=-1, stop=95, hook=FILL)
    ran = script(bars(QUIET, (100, 101, 90, 98), (98, 98, 94, 96)), LONG, exit_)
    assert ran.done == [(1, 100), (-1, 95)]
    assert ran.fills[1].time == START_US + 3 * MINUTE_US
    assert ran.decisions[1].time == START_US + 2 * MINUTE_US


def test_what_is_ordered_when_an_order_changes_is_taken_up_at_once() -> None:
    ran = script(bars(QUIET, (97, 98, 96, 97)), LONG, step(1, ORDER, quantity=2, hook=CHANGE))
    assert ran.done == [(1, 97), (2, 97)]
    assert [decision.time for decision in ran.decisions] == [START_US + MINUTE_US] * 2


def test_a_full_buffer_is_one_clear_error() -> None:
    steps = [step(1, ORDER, quantity=1, limit=50 + k) for k in range(4)]
    ran = run_both(lambda: Script(*steps), bars(QUIET, QUIET), orders=3)
    assert str(ran.progress.error) == (
        "strategy script at 2024-01-02T00:01:00+00:00: ValueError: "
        "the buffer of orders is full; cancel some, or give the account more"
    )


def test_an_instrument_that_is_not_there_is_one_clear_error() -> None:
    ran = run_both(lambda: Script(step(1, ORDER, i=1, quantity=1)), bars(QUIET))
    assert "ValueError: order: there is no instrument of this index" in str(ran.progress.error)


@pytest.mark.parametrize(
    "numbers",
    [
        {"quantity": math.nan},
        {"quantity": math.inf},
        {"quantity": 1, "limit": math.nan},
        {"quantity": 1, "stop": math.inf},
        {"quantity": 1, "trail": -1.0},
    ],
)
def test_numbers_that_are_none_are_refused(numbers: dict[str, float]) -> None:
    for lot in (0.0, 1.0):
        ran = script(bars(QUIET, QUIET), step(1, ORDER, **numbers), limits={"lot": lot})  # type: ignore[arg-type]
        assert [decision.outcome for decision in ran.decisions] == ["not_finite"]
        assert ran.done == []


def test_a_bracket_without_a_stop_is_refused_as_a_whole() -> None:
    ran = script(bars(QUIET, QUIET), step(1, BRACKET, quantity=1, stop=math.nan, trail=110))
    assert ran.done == []
    assert ran.account.count == 0


def test_slots_are_used_again_and_orders_keep_their_turn() -> None:
    steps = [step(n, ORDER, quantity=1, hook=FILL) for n in range(1, 40)]
    ran = script(bars(*[QUIET] * 42), LONG, *steps, orders=2, cash=1e6)
    assert [fill.order for fill in ran.fills] == list(range(1, 41))


def test_latency_makes_an_order_miss_the_bar_that_opens_first() -> None:
    fills = {"latency": 1_000_000}
    assert script(bars(QUIET, (102, 104, 101, 103), (105, 106, 104, 105)), LONG, fills=fills).done == [(1, 105)]


def test_a_maker_keeps_the_limit_and_a_taker_pays_the_spread() -> None:
    fills = {"spread": 0.02, "slippage": 0.01, "slippage_amount": 0.5}
    # Half of 2 % and 1 % of 100, and 0.5: 2.5.
    assert script(bars(QUIET, QUIET), LONG, fills=fills).done == [(1, 102.5)]
    assert script(bars(QUIET, (100, 101, 94, 95)), step(1, ORDER, quantity=1, limit=95), fills=fills).done == [(1, 95)]
    # One that takes at the open never pays more than its limit.
    assert script(bars(QUIET, QUIET), step(1, ORDER, quantity=1, limit=101), fills=fills).done == [(1, 101)]


def test_impact_grows_with_the_square_of_the_share() -> None:
    # 10 of 100: 0.1 squared is 0.01, times 0.5 of 100 is 0.5.
    ran = script(bars(QUIET, QUIET), step(1, ORDER, quantity=10), fills={"impact": 0.5}, cash=2000.0)
    assert [fill.price for fill in ran.fills] == pytest.approx([100.5], abs=1e-12)


def test_no_impact_makes_a_sale_cost_money() -> None:
    # 300 of 100: 3 squared is 9, times 0.5 of 100 is 450, more than the price.
    steps = [*step(1, ORDER, quantity=300), *step(2, ORDER, quantity=-300)]
    ran = script(bars(QUIET, QUIET, QUIET), steps, fills={"impact": 0.5}, cash=200_000.0)
    assert [fill.price for fill in ran.fills] == [550.0, 0.0]


def tick(n: int, price: float, size: float = 10.0) -> Trade:
    return Trade(0, START_US + n, price, size, 0.0)


def test_a_limit_on_trades() -> None:
    buy = step(1, ORDER, quantity=1, limit=99)
    # It rests from the second trade on; one at the limit may have been anyone's, one below it was not without us.
    assert script([tick(1, 100), tick(2, 100), tick(3, 99), tick(4, 98)], buy).fills[0][3:7:3] == (99, START_US + 4)
    assert script([tick(1, 100), tick(2, 100), tick(3, 99)], buy, fills=BEST).done == [(1, 99)]
    # One that finds a better price when it comes takes that, its rest too.
    parts = script(
        [tick(1, 100), tick(2, 98, 1), tick(3, 98.5, 9)],
        step(1, ORDER, quantity=3, limit=99),
        fills={"participation": 1.0},
    )
    assert parts.done == [(1, 98), (2, 98.5)]
    assert script([tick(1, 100), tick(2, 98)], buy).done == [(1, 98)]


def test_purchases_are_done_at_the_ask_and_sales_at_the_bid() -> None:
    quotes = [Quote(0, START_US + n, 99.0, 5.0, 101.0, 5.0) for n in range(1, 5)]
    ran = script(quotes, LONG, step(2, ORDER, quantity=-1))
    assert ran.done == [(1, 101), (-1, 99)]
    assert ran.account.cash == 998
    # A bracket's exits are sales: its stop of 99.5 is looked at with the bid, at once.
    ran = script(quotes, step(1, BRACKET, quantity=1, stop=99.5, trail=120))
    assert ran.done == [(1, 101), (-1, 99)]


def test_auctions_are_of_bars() -> None:
    events = [tick(1, 100), tick(2, 100), *bars(QUIET, QUIET, start=START_US + 10)]
    assert script(events, step(1, ORDER, quantity=1, on=ON_OPEN)).fills[0].filled_at == START_US + 10


def test_not_given_is_no_price() -> None:
    assert script(bars(QUIET, QUIET), step(1, ORDER, quantity=1, limit=NOT_GIVEN)).done == [(1, 100)]
