"""Whatever a stream does to its trades, what is missing lies in a gap, and what came is in none."""

import random

from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.ingestion.streams.stream_gaps import Sequence

SECOND = 1_000_000


@given(st.randoms(use_true_random=False), st.floats(0, 0.5), st.integers(1, 6))
def test_02_every_trade_that_did_not_come_lies_in_a_gap(source: random.Random, lost: float, delay: int) -> None:
    sent = [number for number in range(100, 160) if source.random() >= lost or number in (100, 159)]
    order = sorted(sent, key=lambda n: n + source.random() * delay * (n not in (100, 159)) + 100 * (n == 159))
    numbers = Sequence()
    for n in order:
        numbers.see(n, n, n * SECOND, float(n))
        if source.random() < 0.3:
            numbers.see(n, n, n * SECOND, float(n))  # doubled
    missing = set(range(100, 160)) - set(sent)
    numbered = {n for gap in numbers.gaps for n in range(gap.first or 0, (gap.last or -1) + 1)}
    assert missing <= numbered
    assert not numbered & set(sent)
    for gap in numbers.gaps:
        assert all(
            gap.start <= n * SECOND <= gap.end for n in missing if gap.first and gap.first <= n <= (gap.last or 0)
        )


def test_a_new_connection_is_joined_by_number_or_by_time() -> None:
    numbers = Sequence(time=5 * SECOND)  # of what is stored, whose number nobody knows
    numbers.see(7, 7, 9 * SECOND, 1.0)
    [gap] = numbers.gaps
    assert (gap.start, gap.end, gap.first) == (5 * SECOND, 9 * SECOND, None)
    numbers.close([gap])
    numbers.disconnect()
    assert numbers.complete_until() == 9 * SECOND  # nobody knows what comes after that
    numbers.see(8, 8, 12 * SECOND, 2.0)
    assert numbers.gaps == []  # the very next trade: nothing was missed
    assert numbers.complete_until() is None
    numbers.disconnect()
    numbers.see(10, 10, 20 * SECOND, 3.0)
    assert [(gap.start, gap.end) for gap in numbers.gaps] == [(12 * SECOND, 20 * SECOND)]


def test_a_connection_without_a_trade_is_completed_all_the_same() -> None:
    numbers = Sequence(time=5 * SECOND)
    numbers.join_without_trade(30 * SECOND, 1.0)
    assert [(gap.start, gap.end) for gap in numbers.gaps] == [(5 * SECOND, 30 * SECOND)]
    numbers.join_without_trade(40 * SECOND, 2.0)
    assert len(numbers.gaps) == 1


def test_holes_are_found_behind_an_absurd_number_and_behind_numbers_that_begin_again() -> None:
    for other in (2**62, 3):  # of one frame among numbers from 10,000,000 on; of a venue that begins again
        numbers = Sequence()
        numbers.see(10_000_000, 10_000_000, 1 * SECOND, 1.0)
        numbers.see(other, other, 2 * SECOND, 2.0)
        assert [(gap.start, gap.end, gap.first) for gap in numbers.gaps] == [(1 * SECOND, 2 * SECOND, None)]
        after = 10_000_001 if other == 2**62 else 4
        numbers.see(after, after, 3 * SECOND, 3.0)
        numbers.close(list(numbers.gaps))
        numbers.see(after + 3, after + 3, 4 * SECOND, 4.0)
        assert [(gap.first, gap.last) for gap in numbers.gaps] == [(after + 1, after + 2)]
        numbers.disconnect()
        numbers.see(1, 1, 9 * SECOND, 5.0)  # a new connection, whose numbers begin again
        numbers.see(3, 3, 10 * SECOND, 6.0)
        assert [(gap.first, gap.last) for gap in numbers.gaps[1:]] == [(None, None), (2, 2)]


def test_a_start_whose_first_trade_comes_late_asks_for_what_lies_before_it() -> None:
    numbers = Sequence(time=5 * SECOND)  # of what is stored
    numbers.join_without_trade(30 * SECOND, 1.0)  # the subscription may have reached the venue later than that
    numbers.close(list(numbers.gaps))
    numbers.see(9, 9, 40 * SECOND, 2.0)
    assert [(gap.start, gap.end) for gap in numbers.gaps] == [(5 * SECOND, 40 * SECOND)]
    numbers.close(list(numbers.gaps))
    numbers.see(10, 10, 41 * SECOND, 3.0)
    assert numbers.gaps == []


def test_trades_without_numbers_are_asked_for_once_a_connection() -> None:
    numbers = Sequence(time=5 * SECOND)
    for second in (9, 10, 11):
        numbers.see(None, None, second * SECOND, float(second))
    assert [(gap.start, gap.end) for gap in numbers.gaps] == [(5 * SECOND, 9 * SECOND)]
