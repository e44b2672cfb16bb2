"""Sizes of the parts, and the findings about a disk that fills up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.database.sizes import (
    Disk,
    daily_growth,
    disk_findings,
    folder_size,
    full_at,
    read_disk,
    read_history,
    read_sizes,
    write_sizes,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GB = 10**9


def nights(*sizes: int) -> list[tuple[datetime, int]]:
    """A size a night, the last now."""
    return [(NOW - (len(sizes) - 1 - n) * DAY, size) for n, size in enumerate(sizes)]


def test_a_disk_with_room_gives_no_finding() -> None:
    assert disk_findings(Disk(100 * GB, 21 * GB), None, now=NOW) == []
    assert disk_findings(Disk(100 * GB, 21 * GB), 1 * GB, now=NOW) == []
    assert disk_findings(Disk(100 * GB, 21 * GB), -5 * GB, now=NOW) == []


def test_a_disk_that_is_four_fifths_full_is_reported_and_the_day_it_will_be_full() -> None:
    (full,) = disk_findings(Disk(100 * GB, 20 * GB), None, now=NOW)
    assert "80% full, 20.0 GB are free" in full
    (soon,) = disk_findings(Disk(100 * GB, 30 * GB), 3 * GB, now=NOW)
    assert "will be full around 2026-11-30: 30.0 GB are free and 3.00 GB come a day" in soon
    assert len(disk_findings(Disk(100 * GB, 0), 3 * GB, now=NOW)) == 2


@given(start=st.integers(0, 10**13), rate=st.integers(-(10**10), 10**10), days=st.integers(2, 30))
def test_linear_growth_is_extrapolated(start: int, rate: int, days: int) -> None:
    history = nights(*(start + rate * day for day in range(days + 1)))
    assert daily_growth(history) == pytest.approx(rate, abs=1e-3 * abs(rate) + 1)
    assert daily_growth(history[:2]) is None
    full = full_at(Disk(10**13, 10**12), daily_growth(history), now=NOW)
    assert (full is None) == (rate <= 0 or 10**12 / rate > 3650)
    if full is not None:
        assert (full - NOW) / DAY == pytest.approx(10**12 / rate, rel=1e-2)


def test_too_short_a_history_has_no_growth() -> None:
    assert daily_growth([]) is None
    assert daily_growth([(NOW, 1), (NOW, 2)]) is None


def test_sizes_are_those_of_the_parts_and_the_history_counts_each_once(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("INSERT INTO ops.sizes VALUES ('world', %s, 1)", [NOW - 500 * DAY])
    sizes = read_sizes(connection)
    assert 0 < sizes["bodies"] < sizes["world"]
    for night, world in ((NOW - DAY, 5), (NOW, 7)):
        write_sizes(connection, {**dict.fromkeys(sizes, 1), "world": world, "bodies": 4}, now=night)
    others = len(sizes) - 2
    assert read_history(connection, now=NOW) == [(NOW - DAY, 5 + others), (NOW, 7 + others)]
    assert connection.execute("SELECT min(recorded_at) FROM ops.sizes").fetchone() == (NOW - DAY,)


def test_a_folder_is_the_sum_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(bytes(300))
    (tmp_path / "b").write_bytes(bytes(50))
    assert folder_size(tmp_path) == 350
    assert folder_size(tmp_path / "gone") == 0


def test_the_disk_is_that_of_the_home_even_before_it_is_there() -> None:
    disk = read_disk()
    assert 0 < disk.free <= disk.total
    assert 0 <= disk.used_share < 1
