"""What a session opened with, what flowed, was earned, and by whom: figures of arithmetic, and laws for any lines."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ledger_chain import Entry, entries
from strades_pipelines.market.session_history import (
    AccountState,
    Owner,
    Period,
    Quotes,
    SessionAccount,
    Step,
    account_session,
)

D = Decimal
START = datetime(2024, 1, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALGORITHM, PERSON = Owner("sma_cross", "algorithm"), Owner("person", "statement")
COIN = 1


def session(n: int = 0) -> Period:
    return Period((START + n * DAY).date(), START + n * DAY, START + (n + 1) * DAY)


def fill(hour: float, side: str, quantity: str, price: str, fee: str = "0", **more: Any) -> list[Step]:
    at = START + hour * HOUR
    owner = more.pop("owner", ALGORITHM)
    made = Fill(0, COIN, f"F{hour}", "I", side, D(quantity), D(price), D(fee), "USDT", at, at, **more)
    paid, charged = entries(made)
    return [Step(paid, made, owner), Step(charged)]


def cash(hour: float, kind: str, amount: str, currency: str = "USDT") -> list[Step]:
    return [Step(Entry(kind, f"{kind}{hour}", START + hour * HOUR, currency, D(amount)))]


def quotes(prices: dict[float, str], **rates: str) -> dict[datetime, Quotes]:
    known = {"USDT": D(1), **{currency: D(rate) for currency, rate in rates.items()}}
    return {START + hour * HOUR: Quotes({COIN: D(price)}, known) for hour, price in prices.items()}


def account(
    steps: list[Step], at: dict[datetime, Quotes], state: AccountState | None = None, opening: str = "0", n: int = 0
) -> SessionAccount:
    return account_session(state or AccountState(), D(opening), steps, at, session(n), session(n).ends_at)


def test_a_session_of_a_purchase_a_sale_and_a_dividend() -> None:
    steps = [
        *cash(0, "deposit", "1000"),
        *fill(1, "buy", "4", "100", "0.4"),
        *fill(2, "sell", "1", "120", "0.12"),
        *cash(3, "dividend", "5"),
    ]
    done = account(steps, quotes({0: "100", 3: "110", 24: "110"}))
    assert (done.opening, done.flows, done.income) == (D(0), D(1000), D(5))
    # 119.88 less a quarter of 400.4; 330 less the rest of it.
    assert (done.realised, done.unrealised) == (D("19.78"), D("29.7"))
    assert done.fees == D("0.52")
    # 1000 - 400.4 + 119.88 + 5 + 330
    assert (done.closing, done.revaluation) == (D("1054.48"), D(0))
    assert done.time_weighted == pytest.approx(0.05448)


def test_the_return_is_cut_at_the_flow_with_the_value_then() -> None:
    """1,000 in 10 units at 100 are 1,500 when 500 come in; 10 at 120 and 500 are 1,700 of 2,000: 1.5 * 0.85 - 1."""
    steps = [*cash(0, "deposit", "1000"), *fill(1, "buy", "10", "100"), *cash(2, "deposit", "500")]
    done = account(steps, quotes({0: "100", 2: "150", 24: "120"}))
    assert done.time_weighted == pytest.approx(0.275)
    assert done.closing == 1700


def test_a_session_goes_on_from_the_stored_state_of_the_one_before() -> None:
    first = account([*cash(0, "deposit", "1000"), *fill(1, "buy", "4", "100")], quotes({0: "100", 24: "110"}))
    state = AccountState.from_json(first.state)
    second = account(fill(30, "sell", "4", "115"), quotes({48: "90"}), state, str(first.closing), n=1)
    assert (second.opening, second.realised, second.unrealised, second.closing) == (D(1040), D(60), D(0), D(1060))
    assert second.revaluation == 0
    assert second.time_weighted == pytest.approx(1060 / 1040 - 1)
    assert [row.pnl for row in second.attribution] == [20]
    assert second.state["positions"] == second.state["shares"] == []


def test_each_owner_earned_what_its_own_fills_did_though_they_share_a_position() -> None:
    """A person buys 2 at 100, the strategy 1 at 110 and sells all 3 at 120: it is short 2 of its own, at 130.

    The person: 2 * 130 - 200 = 60. The strategy: 360 - 110 - 2 * 130 = -10. Together 50 = 360 - 200 - 110.
    """
    steps = [
        *cash(0, "deposit", "1000"),
        *fill(1, "buy", "2", "100", owner=PERSON),
        *fill(2, "buy", "1", "110"),
        *fill(3, "sell", "3", "120"),
    ]
    done = account(steps, quotes({0: "100", 24: "130"}))
    assert {row.owner: (row.units, row.pnl) for row in done.attribution} == {
        PERSON: (D(2), D(60)),
        ALGORITHM: (D(-2), D(-10)),
    }
    assert done.realised == 50
    # The price of tomorrow moves both, and nothing together.
    state = AccountState.from_json(done.state)
    after = account([], quotes({48: "140"}), state, str(done.closing), n=1)
    assert {row.owner: row.pnl for row in after.attribution} == {PERSON: 20, ALGORITHM: -20}


def test_what_a_rate_of_exchange_changed_is_told_apart() -> None:
    steps = [*cash(0, "deposit", "1000"), *cash(1, "deposit", "100", "EUR")]
    at = quotes({0: "1"}, EUR="1.1") | quotes({1: "1"}, EUR="1.1") | quotes({24: "1"}, EUR="1.2")
    done = account(steps, at)
    assert (done.flows, done.closing, done.revaluation) == (D(1110), D(1120), D(10))
    assert done.unvalued == []


def test_a_currency_without_a_rate_is_named_and_in_no_amount() -> None:
    steps = [*cash(0, "deposit", "1000"), *cash(1, "deposit", "100", "GT"), *cash(2, "dividend", "7", "EUR")]
    done = account(steps, quotes({0: "1", 1: "1", 2: "1", 24: "1"}))
    assert (done.flows, done.income, done.closing, done.unvalued) == (D(1000), D(0), D(1000), ["EUR", "GT"])
    assert done.time_weighted == 0


def test_a_fee_in_a_third_currency_costs_what_it_was_worth() -> None:
    steps = [
        *cash(0, "deposit", "1000"),
        *cash(0, "deposit", "10", "GT"),
        *fill(1, "buy", "1", "100", "2", fee_currency="GT", fee_value=D(8)),
    ]
    done = account(steps, quotes({0: "100", 24: "100"}, GT="4"))
    # 900 + 8 GT at 4 + 100; nothing but the fee was lost.
    assert (done.closing, done.unrealised, done.fees, done.revaluation) == (D(1032), D(-8), D(8), D(0))


def test_a_position_without_a_price_counts_at_its_cost() -> None:
    steps = [*cash(0, "deposit", "1000"), *fill(1, "buy", "3", "100", "1")]
    at = {time: Quotes({}, {"USDT": D(1)}) for time in (START, START + DAY)}
    done = account(steps, at)
    assert float(done.unrealised) == pytest.approx(0, abs=1e-9)
    assert float(done.closing) == pytest.approx(1000)


amounts = st.decimals("0.01", "100", places=2)
trades = st.tuples(
    st.sampled_from(["buy", "sell"]), amounts, amounts, st.decimals("0", "1", places=3),
    st.sampled_from([ALGORITHM, PERSON]), st.booleans(),
)  # fmt: skip
flows = st.tuples(st.sampled_from(["deposit", "withdrawal", "dividend", "interest", "charge"]), amounts)


@given(st.lists(trades | flows, max_size=15), st.lists(amounts, min_size=2, max_size=2))
def test_the_identity_holds_and_owners_add_up_for_any_lines_and_in_two_sessions_as_in_one(
    made: list[Any], closes: list[Decimal]
) -> None:
    steps: list[Step] = []
    for n, one in enumerate(made):
        hour = n * 3  # the ninth and later ones are of the second day
        if len(one) == 2:
            kind, amount = one
            steps += cash(hour, kind, str(-amount if kind in ("withdrawal", "charge") else amount))
        else:
            side, quantity, price, fee, owner, in_units = one
            more = {"fee_currency": "COIN", "fee_in_units": True} if in_units else {}
            steps += fill(hour, side, str(quantity), str(price), str(fee), owner=owner, **more)
    prices = {float(hour): str(closes[hour // 24 % 2]) for hour in range(48)}
    at = quotes(prices) | quotes({24: str(closes[0]), 48: str(closes[1])})
    state, opening, total = AccountState(), D(0), D(0)
    for n in range(2):
        own = [step for step in steps if session(n).starts_at <= step.entry.occurred_at < session(n).ends_at]
        done = account(own, at, state, str(opening), n)
        assert done.revaluation == 0
        made_by_owners = sum((row.pnl for row in done.attribution), D(0))
        assert made_by_owners == done.closing - opening - done.flows - done.income
        total += made_by_owners
        state, opening = AccountState.from_json(done.state), done.closing
    held = sum((step.fill.units for step in steps if step.fill), D(0))
    moved = sum((step.entry.amount for step in steps if step.entry.kind != "unit_fee"), D(0))
    assert opening == moved + held * closes[1]
