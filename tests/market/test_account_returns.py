import cProfile
import pstats
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq  # type: ignore[import-untyped]

from strades_pipelines.market import account_returns
from strades_pipelines.market.account_returns import TimeWeighted, link, money_weighted

START = datetime(2008, 1, 1, tzinfo=UTC)
D = Decimal


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_time_weighted_is_blind_to_what_flowed() -> None:
    """100 grow by 10 %, 890 come in, all falls by 5 %: 1.1 * 0.95 - 1 = 4.5 %, though money was lost."""
    measured = TimeWeighted(D(100))
    measured.cut(D(110), D(890))
    assert measured.result(D(950)) == pytest.approx(0.045)


def test_a_withdrawal_is_a_flow_out() -> None:
    measured = TimeWeighted(D(100))
    measured.cut(D(120), D(-60))
    assert measured.result(D(90)) == pytest.approx(1.2 * 1.5 - 1)


def test_what_begins_with_nothing_has_a_return_from_its_first_flow_on() -> None:
    measured = TimeWeighted(D(0))
    assert measured.result(D(0)) == 0
    measured.cut(D(0), D(1000))
    assert measured.result(D(1010)) == pytest.approx(0.01)


def test_no_return_is_told_of_what_grew_out_of_nothing_or_out_of_a_debt() -> None:
    measured = TimeWeighted(D(0))
    assert measured.result(D(5)) is None
    measured.cut(D(5), D(5))
    assert measured.result(D(20)) is None
    assert TimeWeighted(D(-5)).result(D(5)) is None


def test_a_total_loss_is_minus_one() -> None:
    assert TimeWeighted(D(5)).result(D(0)) == -1


def test_returns_are_linked() -> None:
    assert link([0.1, -0.05]) == pytest.approx(0.045)
    assert link([0.1, None]) is None
    assert link([]) == 0


def test_xirr_of_the_example_in_microsofts_documentation() -> None:
    """The example of Excel's XIRR: -10,000 on 2008-01-01, then 2,750, 4,250, 3,250, 2,750: 37.34 %.

    To the account, what its owner pays is a flow in; the last payment is its value.
    """
    flows = [
        (at(2008, 1, 1), D(10_000)),
        (at(2008, 3, 1), D(-2_750)),
        (at(2008, 10, 30), D(-4_250)),
        (at(2009, 2, 15), D(-3_250)),
    ]
    assert money_weighted(flows, D(2_750), at(2009, 4, 1)) == pytest.approx(0.373362535, abs=1e-8)


def test_one_flow_grows_by_its_rate() -> None:
    assert money_weighted([(START, D(100))], D(121), START + timedelta(days=730)) == pytest.approx(0.1)
    assert money_weighted([(START, D(100))], D(50), START + timedelta(days=365)) == pytest.approx(-0.5)


def test_what_no_rate_or_several_rates_explain_is_undefined() -> None:
    year = timedelta(days=365)
    assert money_weighted([], D(100), START) is None
    assert money_weighted([(START, D(100))], D(100), START) is None  # no time has passed
    assert money_weighted([(START, D(100))], D(0), START + year) is None  # all was lost
    # -1 + 5x - 6x^2 = 0 has the roots x = 1/2 and 1/3: rates of 100 % and 200 % a year fit alike.
    flows = [(START, D(1)), (START + year, D(-5))]
    assert money_weighted(flows, D(-6), START + 2 * year) is None


@pytest.mark.parametrize(
    ("flows", "value", "rate"),
    [
        # 1,000 (x - 1.1)(x - 1.105)(x - 1.5) = 1,000 x^3 - 3,705 x^2 + 4,523 x - 1,823.25: 10 %, 10.5 % and 50 %.
        (("1000", "-3705", "4523"), "1823.25", None),
        # 1,000 (x - 1.05)(x - 1.06)(x - 1.3): 5 %, 6 % and 30 %.
        (("1000", "-3410", "3856"), "1446.9", None),
        # 1,000 (x - 1.1)(x - 1.105)(x - 1.13): the third is a step of the grid away.
        (("1000", "-3335", "3707.15"), "1373.515", None),
        # The negative of the first: the curve turns below zero in place of above it.
        (("-1000", "3705", "-4523"), "-1823.25", None),
        # 1,000 ((x - 1.1)^2 + 0.0001)(x - 1.5): it turns at 10 % without coming to zero, so that 50 % is the only one.
        (("1000", "-3700", "4510.1"), "1815.15", 0.5),
    ],
)
def test_rates_that_are_close_together_are_told_apart(flows: tuple[str, ...], value: str, rate: float | None) -> None:
    """Flows of three years, of which the value is what is left: a cubic in x = 1 + rate."""
    timed = [(START + n * timedelta(days=365), D(amount)) for n, amount in enumerate(flows)]
    found = money_weighted(timed, D(value), START + timedelta(days=3 * 365))
    assert found == (None if rate is None else pytest.approx(rate, abs=1e-9))


amounts = st.lists(st.integers(1, 10_000), min_size=1, max_size=8)


@given(amounts, st.integers(1, 100_000))
def test_the_rate_is_that_of_scipys_root_finder(deposits: list[int], value: int) -> None:
    flows = [(START + timedelta(days=90 * n), D(amount)) for n, amount in enumerate(deposits)]
    end = START + timedelta(days=90 * len(deposits))
    years = [(end - time).days / 365 for time, _ in flows]

    def excess(rate: float) -> float:
        return float(sum(amount * (1 + rate) ** t for t, amount in zip(years, deposits, strict=True)) - value)

    found = money_weighted(flows, D(value), end)
    if excess(-1 + 1e-8) > 0 or excess(1e8) < 0:
        return
    assert found == pytest.approx(brentq(excess, -1 + 1e-8, 1e8, rtol=1e-12), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("is_mixed", "most"), [(False, 70), (True, 2_070)])
def test_the_work_is_bounded_however_many_flows_there_are(is_mixed: bool, most: int) -> None:
    """1,800 flows, of which every third may go out: the sum over all of them is worked out so many times."""
    signs = [-1 if is_mixed and n % 3 == 2 else 1 for n in range(1_800)]
    flows = [(START + timedelta(hours=6 * n), D(sign * (100 + n % 7))) for n, sign in enumerate(signs)]
    end, value = START + timedelta(hours=6 * 1_800), 75_000 if is_mixed else 210_000
    years = [(end - time).total_seconds() / 31_536_000 for time, _ in flows]

    def excess(rate: float) -> float:
        grown = (float(amount) * (1 + rate) ** t for t, (_, amount) in zip(years, flows, strict=True))
        return float(sum(grown)) - value

    with cProfile.Profile() as profile:
        found = money_weighted(flows, D(value), end)
    code = account_returns._excess.__code__
    calls = pstats.Stats(profile).stats[code.co_filename, code.co_firstlineno, code.co_name][1]  # type: ignore[attr-defined]
    assert found == pytest.approx(brentq(excess, -0.9, 10, xtol=1e-14, rtol=1e-14), abs=1e-9)
    assert 0 < calls <= most
