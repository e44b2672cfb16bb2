"""The folder of the sockets of `strades up`."""

import os
from pathlib import Path

import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.serving.sockets import make_socket_folder, remove_socket_folder, socket_folder
from strades_pipelines.settings import settings


def test_the_sockets_of_a_home_with_a_long_path_are_at_the_same_place_at_each_start(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tor is told the path of the onion's once."""
    tmp_path = tmp_path_factory.mktemp("s")
    monkeypatch.setenv("STRADES_CODE_SOCKET", "")
    homes = [tmp_path / "h", *(tmp_path / (name * 100) for name in "ab")]
    found = []
    for home in homes:
        monkeypatch.setenv("STRADES_HOME", str(home))
        settings.cache_clear()
        for _ in range(2):
            found.append(make_socket_folder())
            assert found[-1].stat().st_mode & 0o777 == 0o700
            remove_socket_folder(found[-1])
    settings.cache_clear()
    assert found[::2] == found[1::2]
    assert found[0] == homes[0] / "run"
    assert len(set(found)) == 3
    assert max(len(str(folder / "dashboard.sock")) for folder in found) <= 100


@pytest.mark.parametrize("foreign", ["link", "file", "owner"])
def test_a_folder_of_sockets_that_somebody_else_made_is_not_used(
    foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / ("h" * 100)))
    settings.cache_clear()
    folder = socket_folder()
    if foreign == "link":
        folder.symlink_to(tmp_path)
    elif foreign == "file":
        folder.touch()
    else:
        folder.mkdir()
        user = os.geteuid() + 1
        monkeypatch.setattr("os.geteuid", lambda: user)
        folder.rename(folder := socket_folder())
    with pytest.raises(BadInput, match=f"{folder} is somebody else's"):
        make_socket_folder()
    folder.rmdir() if foreign == "owner" else folder.unlink()
    settings.cache_clear()
