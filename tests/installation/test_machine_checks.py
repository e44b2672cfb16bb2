"""What `strades doctor` says of the machine's disk and ports."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strades_pipelines.installation import machine_checks
from strades_pipelines.installation.machine_checks import check_disk_space, check_ports
from strades_pipelines.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_port_on_which_something_listens_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("STRADES_DOCS_PORT", str(port))
        settings.cache_clear()
        assert f"docs 127.0.0.1:{port} (in use)" in check_ports()
    assert f"docs 127.0.0.1:{port} (free)" in check_ports()


def test_a_disk_with_less_room_than_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "SPACE_NEEDED", 1)
    assert check_disk_space().endswith(" GB free")
    monkeypatch.setattr(machine_checks, "SPACE_NEEDED", 10**30)
    with pytest.raises(RuntimeError, match=r"GB free at .*; make room for at least \d+ GB"):
        check_disk_space()
