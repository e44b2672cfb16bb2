"""A wallet at a venue where everything goes wrong: no double order, every fill once, books that agree."""

import os
import time
from collections import Counter

import pytest

from sandbox.venue.faults import Fault
from tests.brokerage.at_venue import AtAlpaca, AtGate
from tests.brokerage.chaos import KINDS, ChaosRun, open_books
from tests.brokerage.conftest import Connection

pytestmark = pytest.mark.slow
RUNS = int(os.environ.get("STRADES_CHAOS", "200"))
REPORTED = 100  # runs, after which the faults so far are told
FIRST = int(os.environ.get("STRADES_CHAOS_FIRST", "0"))  # seed, so that many runs can be made a part at a time


@pytest.mark.parametrize(("venue", "runs"), [(AtAlpaca, RUNS), (AtGate, (RUNS + 1) // 2)])
def test_whatever_goes_wrong_the_books_agree_with_the_venue_in_the_end(
    venue: type[AtAlpaca] | type[AtGate], runs: int, market: Connection, database_url: str
) -> None:
    counts: Counter[Fault] = Counter()
    with open_books(market, database_url, venue.listing_id) as books:
        for seed in range(FIRST, FIRST + runs):
            counts += ChaosRun(books, seed, venue).run()
            if (seed + 1 - FIRST) % REPORTED == 0 or seed + 1 == FIRST + runs:
                told = ", ".join(f"{kind.value} {counts[kind]:,}" for kind in KINDS)
                print(f"\n{venue.__name__}, seeds {FIRST} to {seed}, {time.process_time():,.0f} s: {told}", flush=True)
    if venue is AtAlpaca:  # Gate.io fills in its answer, so that few orders are asked about at all
        assert {kind.value: counts[kind] for kind in KINDS if counts[kind] < 20} == {}
