"""What the command says when it fails."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from strades_pipelines import cli
from strades_pipelines.settings import settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of an installation, which exists."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def complaint(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """What is said of an error of the database."""
    with pytest.raises(SystemExit) as ended:
        cli._complain(RuntimeError("no space\n left [SQL: INSERT INTO much]"), code)
    assert ended.value.code == code
    return capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_an_error_is_one_line_without_its_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, 1) == "strades: no space left\n"


def test_a_full_disk_is_said_first(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=cli.ROOM - 1))
    said = f"strades: the disk of {home} is full: make room and run it again, nothing is lost (no space left)\n"
    assert complaint(capsys, 1) == said
    assert complaint(capsys, 2) == "strades: no space left\n"
