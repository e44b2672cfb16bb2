"""Fees and fills as they are written on a command line."""

import pickle
from typing import Any

import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.simulated_broker import NEXT_OPEN, SAME_CLOSE, SimulatedBroker
from strades_pipelines.simulation.trading_costs import parse_fee, parse_fills

# Of 300 units at 50, as whoever takes or (True) waits: worked out by hand.
FEES = [
    ("none", False, 0.0),
    ("percent:0.1", False, 15.0),
    ("per-share:0.005", False, 1.5),
    ("per-share:0.005,min=4", False, 4.0),
    ("per-share:1,min=4,max-percent=0.5", False, 75.0),
    ("maker-taker:0.02,0.05", False, 7.5),
    ("maker-taker:0.02,0.05", True, 3.0),
    ("maker-taker:-0.01,0.05", True, -1.5),
    ("tiered:0=0.1,100000=0.08", False, 15.0),
    ("per-contract:2.5", False, 750.0),
]


@pytest.mark.parametrize(("spec", "maker", "fee"), FEES)
def test_a_fee_is_what_its_spec_says(spec: str, maker: bool, fee: float) -> None:
    make = pickle.loads(pickle.dumps(parse_fee(spec)))
    assert make().of(300.0, 50.0, maker) == pytest.approx(fee, abs=1e-9)


def test_a_tier_holds_from_its_notional_on_and_each_run_starts_anew() -> None:
    make = parse_fee("tiered:0=0.1,20000=0.05")
    fee = make()
    assert [fee.of(300.0, 50.0, False) for _ in range(3)] == [15.0, 15.0, 7.5]
    assert make().of(300.0, 50.0, False) == 15.0


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("", "expected one of none, percent:RATE"),
        ("bogus:1", "expected one of none, percent:RATE"),
        ("percent", "the rate is missing"),
        ("percent:x", "rate: a number of 0 or more is expected, not 'x'"),
        ("percent:nan", "not 'nan'"),
        ("percent:-1", "not '-1'"),
        ("percent:0.1,0.2", "'0.2' is not understood"),
        ("per-share:0.005,mni=1", "'mni=1' is not understood, which takes min, max-percent"),
        ("per-share:0.005,min=1,min=2", "min is given twice"),
        ("per-share:min=1", "the amount a share is missing"),
        ("maker-taker:0.02", "the taker's rate is missing"),
        ("tiered:5=0.1", "rising floors from 0"),
        ("tiered:0=0.1,0", "rate: a number of 0 or more is expected, not ''"),
        ("none:1", "'1' is not understood"),
    ],
)
def test_a_bad_fee_is_refused_with_what_there_is(spec: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        parse_fee(spec)
    assert "\n" not in str(refused.value)
    assert "per-contract:AMOUNT" in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        ("next-open", {"fill": NEXT_OPEN}),
        ("same-close", {"fill": SAME_CLOSE}),
        ("spread=0.02", {"fill": NEXT_OPEN, "spread": 0.0002}),
        (
            "same-close,participation=0.1,slippage=0.05,amount=0.01,impact=0.1,latency=1.5s,path=best",
            {
                "fill": SAME_CLOSE,
                "participation": 0.1,
                "slippage": 0.0005,
                "slippage_amount": 0.01,
                "impact": 0.1,
                "latency": 1_500_000,
                "best_path": True,
            },
        ),
        ("next-open,latency=250ms,path=worst", {"fill": NEXT_OPEN, "latency": 250_000, "best_path": False}),
    ],
)
def test_fills_are_what_their_spec_says(spec: str, arguments: dict[str, Any]) -> None:
    assert parse_fills(spec) == arguments
    SimulatedBroker(**arguments)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("", "'' is neither next-open nor same-close"),
        ("later", "'later' is neither"),
        ("next-open,participation=2", "participation: a number from 0 to 1 is expected, not '2'"),
        ("next-open,participation=0", "participation: a number above 0"),
        ("next-open,latency=5", "latency: a number and one of us, ms, s, m, h, d is expected, not '5'"),
        ("next-open,latency=soon", "latency"),
        ("next-open,path=middle", "path: worst or best is expected"),
        ("next-open,spread=1,spread=2", "spread is given twice"),
        ("next-open,sprad=1", "'sprad=1' is not understood"),
    ],
)
def test_bad_fills_are_refused_with_what_there_is(spec: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        parse_fills(spec)
    assert "latency=DURATION" in str(refused.value)
