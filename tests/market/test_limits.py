"""Every limit at one unit below it, at it, and one above: in the exact gate and in the engine."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.exposure import Market
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import LIMITS, as_floats, no_limits
from strades_pipelines.market.order_checks import Rules
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.market.risk import gate
from strades_pipelines.market.wallet_limits import parse_limits, read_limit
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import DAY_LENGTH, Bar, Prediction
from strades_pipelines.strategy.orders import ANY, NOT_GIVEN, ON_OPEN, OPEN, OUTCOMES, WAITING
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.both import ORDER, TARGET, TIMER, bars, script, step
from tests.strategy.builders import MINUTE_US, START, START_US

NUMBERS = [limit for limit in LIMITS if limit.field is not None]
A, B = (
    Listing(number, "sim", name, "USD", Decimal("0.25"), Decimal("0.00001")) for number, name in ((1, "A"), (2, "B"))
)
# What the order below comes to in each limit's unit, and the smallest step from there. The account began with 1250,
# bought 2 A at 225 and sold 1 B short at 50. A rose to 400 (equity 1600), closed its day at 225 (1250), and was at 100
# seven seconds ago: cash 850, equity 850 + 200 - 50 = 1000. Two orders were made just now; this one buys 3 A
# at 97 at most.
MEASURED = {
    "max_price_age_seconds": ("7", "0.000001"),
    "max_orders_per_minute": ("3", "1"),
    "price_collar_percent": ("3", "0.25"),  # a tick
    "max_order_units": ("3", "0.00001"),  # a lot
    "max_order_notional": ("291", "0.00097"),  # a lot at 97
    "max_position_units": ("5", "0.00001"),
    "max_position_notional": ("485", "0.00097"),  # 5 at 97
    "max_position_percent": ("48.5", "0.000097"),
    "max_gross_notional": ("535", "0.00097"),  # and 50 of B
    "max_net_notional": ("435", "0.00097"),  # less 50 of B
    "max_leverage": ("0.535", "0.00000097"),
    "max_daily_loss_percent": ("20", "0.0001"),  # 250 of 1250
    "max_drawdown_percent": ("37.5", "0.0001"),  # 600 of 1600
}


def exact_code(written: dict[str, Any], order: OrderRequest | None = None, **changes: Any) -> str:
    """What `market.risk` makes of the order above."""
    request = order or OrderRequest(Decimal(3), OrderTerms(limit=Decimal(97)))
    decision = TradingDecision("w", "s", 0, 1, START, "bar", "1m@x", 0, 0.0, 0.0, "because", {}, request)
    market = Market(
        {1: Decimal(100), 2: Decimal(50)},
        known_at={1: START - timedelta(seconds=7)},
        recent_orders=2,
        day_equity=Decimal(1250),
        peak=Decimal(1600),
    )
    given_: dict[str, Any] = {
        "books": Books(Decimal(850), {1: Position(Decimal(2), Decimal(225)), 2: Position(Decimal(-1), Decimal(50))}),
        "market": market,
        "now": START,
        "rules": Rules(START, timedelta(minutes=15), Decimal(0), limits=parse_limits(written)),
        "seen": (),
    }
    outcome = gate(decision, A, **(given_ | changes))
    return outcome.code if isinstance(outcome, Refusal) else "accepted"


def engine_code(written: dict[str, str]) -> str:
    """What the engine makes of the order above, per event and compiled."""
    flat = [(price,) * 4 for price in (225, 225, 225, 400, 225)]
    morning = START_US + DAY_LENGTH
    events = [
        *bars(*[(50,) * 4] * 5, i=1),
        *bars(*flat),
        Bar(0, morning, morning - MINUTE_US, 100, 100, 100, 100, 100.0),
        Prediction(0, morning + 7_000_000, 1.0, 0.0),
    ]
    exits = [step(12, ORDER, quantity=-1, limit=500, reduce_only=True) for _ in range(2)]
    # With the timers of the first two bars, A in two parts: no limit is in the way of that.
    opening = [step(n, TARGET, i=i, quantity=units, hook=TIMER) for n, i, units in ((1, 0, 1), (1, 1, -1), (2, 0, 2))]
    numbers = as_floats(parse_limits(written).numbers)
    limits = {str(limit.field): numbers[str(limit.field)] for limit in NUMBERS if limit.name in written}
    ran = script(
        events, *opening, *exits, step(12, ORDER, quantity=3, limit=97), size=2, cash=1250.0, limits={**NONE, **limits}
    )
    assert ran.account.position == [2, -1]
    assert ran.equity[-1] == 1000
    return ran.decisions[-1].outcome


FLAT = (100, 100, 100, 100)
NONE = vars(no_limits())


def test_20_every_limit_has_its_case() -> None:
    assert {limit.name for limit in NUMBERS} == set(MEASURED)
    assert len({limit.code for limit in LIMITS}) == len(LIMITS)
    for limit in LIMITS:
        assert limit.outcome is None or OUTCOMES[limit.outcome] == limit.code
    assert len(set(OUTCOMES)) == len(OUTCOMES)


@pytest.mark.parametrize("side", ["exact", "engine"])
@pytest.mark.parametrize("limit", NUMBERS, ids=lambda limit: limit.name)
def test_20_a_limit_is_kept_to_the_unit(limit: Any, side: str) -> None:
    """With a limit of one more than the order comes to, of just that, and of one less."""
    measured, unit = map(Decimal, MEASURED[limit.name])
    for allowed, expected in ((measured + unit, "accepted"), (measured, "accepted"), (measured - unit, limit.code)):
        code = (exact_code if side == "exact" else engine_code)({limit.name: str(allowed)})
        assert (limit.name, allowed, code) == (limit.name, allowed, expected)


def test_20_an_exit_passes_every_limit() -> None:
    written = {name: str(Decimal(unit)) for name, (_, unit) in MEASURED.items()}
    frozen = {**written, "restricted": ["sim:A"], "open_market_only": True}
    market = Market({1: Decimal(100)}, closed={1}, recent_orders=9, day_equity=Decimal(9999))
    sale = OrderRequest(Decimal(-2), OrderTerms())
    assert exact_code({"restricted": ["sim:A"]}, market=market) == "restricted"
    assert exact_code(frozen, market=market) == "market_closed"
    assert exact_code(frozen, sale, market=market) == "accepted"


def test_21_a_frozen_feed_lets_no_position_grow_and_every_one_be_left() -> None:
    """Without a known price there is no age that would do."""
    for known_at in ({1: START - timedelta(seconds=8)}, {}):
        market = Market({1: Decimal(100)}, known_at=known_at)
        assert exact_code({"max_price_age_seconds": "7"}, market=market) == "price_too_old"
        exit_ = OrderRequest(Decimal(-1), OrderTerms(limit=Decimal(120)))
        assert exact_code({"max_price_age_seconds": "7"}, exit_, market=market) == "accepted"


def test_21_the_engine_decides_nothing_new_on_an_old_price() -> None:
    late = START_US + 2 * MINUTE_US + 8_000_000
    rows = [*bars(FLAT, FLAT), Prediction(0, late, 1.0, 0.0), Prediction(0, late + 1, 1.0, 0.0)]
    steps = [step(1, TARGET, quantity=2), step(3, TARGET, quantity=3), step(4, TARGET, quantity=1)]
    ran = script(rows, *steps, limits={**NONE, "max_price_age": 7.0})
    assert [decision.outcome for decision in ran.decisions] == ["accepted", "price_too_old", "accepted"]


# Both gates on the same order and the same account. All numbers are quarters, so that floats are exact.

LOT = Decimal("0.25")
HALVES = {
    "max_price_age": (10.0, 40.0),
    "max_orders_per_minute": (2.0, 4.0),
    "price_collar": (0.0625, 0.25),
    "max_order_units": (2.0, 4.0),
    "max_order_notional": (128.0, 512.0),
    "max_position_units": (4.0, 8.0),
    "max_position_notional": (256.0, 768.0),
    "max_weight": (0.25, 1.0),
    "max_gross": (512.0, 1024.0),
    "max_net": (512.0, 1024.0),
    "leverage": (0.5, 1.0),
    "max_daily_loss": (0.125, 0.25),
    "max_drawdown": (0.25, 0.5),
}


class Twins:
    """One account in floats and in exact numbers, with orders under way, and an order that is new to both."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        draw = self.draw
        self.listings = [replace(one, lot=LOT) for one in (A, B)]
        self.cash = draw.choice((256.0, 512.0, 2048.0))
        self.prices = [draw.choice((64.0, 96.0, 128.0)) for _ in self.listings]
        self.now = START_US + 40_000_000
        self.numbers: dict[str, int] = {}  # in the engine, of the orders with terms, by intent
        # Only one or two limits at a time: else the first hides the others.
        self.limits = {name: draw.choice(HALVES[name]) for name in draw.sample(list(HALVES), draw.choice((1, 1, 2)))}
        account = Account(2, self.cash)
        limits: dict[str, Any] = {"leverage": 1.0, "max_weight": 1.0, **self.limits}
        gate_ = Gate(2, allow_short=False, lot=0.25, **limits)
        self.engine = Engine(Strategy(), account, SimulatedBroker(), gate_)
        account.now = self.now
        self.books = Books(Decimal(self.cash))
        self.ages = [draw.choice((0, 10, 11, 40)) for _ in self.listings]
        self.rate = draw.randrange(4)
        for i in range(2):
            account.price[i], account.price_time[i] = self.prices[i], self.now - self.ages[i] * 1_000_000
            account.position[i] = float(draw.choice((0, 0, 1, 3, 5)))
            if account.position[i]:
                self.books.positions[i + 1] = Position(Decimal(account.position[i]), Decimal(self.prices[i]))
        self.is_target = draw.random() < 0.3
        self.is_restricted = draw.random() < 0.1
        if self.is_restricted:
            gate_.restrict(0)
        for n in range(draw.randrange(4)):
            self.add_open_order(n)
        for _ in range(self.rate):
            gate_.count_order(self.now)
        equity = account.equity
        gate_.day, gate_.day_equity = self.now // DAY_LENGTH, draw.choice((equity, equity * 1.25, equity * 2))
        gate_.equity, gate_.peak = equity, max(equity, gate_.day_equity * draw.choice((1.0, 1.5, 2.0)))

    def add_open_order(self, n: int) -> None:
        """An order under way: one for the target of the other instrument, or with terms."""
        draw, account = self.draw, self.engine.account
        i, quantity = draw.randrange(2), draw.choice((-3.0, -1.0, 1.0, 2.0))
        reserved = Decimal(quantity * self.prices[i]) if quantity > 0 else Decimal(0)
        terms, is_target = OrderTerms(), draw.random() < 0.3 and i == 1 and account.pending[1] == 0.0
        if is_target:
            account.pending[i], account.pending_reserved[i] = quantity, float(reserved)
            account.mark_busy(i)
        else:
            terms = self.terms(i)
            reserved = Decimal(0) if terms.reduce_only else reserved
            order = self.order(i, quantity, terms)
            order.state, order.reserved = WAITING if order.parent else OPEN, float(reserved)
            order.enlarges = bool(order.parent) and quantity > 0 and not terms.reduce_only
            self.numbers[f"I{n}"] = order.number
            account.mark_busy(i)
            # None is being cancelled: in a backtest a cancel is done at once, a wallet waits for its venue's word.
        side = "buy" if quantity > 0 else "sell"
        self.books.open_orders[f"I{n}"] = Order(
            f"I{n}", "D", i, i + 1, side, abs(Decimal(quantity)), START, reserved, terms, is_target
        )

    def terms(self, i: int) -> OrderTerms:
        """Terms of any kind; group 1 is `g`."""
        draw = self.draw
        away = Decimal(draw.choice((0.0, 4.0, 8.0, 32.0)))
        price = Decimal(self.prices[i])
        kind = draw.randrange(5)
        return OrderTerms(
            limit=price - away if kind in (1, 3) else None,
            stop=price + away if kind in (2, 3) else None,
            trail=away + 4 if kind == 4 else None,
            auction="open" if kind == 0 and draw.random() < 0.3 else None,
            reduce_only=draw.random() < 0.3,
            group="g" if draw.random() < 0.3 else None,
            parent_id=draw.choice(list(self.numbers)) if self.numbers and draw.random() < 0.4 else None,
        )

    def order(self, i: int, quantity: float, terms: OrderTerms) -> Any:
        """The engine's order of those terms."""
        account = self.engine.account
        limit, stop, trail = (
            NOT_GIVEN if price is None else float(price) for price in (terms.limit, terms.stop, terms.trail)
        )
        on, group = ON_OPEN if terms.auction else ANY, 1 if terms.group else 0
        parent = self.numbers.get(terms.parent_id or "", 0)
        number = account.order(
            i, quantity, limit, stop, trail, on=on, reduce_only=terms.reduce_only, group=group, parent=parent
        )
        return next(order for order in account.orders if order.number == number)

    def codes(self) -> tuple[str, str]:
        """What the engine and the exact gate say of a new order of instrument 0."""
        draw, account, gate_ = self.draw, self.engine.account, self.engine.state.gate
        quantity = draw.choice((-4.0, -2.0, -0.25, 0.25, 1.0, 2.0, 3.0, 6.0))
        terms = self.terms(0)
        request = None if self.is_target else OrderRequest(Decimal(quantity), terms)
        target = max(0.0, quantity) if self.is_target else 0.0
        decision = TradingDecision("w", "s", 0, 1, START, "bar", "x", 0, 0.0, target, "", {}, request)
        if self.is_target:
            wanted = gate_.in_lots(0, gate_.for_target(account, 0, target - account.position[0]))
            theirs = self.engine.targets.allowed(0, wanted)
        else:
            theirs = self.engine.explicit_orders.admission(self.order(0, quantity, terms))
        numbers = replace(parse_limits({}).numbers, **{name: Decimal(value) for name, value in self.limits.items()})
        restricted = ("sim:A",) if self.is_restricted else ()
        ours = gate(
            decision,
            self.listings[0],
            self.books,
            market=Market(
                {i + 1: Decimal(price) for i, price in enumerate(self.prices)},
                {i + 1: START - timedelta(seconds=age) for i, age in enumerate(self.ages)},
                recent_orders=self.rate,
                day_equity=Decimal(gate_.day_equity),
                peak=Decimal(gate_.peak),
            ),
            now=START,
            rules=Rules(
                START,
                timedelta(minutes=15),
                Decimal(0),
                limits=replace(parse_limits({}), numbers=numbers, restricted=restricted),
            ),
            seen=(),
        )
        return OUTCOMES[theirs], ours.code if isinstance(ours, Refusal) else "accepted"


