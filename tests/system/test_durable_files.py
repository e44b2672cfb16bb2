"""A file is written whole or not at all."""

import os
from pathlib import Path

import pytest

from strades_pipelines.system.durable_files import flush_folder, write_whole


def test_a_file_has_its_new_content_and_is_readable_by_all(tmp_path: Path) -> None:
    file = tmp_path / "sheet.html"
    file.write_bytes(b"old")
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["sheet.html"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    """A folder in the file's place cannot be replaced by a file."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "old").touch()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"new")
    assert os.listdir(tmp_path) == ["taken"]
    assert (tmp_path / "taken" / "old").exists()


def test_only_what_is_there_can_be_flushed(tmp_path: Path) -> None:
    flush_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush_folder(tmp_path / "gone")
