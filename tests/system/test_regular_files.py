"""What a user names as a file is a file: devices, FIFOs, folders and endless files are refused at once."""

import os
import socket
import sys
from pathlib import Path

import pytest

from strades_pipelines import cli
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.files import user_files
from strades_pipelines.settings import settings
from strades_pipelines.system.regular_files import NotARegularFile, check_output, open_regular, read_regular

MOST = 1000


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A FIFO nobody writes to: whoever opens it waits."""
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(MOST))
    assert read_regular(path, most_bytes=MOST) == bytes(MOST)
    with open_regular(path, most_bytes=MOST) as file:
        assert file.read(3) == bytes(3)


def test_what_is_no_file_is_named(tmp_path: Path, fifo: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path, found in ((fifo, "a FIFO"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder"), (link, "a device")):
        with pytest.raises(NotARegularFile) as refused:
            read_regular(path, most_bytes=MOST)
        assert str(refused.value) == f"{path}: expected a regular file, was {found}"


def test_a_larger_file_is_refused_unread_and_one_that_says_nothing_of_its_size_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: no machine reads it within this test
    with pytest.raises(NotARegularFile, match="more than 1000 bytes"):
        read_regular(path, most_bytes=MOST)
    if sys.platform == "linux":
        with pytest.raises(NotARegularFile, match="more than 10 bytes"):
            read_regular(Path("/proc/self/status"), most_bytes=10)


def test_a_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "gone", most_bytes=MOST)


def test_no_descriptor_stays_open(fifo: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(NotARegularFile):
            read_regular(fifo, most_bytes=MOST)
    assert len(os.listdir("/dev/fd")) == before


def test_an_output_is_a_new_or_a_regular_file(tmp_path: Path, fifo: Path) -> None:
    check_output(tmp_path / "new")
    (tmp_path / "old").touch()
    check_output(tmp_path / "old")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # a socket's path has at most 104 letters
        server.bind("socket")
        for path in (fifo, Path("/dev/null"), tmp_path / "socket", tmp_path):
            with pytest.raises(NotARegularFile):
                check_output(path)


COMMANDS = {
    "parse": ["parse", "yahoo_chart", "FILE"],
    "sources": ["sources", "check", "FILE"],
    "bars": ["backtest", "sma_cross", "--bars", "FILE"],
    "strategy": ["backtest", "FILE.py:Some", "--bars", "bars.csv"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_waits_for_a_fifo_or_reads_a_device(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = "FILE.py" if command == "strategy" else "FILE"
    fifo, device = tmp_path / "fifo.py", tmp_path / "device.py"
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    for path in (fifo, device):
        words = [word.replace(named, str(path)) for word in COMMANDS[command]]
        monkeypatch.setattr(sys, "argv", ["strades", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert path.stem in said
        assert len(said.splitlines()) == 1


def test_load_reads_no_device(fifo: Path) -> None:
    sources = load_sources(settings().sources)
    for path in (fifo, Path("/dev/zero")):
        with pytest.raises(GivenError, match=f"{path}: expected a readable file, was a (FIFO|device)"):
            user_files([path], load_protocol("yahoo_chart"), {"symbol": "IBM"}, sources, None)
