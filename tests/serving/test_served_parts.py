"""The parts of `strades up`, as they are started."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from strades_pipelines.bad_input import BadInput
from strades_pipelines.serving.served_parts import Parts, shown_at
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.ports import free_port, is_taken
from strades_pipelines.system.terminal import Output
from tests.end_to_end.graphql import wait_for
from tests.serving.proxied import ONION, debian_program
from tests.waiting import MOMENT


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


@pytest.fixture
def parts(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """Those of a new home, with NGINX on a port of its own."""
    home, port = tmp_path_factory.mktemp("up"), free_port()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("STRADES_CODE_SOCKET", str(home / "code.sock"))
    monkeypatch.setenv("STRADES_HOME", str(home))
    monkeypatch.setenv("STRADES_PUBLIC_HOST", f"localhost:{port}, 127.0.0.1:{port}, http://{ONION}")
    monkeypatch.setenv("STRADES_NGINX_PORT", str(port))
    settings.cache_clear()
    output = Output(Console(), home / "up.log")
    yield Parts(output, lambda name, pid: None, lambda: pytest.fail("nothing runs that could be asked for"))
    settings.cache_clear()


def test_what_cannot_be_told_to_nginx_is_said_before_anything_is_served(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRADES_PUBLIC_HOST", "http://box.example.org")
    settings.cache_clear()
    with pytest.raises(BadInput, match="STRADES_PUBLIC_HOST"):
        parts.all()


def test_nginx_is_a_part_that_is_started_again_and_leaves_no_process(parts: Parts) -> None:
    debian_program("nginx")
    port = settings().nginx_port or 0
    [nginx] = [part for part in parts.all() if part.name == "nginx"]
    assert nginx.needs == ("dashboard",)
    assert shown_at().dagster == f"https://localhost:{port}/dagster/"
    for _ in range(2):  # the second finds the socket that the first, killed, left behind
        nginx.runner.start()
        wait_for("NGINX", lambda: nginx.probe() == "answers 502", seconds=30, pause=0.1)  # no dashboard serves
        assert (settings().home / "onion.sock").is_socket()
        nginx.runner.kill()
        assert nginx.runner.ended() == f"was ended by {signal.SIGKILL.name}"
        wait_for("the end of its workers", lambda: not is_taken(port), seconds=MOMENT, pause=0.05)
    nginx.runner.start()
    wait_for("NGINX", lambda: nginx.probe() == "answers 502", seconds=30, pause=0.1)
    nginx.runner.terminate()
    wait_for("its end", lambda: nginx.runner.ended() is not None, seconds=MOMENT, pause=0.05)
    assert nginx.runner.ended() == "ended with exit code 0"
