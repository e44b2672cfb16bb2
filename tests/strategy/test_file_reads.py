"""Which files a block reads: data wherever it lies, and nothing of the system or the installation."""

import os
import sys
import threading
from pathlib import Path

import pytest

from strades_pipelines.strategy.file_reads import files_read


@pytest.mark.parametrize(
    "name", ["/data/bars.csv", "/dev/shm/bars.csv", "/usrdata/bars.csv", f"{sys.prefix}-data/bars.csv"]
)
def test_data_is_told_wherever_it_lies(name: str) -> None:
    with files_read() as read, pytest.raises(FileNotFoundError):
        Path(name).read_bytes()
    assert read == {name}


@pytest.mark.parametrize("name", ["/dev/null", os.__file__, f"{sys.prefix}/pyvenv.cfg"])
def test_the_system_and_the_installation_are_no_data(name: str) -> None:
    with files_read() as read:
        Path(name).read_bytes()
    assert read == set()


def test_a_folder_that_is_ignored_and_what_is_written_are_not_told(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "kept.bin"
    with files_read(ignored=kept.parent) as read:
        kept.parent.mkdir()
        kept.write_bytes(b"1")
        kept.read_bytes()
        (tmp_path / "written.csv").write_text("1")
    assert read == set()


def test_a_thread_that_ran_before_is_not_heard_and_one_that_begins_is(tmp_path: Path) -> None:
    before, during = tmp_path / "before.txt", tmp_path / "during.txt"
    for file in (before, during):
        file.write_text("x")
    go = threading.Event()

    def read_later() -> None:
        go.wait()
        before.read_text()

    running = threading.Thread(target=read_later)
    running.start()
    with files_read() as found:
        go.set()
        beginning = threading.Thread(target=during.read_text)
        beginning.start()
        for thread in (running, beginning):
            thread.join()
    assert found == {str(during)}
