"""The folder of code of others: it is removed however deep it is, and what is too much in it is told."""

import os
from pathlib import Path

import pytest

from strades_pipelines.sharing import work_folder as module
from strades_pipelines.sharing.work_folder import find_excess, remove_folder, work_folder


def nest(folder: Path, name: str, levels: int) -> None:
    """Folders in each other, without leaving the folder of the test for good."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_it_is_removed_however_deep_and_whatever_its_modes_are(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    with work_folder() as folder:
        nest(folder, "d", 1500)
        nest(folder, "e" * 200, 60)
        (folder / "d" / "link").symlink_to(outside)
        (folder / "shut" / "below").mkdir(parents=True)
        (folder / "shut" / "below" / "file").write_text("x")
        (folder / "shut" / "below").chmod(0o000)
        (folder / "shut").chmod(0o300)
    assert not folder.exists()
    assert (outside / "kept").read_text() == "x"


def test_what_is_too_much_or_hidden_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(bytes(10_000))
    assert find_excess(tmp_path) is None
    monkeypatch.setattr(module, "MOST_BYTES", 9_000)
    assert "files of at most 0 MiB together" in str(find_excess(tmp_path))
    monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    monkeypatch.setattr(module, "MOST_ENTRIES", 1)
    assert "at most 1 files and folders" in str(find_excess(tmp_path))
    monkeypatch.undo()
    nest(tmp_path, "n" * 200, 30)
    assert find_excess(tmp_path) == "expected folders that can be read, it makes others"
    for name in ("a", "n" * 200):
        remove_folder(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
