"""The parts of `strades up`, as they are started."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from strades_pipelines.serving import served_parts
from strades_pipelines.serving.served_parts import Parts
from strades_pipelines.settings import PROJECT
from strades_pipelines.system.terminal import Output


def test_the_daemon_starts_where_dagster_finds_no_file_of_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's programs put all of a `.env` in their working folder into their environment."""
    folders: dict[str, Path] = {}

    def note(name: str, command: Any, environment: Any, folder: Path, *others: Any) -> None:
        folders[name] = folder

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("STRADES_CODE_SOCKET", str(tmp_path / "code.sock"))
    monkeypatch.setattr(served_parts, "Child", note)
    output = Output(Console(), tmp_path / "up.log")
    Parts(output, lambda name, pid: None, lambda: pytest.fail("nothing runs that could be asked for")).all()
    assert folders.pop("daemon") == tmp_path
    assert set(folders.values()) == {PROJECT}
