"""Which chains and segments go: every moment of the last seven days stays, also behind a recovery."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strades_pipelines.database.backup_chains import FULL, NAME, first_segment, superseded

NOW = datetime(2026, 3, 31, tzinfo=UTC)


def chains_of(*ages: float) -> list[list[Path]]:
    """Chains of a full backup each, which were taken so many days ago."""
    return [[Path(f"{NOW - timedelta(days=age):{NAME}}{FULL}")] for age in ages]


@pytest.mark.parametrize(
    ("ages", "switched", "gone"),
    [
        ([], None, 0),
        ([20], None, 0),
        ([14, 7.5, 0], None, 1),
        ([14, 6.9, 0], None, 0),
        ([0.3, 0.2, 0.1], None, 0),  # three full ones of one day: the week before them is not theirs to end
        ([30, 20, 10, 3], None, 2),
        ([20, 10, 3], 4, 0),  # a server took over four days ago: it may go on from a moment before the second
        ([20, 12, 10, 3], 11, 2),
    ],
)
def test_a_chain_goes_once_a_newer_one_reaches_back_a_week(
    ages: list[float], switched: float | None, gone: int
) -> None:
    found = chains_of(*ages)
    since = None if switched is None else NOW - timedelta(days=switched)
    assert list(superseded(found, now=NOW, switched=since)) == found[:gone]


def test_segments_stay_from_the_lowest_number_that_any_chain_needs(tmp_path: Path) -> None:
    """A new timeline begins at lower numbers than the one it left had come to."""
    found = []
    for name, segment in (("a", "000000010000000000000009"), ("b", "000000020000000000000005")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "backup_label").write_text(f"START WAL LOCATION: 0/5000028 (file {segment})\n")
        found.append([tmp_path / name])
    assert first_segment(found) == "000000020000000000000005"
