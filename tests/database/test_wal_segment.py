"""What PostgreSQL runs for each segment: it copies it once, and by its exit code says what became of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strades_pipelines.database import wal_segment


def archive_command(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", wal_segment.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_segment_is_archived_once_and_never_overwritten(tmp_path: Path) -> None:
    segment, folder = tmp_path / "000000010000000000000001", tmp_path / "wal"
    folder.mkdir()
    (folder / f"{segment.name}.gz.part").write_text("left by a kill")
    segment.write_bytes(b"first" * 1000)
    assert archive_command("archive", segment, folder).returncode == 0
    assert archive_command("archive", segment, folder).returncode == 0  # offered again after a crash
    segment.write_bytes(b"other" * 1000)
    refused = archive_command("archive", segment, folder)
    assert refused.returncode == 1
    assert "another segment of that name is archived" in refused.stderr
    assert archive_command("restore", segment.name, tmp_path / "back", folder).returncode == 0
    assert (tmp_path / "back").read_bytes() == b"first" * 1000
    assert archive_command("restore", "000000010000000000000002", tmp_path / "none", folder).returncode == 1
    assert [path.name for path in folder.iterdir()] == [f"{segment.name}.gz"]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda packed: packed[:60],
    "no gzip": lambda packed: b"x" * 99,
    "other bytes": lambda packed: packed[:30] + bytes(20) + packed[50:],
    "another checksum": lambda packed: packed[:-8] + b"abcd" + packed[-4:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_segment_is_not_the_end_of_the_archive(tmp_path: Path, damage: str) -> None:
    segment, folder = tmp_path / "000000010000000000000001", tmp_path / "wal"
    folder.mkdir()
    segment.write_bytes(bytes(range(256)) * 1000)
    assert archive_command("archive", segment, folder).returncode == 0
    copy = folder / f"{segment.name}.gz"
    copy.write_bytes(DAMAGE[damage](copy.read_bytes()))
    restored = archive_command("restore", segment.name, tmp_path / "back", folder)
    assert restored.returncode == wal_segment.FATAL, restored.stderr
    assert restored.stderr.startswith("wal_segment: ")


def test_an_archive_that_is_gone_has_no_end_and_is_tried_again(tmp_path: Path) -> None:
    segment = tmp_path / "000000010000000000000001"
    segment.write_bytes(b"first")
    gone = tmp_path / "not mounted"
    assert archive_command("restore", segment.name, tmp_path / "back", gone).returncode == wal_segment.FATAL
    assert archive_command("archive", segment, gone).returncode == 1  # above 125 the archiver would end, uncounted
