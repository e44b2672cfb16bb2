"""A wallet at a venue where everything goes wrong: no double order, every fill once, books that agree."""

import os
from collections import Counter

import pytest

from sandbox.venue.faults import Fault
from tests.brokerage.at_venue import AtAlpaca, AtGate
from tests.brokerage.chaos import KINDS, ChaosRun, prepare
from tests.brokerage.conftest import Connection

pytestmark = pytest.mark.slow
RUNS = int(os.environ.get("STRADES_CHAOS", "200"))
FIRST = int(os.environ.get("STRADES_CHAOS_FIRST", "0"))  # seed, so that many runs can be made a part at a time


@pytest.mark.parametrize(("venue", "runs"), [(AtAlpaca, RUNS), (AtGate, (RUNS + 1) // 2)])
def test_whatever_goes_wrong_the_books_agree_with_the_venue_in_the_end(
    venue: type[AtAlpaca] | type[AtGate], runs: int, market: Connection
) -> None:
    prepare(market, venue.listing_id)
    counts: Counter[Fault] = Counter()
    for seed in range(FIRST, FIRST + runs):
        counts += ChaosRun(market, seed, venue).run()
    print("\n" + "\n".join(f"{kind.value:20} {counts[kind]:7,}" for kind in KINDS))
    if venue is AtAlpaca:  # Gate.io fills in its answer, so that few orders are asked about at all
        assert {kind.value: counts[kind] for kind in KINDS if counts[kind] < 20} == {}
