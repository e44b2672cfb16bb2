"""The parts of `strades up`, as they are started."""

from pathlib import Path

import pytest
from rich.console import Console

from strades_pipelines.serving.served_parts import Parts
from strades_pipelines.settings import PROJECT
from strades_pipelines.system.terminal import Output


def test_the_daemon_starts_where_dagster_finds_no_file_of_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's programs put all of a `.env` in their working folder into their environment."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("STRADES_CODE_SOCKET", str(tmp_path / "code.sock"))
    output = Output(Console(), tmp_path / "up.log")
    parts = Parts(output, lambda name, pid: None, lambda: pytest.fail("nothing runs that could be asked for"))
    parts.all()
    folders = {name: child.folder for name, child in parts.children.items()}
    assert folders.pop("daemon") == tmp_path
    assert set(folders.values()) == {PROJECT}
