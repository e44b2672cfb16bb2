"""A wallet at a venue where everything goes wrong: no double order, every fill once, books that agree."""

import os
from collections import Counter

import pytest

from sandbox.venue.faults import Fault
from tests.brokerage.chaos import KINDS, ChaosRun, prepare
from tests.brokerage.conftest import Connection

pytestmark = pytest.mark.slow
RUNS = int(os.environ.get("STRADES_CHAOS", "200"))


def test_whatever_goes_wrong_the_books_agree_with_the_venue_in_the_end(market: Connection) -> None:
    prepare(market)
    counts: Counter[Fault] = Counter()
    for seed in range(RUNS):
        counts += ChaosRun(market, seed).run()
    print("\n" + "\n".join(f"{kind.value:20} {counts[kind]:7,}" for kind in KINDS))
    assert {kind.value: counts[kind] for kind in KINDS if counts[kind] < 20} == {}
