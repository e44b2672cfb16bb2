"""The configuration of NGINX and the torrc: what stands in them, and that the programs themselves take them."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from strades_pipelines.bad_input import BadInput
from strades_pipelines.operations import serving as commands
from strades_pipelines.serving import nginx
from strades_pipelines.serving.nginx import Site, render, site, write
from strades_pipelines.settings import Settings, settings
from strades_pipelines.system.ports import free_port
from tests.serving.proxied import ONION, debian_program, nginx_running

NAMES = f"strades.example.org, localhost:8443, http://{ONION}, http://box.example.org:8000"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a blank in its name, and a short path: a socket's is 107 bytes at most."""
    return tmp_path_factory.mktemp("a b")


def described(folder: Path, **given: object) -> Site:
    """What settings say, with those that are given."""
    found = Settings(_env_file=None, **{"nginx_port": 8443, "public_host": NAMES, **given})  # type: ignore[arg-type]
    return site(found, folder / "nginx", folder)


def test_without_a_port_nothing_changes_and_with_one_the_rest_follows() -> None:
    off, on = Settings(_env_file=None), Settings(_env_file=None, nginx_port=8443)
    assert (off.dagster_path, off.readonly_port, off.public_host) == ("", None, "")
    assert (on.dagster_path, on.readonly_port) == ("/dagster", 3001)
    assert on.public_host == "localhost:8443, 127.0.0.1:8443"
    named = Settings(_env_file=None, nginx_port=8443, readonly_port=3007, public_host="strades.example.org")
    assert (named.readonly_port, named.public_host) == (3007, "strades.example.org")


def test_names_with_tls_and_the_onion_have_a_listener_each_and_other_names_none(folder: Path) -> None:
    files = render(described(folder))
    assert "server_name localhost strades.example.org;" in files["nginx.conf"]
    assert f"server_name {ONION};" in files["onion.conf"]
    assert "box.example.org" not in files["onion.conf"]
    assert f'HiddenServicePort 80 unix:"{folder}/onion.sock"' in files["torrc"]
    without = render(described(folder, public_host="strades.example.org"))
    assert set(files) - set(without) == {"onion.conf", "torrc"}
    assert not [name for name, text in files.items() if "%{" in text]


@pytest.mark.parametrize(
    "given",
    [
        {"public_host": 'a"b.example.org'},
        {"public_host": "strades.example.org;"},
        {"public_host": "a{b}.example.org"},
        {"public_host": "http://box.example.org"},  # no name for TLS
    ],
)
def test_what_would_be_more_than_a_value_is_refused(given: dict[str, str], folder: Path) -> None:
    with pytest.raises(BadInput, match="STRADES_PUBLIC_HOST"):
        render(described(folder, **given))


@pytest.mark.parametrize("name", ['a"b', "a$b", "a\nb", "a\\b"])
def test_a_path_that_would_be_more_than_a_path_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(BadInput, match="path"):
        render(replace(described(folder), dashboard_socket=folder / name))


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_limit(folder: Path) -> None:
    with pytest.raises(BadInput, match="100 letters"):
        render(replace(described(folder), onion_socket=Path("/" + "a" * 100)))


def test_one_of_two_files_of_a_certificate_is_refused_and_empty_ones_count_as_none(folder: Path) -> None:
    certificate, key = folder / "chain.pem", folder / "key.pem"
    with pytest.raises(BadInput, match=r"chain\.pem is no file"):
        described(folder, tls_certificate_file=certificate)
    certificate.touch()
    key.touch()
    made = described(folder, tls_certificate_file=certificate, tls_key_file=key)
    assert made.certificate == (folder / "nginx" / "certificate.pem", folder / "nginx" / "certificate.key")
    certificate.write_text("x")
    with pytest.raises(BadInput, match="expected both"):
        described(folder, tls_certificate_file=certificate, tls_key_file=key)
    key.write_text("x")
    assert described(folder, tls_certificate_file=certificate, tls_key_file=key).certificate == (certificate, key)


def test_the_files_are_for_their_owner_alone_and_an_onion_that_is_gone_leaves_none(folder: Path) -> None:
    write(described(folder))
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "nginx").iterdir()}
    assert set(found) >= {"nginx.conf", "pages.conf", "onion.conf", "torrc", "certificate.key"}
    assert set(found.values()) == {0o600}
    write(described(folder, public_host="strades.example.org"))
    assert not (folder / "nginx" / "onion.conf").exists()
    assert not (folder / "nginx" / "torrc").exists()


def test_nginx_takes_the_files_also_in_a_folder_with_a_blank(folder: Path) -> None:
    debian_program("nginx")
    write(described(folder))
    checked = subprocess.run([*nginx.command(folder / "nginx"), "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    broken = (folder / "nginx" / "pages.conf").read_text().replace("auth_request", "auth_requests", 1)
    (folder / "nginx" / "pages.conf").write_text(broken)
    assert subprocess.run([*nginx.command(folder / "nginx"), "-t"], capture_output=True, check=False).returncode == 1


def test_tor_takes_the_torrc_which_is_a_service_and_no_client(folder: Path) -> None:
    write(described(folder))
    torrc = folder / "nginx" / "torrc"
    check = [debian_program("tor"), "--verify-config", "-f", str(torrc)]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert {"SocksPort 0", "HiddenServiceVersion 3"} <= set(torrc.read_text().splitlines())
    torrc.write_text(torrc.read_text().replace("unix:", "tcp:"))
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1


def test_nginx_alone_says_that_the_part_behind_is_gone(folder: Path) -> None:
    with nginx_running(replace(described(folder), listen=f"127.0.0.1:{free_port()}")) as proxy:
        assert nginx.nginx_answers(proxy.port) == "answers 502"
        answer = proxy.ask("GET", "/")
        assert (answer.status, answer.headers["X-Frame-Options"]) == (502, "DENY")
    assert nginx.nginx_answers(proxy.port) == "does not answer"


def test_the_command_writes_for_other_places_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_HOME", str(folder))
    monkeypatch.setenv("STRADES_NGINX_PORT", "8443")
    settings.cache_clear()
    words = ["nginx", str(folder / "out"), "--listen", "0.0.0.0:9443", "--webserver", "webserver:3000"]
    done = CliRunner().invoke(commands.app, [*words, "--sockets", "/run/strades"])
    settings.cache_clear()
    assert done.exit_code == 0, done.output
    text = (folder / "out" / "nginx.conf").read_text()
    assert "listen 0.0.0.0:9443 ssl default_server;" in text
    assert "upstream dagster_write { server webserver:3000;" in text
    assert 'server "unix:/run/strades/dashboard.sock"' in text


def test_without_nginx_up_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_names, **_options: None)
    with pytest.raises(BadInput, match="apt-get install nginx"):
        nginx.program()
