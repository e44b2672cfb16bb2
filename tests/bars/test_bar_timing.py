"""Longer bars from shorter ones: where they begin, and when they are known."""

from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_timing import DAY, Timing

MINUTE = 60_000_000
FILE = Path("bars.csv")


def minutes(*numbers: int) -> Timing:
    """Bars of a minute that open at these minutes since 1970."""
    opens = np.array(numbers, np.int64) * MINUTE
    return Timing(opens, opens + MINUTE, opens // DAY)


def test_without_a_calendar_five_minutes_begin_at_whole_fives() -> None:
    first, longer = minutes(3, 4, 5, 6, 9, 11).grouped(FILE, MINUTE, 5 * MINUTE)
    assert first.tolist() == [0, 2, 5]
    assert (longer.opens // MINUTE).tolist() == [0, 5, 10]
    assert (longer.closes // MINUTE).tolist() == [5, 10, 15]


@pytest.mark.parametrize("length", [MINUTE // 2, 90_000_000])
def test_a_length_that_is_no_whole_number_of_bars_is_refused(length: int) -> None:
    with pytest.raises(BadInput, match="expected a whole number of its bars, of 60 s"):
        minutes(0, 1).grouped(FILE, MINUTE, length)