@pytest.mark.parametrize(
    ("orders", "code"),
    [
        ([(1, {}), (3, {"parent": 1})], "order_notional"),
        ([(1, {}), (300, {"parent": 1, "reduce_only": True})], "reduce_only"),
        ([(1, {}), (-2, {"parent": 1})], "position_below_zero"),
        ([(2, {}), (-1, {"parent": 1}), (-2, {"parent": 1})], "position_below_zero"),  # two exits of 2 sell 3
        ([(2, {}), (-2, {"parent": 1, "group": 7}), (-2, {"parent": 1, "group": 8})], "position_below_zero"),
        (
            [
                (2, {}),
                (-2, {"parent": 1, "group": 7, "reduce_only": True}),
                (-1, {"parent": 1, "group": 7}),
                (-2, {"parent": 1}),
            ],
            "position_below_zero",
        ),
        ([(1, {}), (1, {"parent": 1}), (1, {"parent": 1})], "position_units"),  # 3 once all are filled
        ([(1, {}), (-1, {"parent": 1}), (2, {"parent": 2})], "position_units"),  # what an exit sets off is an entry
        ([(2, {}), (-2, {"parent": 1})], "accepted"),
        ([(2, {}), (-2, {"parent": 1, "group": 7}), (-2, {"parent": 1, "group": 7})], "accepted"),
        ([(2, {}), (-1, {"parent": 1, "group": 7}), (-1, {"parent": 1, "group": 8})], "accepted"),
        ([(1, {}), (1, {"parent": 1})], "accepted"),
    ],
)
def test_20_an_order_that_waits_for_another_passes_no_limit_unless_it_is_the_others_exit(
    orders: list[tuple[float, dict[str, Any]]], code: str
) -> None:
    """The last of the orders, each of which waits for one before: in the engine, and in the exact gate."""
    steps = [step(1, ORDER, quantity=quantity, limit=100, **terms) for quantity, terms in orders]
    limits = {**NONE, "max_order_notional": 200.0, "max_position_units": 2.0, "leverage": 1.0}
    ran = script(bars(FLAT), *steps, cash=900.0, limits=limits | {"allow_short": False})
    assert [decision.outcome for decision in ran.decisions] == [*["accepted"] * (len(orders) - 1), code]
    *earlier, (quantity, last) = orders
    books = Books(Decimal(900))
    for n, (units, terms) in enumerate(earlier, 1):
        side, reserved = ("buy", Decimal(100 * units)) if units > 0 else ("sell", Decimal(0))
        books.open_orders[f"I{n}"] = Order(
            f"I{n}", "D", 0, 1, side, abs(Decimal(units)), START, reserved, exact_terms(terms), is_for_target=False
        )
    request = OrderRequest(Decimal(quantity), exact_terms(last))
    written = {"max_order_notional": "200", "max_position_units": "2"}
    assert exact_code(written, request, books=books) == code


