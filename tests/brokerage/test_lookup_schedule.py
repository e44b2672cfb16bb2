"""Look-ups of working orders leave a venue's limit to orders."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from strades_pipelines.brokerage.lookup_schedule import LookupSchedule, lookup_interval
from tests.brokerage.conftest import PAPER, START

SECOND = timedelta(seconds=1)


class Limited:
    """What the schedule asks of a broker."""

    requests_per_minute = 200


WALLET: Any = replace(PAPER, name="w", broker="alpaca")
VENUE: Any = Limited()


@pytest.mark.parametrize(
    ("orders", "per_minute", "answered", "seconds"),
    [
        (1000, None, None, 0),  # a venue in this process
        (7, 200, None, 4.2),  # seven, each two seconds, would take 210 a minute
        (100, 200, None, 60),
        (1, 200, 0, 2),  # what the stream told may be there a moment later
        (1, 200, 3, 16),
        (1, 200, 9, 60),
        (200, 200, 0, 120),
    ],
)
def test_the_wait_between_two_look_ups(
    orders: int, per_minute: int | None, answered: int | None, seconds: float
) -> None:
    assert lookup_interval(orders, per_minute, answered) == seconds * SECOND


@pytest.mark.parametrize(("count", "least"), [(3, 90), (30, 60), (300, 0)])
def test_without_a_stream_look_ups_take_half_of_what_the_venue_allows(count: int, least: int) -> None:
    schedule = LookupSchedule(lambda broker, mode: False)
    ids = [str(n) for n in range(count)]
    schedule.take_due(WALLET, VENUE, ids, START)  # a process begins with all of them
    asked = [
        len(schedule.take_due(WALLET, VENUE, ids, START + step * 2 * SECOND)) for step in range(1, 31)
    ]  # a minute of passes
    assert least <= sum(asked) <= 100


def test_with_a_stream_an_order_is_looked_up_each_minute_and_when_it_is_told_of() -> None:
    schedule = LookupSchedule(lambda broker, mode: (broker, mode) == ("alpaca", "paper"))

    def asked(begin: int, end: int) -> int:
        steps = range(begin, end, 2)
        return sum(len(schedule.take_due(WALLET, VENUE, ["a"], START + step * SECOND)) for step in steps)

    assert asked(0, 600) <= 16
    assert asked(600, 1200) == 10
    schedule.make_due({"a"})
    assert asked(1200, 1204) == 2  # a look-up may be behind the stream
    schedule.make_due({"another"})
    assert asked(1204, 1206) == 0
    schedule.make_due({""})
    assert asked(1204, 1206) == 1


def test_orders_of_other_wallets_of_the_account_count() -> None:
    schedule = LookupSchedule(lambda broker, mode: False)
    ids = [str(n) for n in range(100)]
    for name in ("w", "v"):
        schedule.take_due(replace(WALLET, name=name), VENUE, ids, START)
    assert schedule.take_due(WALLET, VENUE, ids, START + 61 * SECOND) == set()
    assert schedule.take_due(WALLET, VENUE, ids, START + 120 * SECOND) == set(ids)
