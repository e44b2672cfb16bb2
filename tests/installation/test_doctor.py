"""`strades doctor` finds what others may read, and says what listens and for whom."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from strades_pipelines.cli import app
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.host_limits import HostLimits
from strades_pipelines.installation.doctor import _check_hosts, _findings, examine, show_findings
from strades_pipelines.settings import settings
from strades_pipelines.supervision.record import new_record
from strades_pipelines.system.ports import free_port


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a signing key, and a server that nobody can reach."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/none")
    settings.cache_clear()
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "backup.key").touch(mode=0o600)
    yield tmp_path / "home"
    settings.cache_clear()


def test_what_others_may_read_is_named_and_one_finding_hides_no_other(home: Path) -> None:
    for path in (home, home / "backup.key"):
        path.chmod(0o755)
    found = {finding.what: finding for finding in examine()}
    assert not found["files of the home"].good
    assert f"{home}, {home / 'backup.key'}" in found["files of the home"].detail
    assert not found["database server"].good
    assert found["Wallets.json"].good


@pytest.mark.usefixtures("home")
def test_what_listens_is_listed_with_its_address_and_who_may_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", "3917")
    monkeypatch.setenv("STRADES_READONLY_PORT", "3918")
    settings.cache_clear()
    found = {finding.what: finding for finding in examine()}
    for part in ("webserver 127.0.0.1:3917", "read-only pages 127.0.0.1:3918", "docs 127.0.0.1:", "sandbox 127.0.0.1:"):
        assert part in found["ports"].detail
    assert "every user of this machine can start, stop and delete runs at 127.0.0.1:3917" in found["pages"].detail


@pytest.mark.parametrize("words", [[], ["--security"]])
def test_the_port_that_up_took_for_nginx_is_known(
    words: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up --nginx` takes one that no setting names."""
    monkeypatch.setenv("STRADES_NGINX_PORT", "")  # to be taken away again
    new_record(home / "up.json", stops_database=False, nginx_port=(port := free_port()))
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    found = {each["what"]: each["detail"] for each in json.loads(done.stdout)}
    assert settings().nginx_port == port
    if words:
        assert "/dagster/" in found["Dagster's read-only pages"]
    else:
        assert f"NGINX 127.0.0.1:{port} (free)" in found["ports"]
        assert "/dagster and read" in found["pages"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("user", [0, 1000])
def test_who_runs_it_as_root_is_warned_and_no_more(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    [found] = [finding for finding in examine() if finding.what == "user"]
    assert found.good
    assert found.warning == (user == 0)
    out = io.StringIO()
    show_findings([found], Console(file=out))
    assert out.getvalue().startswith("warn user" if user == 0 else "ok   user")


def test_a_host_that_is_not_asked_is_warned_of_with_what_to_do(own_world: str) -> None:
    assert [(each.state, each.detail) for each in _findings([("hosts", _check_hosts)])] == [
        ("ok", "0 were asked, none holds requests back")
    ]
    with connect(own_world) as connection:
        HostLimits(connection, 300).pause("api.example.org", 3600, "HTTP 418")
    [found] = _findings([("hosts", _check_hosts)])
    assert found.state == "warn"
    assert found.detail.startswith("api.example.org: paused until 2")
    assert found.detail.endswith("(HTTP 418); `strades hosts --release api.example.org` asks it at once")