def exact_terms(of_engine: dict[str, Any]) -> OrderTerms:
    """The terms of a step at 100 or better, for the exact gate."""
    parent, group = of_engine.get("parent"), of_engine.get("group")
    return OrderTerms(
        limit=Decimal(100),
        reduce_only=of_engine.get("reduce_only", False),
        parent_id=parent and f"I{parent}",
        group=group and f"g{group}",
    )


@given(st.integers(0, 2**64))
def test_20_both_gates_say_the_same(seed: int) -> None:
    theirs, ours = Twins(seed).codes()
    assert theirs == ours


def test_20_both_gates_are_tried_with_every_code_of_the_table() -> None:
    seen = {Twins(seed).codes() for seed in range(4000)}
    assert all(theirs == ours for theirs, ours in seen)
    of_table = {limit.code for limit in LIMITS if limit.outcome is not None}
    assert of_table | {"accepted", "cash_below_zero", "reduce_only"} <= {ours for _, ours in seen}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max-order-units", "expected NAME=VALUE"),
        ("max_order_unit=1", "expected NAME=VALUE"),
        ("open-market-only=true", "expected NAME=VALUE"),
        ("max-order-units=NaN", "max_order_units: expected a number above 0"),
        ("max-order-units=0", "max_order_units: expected a number above 0"),
        ("max-order-units=-1", "max_order_units: expected a number above 0"),
        ("max-order-units=1e99", "max_order_units: expected a number above 0"),
        ("max-orders-per-minute=1.5", "max_orders_per_minute: expected a whole number above 0"),
    ],
)
def test_a_limit_that_cannot_be_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        read_limit(text)
    assert "\n" not in str(refused.value)


def test_a_limit_is_read_as_it_is_written() -> None:
    assert read_limit("max-order-notional=1000.50") == ("max_order_notional", "1000.5")
    assert read_limit("restricted=A+B") == ("restricted", ("A", "B"))
    assert parse_limits({"price_collar_percent": Decimal(5)}).numbers.price_collar == Decimal("0.05")
