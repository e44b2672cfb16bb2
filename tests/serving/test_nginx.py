"""The configuration of NGINX and the torrc: what stands in them, and that the programs themselves take them."""

import base64
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from typer.testing import CliRunner

from strades_pipelines.bad_input import BadInput
from strades_pipelines.operations import serving as commands
from strades_pipelines.serving import nginx
from strades_pipelines.serving.certificate import local_certificate
from strades_pipelines.serving.nginx import Site, render, site, write
from strades_pipelines.settings import Settings, settings
from strades_pipelines.system.ports import free_port
from strades_pipelines.system.processes import tied_to_this_process
from tests.end_to_end.graphql import wait_for
from tests.serving.proxied import ONION, Proxy, Recorder, debian_program, nginx_running, recorder
from tests.waiting import MOMENT, wait_until

NAMES = f"strades.example.org, localhost:8443, http://{ONION}, http://box.example.org:8000"


UPLOAD_PATH = "/data/changes/file/"
HEAD = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a blank in its name, and a short path: a socket's is 107 bytes at most."""
    return tmp_path_factory.mktemp("a b")


def described(folder: Path, **given: object) -> Site:
    """What settings say, with those that are given."""
    found = Settings(_env_file=None, **{"nginx_port": 8443, "public_host": NAMES, **given})  # type: ignore[arg-type]
    return site(found, folder / "nginx", folder)


@contextmanager
def proxied_dashboard(folder: Path, statuses: Mapping[str, int], dagster: int = 1) -> Iterator[tuple[Proxy, Recorder]]:
    """NGINX in front of a server that stands for the dashboard, and answers by `statuses`."""
    place = f"127.0.0.1:{dagster}"
    found = replace(described(folder), listen=f"127.0.0.1:{free_port()}", webserver=place, readonly=place)
    with recorder(found.dashboard_socket, statuses) as kept, nginx_running(found) as proxy:
        yield proxy, kept


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
        {"public_host": "münchen.example.org"},
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


def test_files_of_a_certificate_are_found_where_their_paths_begin_at_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian_program("nginx")
    made = local_certificate(folder / "made", ["localhost"])
    monkeypatch.chdir(folder)
    given = [path.relative_to(folder) for path in made]
    write(described(folder, tls_certificate_file=given[0], tls_key_file=given[1]))
    checked = subprocess.run([*nginx.command(folder / "nginx"), "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_a_name_with_other_letters_is_refused_before_a_certificate_is_made(folder: Path) -> None:
    with pytest.raises(BadInput, match="xn--"):
        described(folder, public_host="münchen.example.org")
    assert not (folder / "nginx").exists()


def test_root_starts_it_as_root_whatever_the_environment_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert described(folder).user == "root"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert described(folder).user is None


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


def test_tor_makes_the_services_name_and_reads_its_peoples_keys(folder: Path) -> None:
    """Without a network: it serves nobody, but what stands on the disk is made and read."""
    write(described(folder))
    onion, torrc = folder / "nginx" / "onion", folder / "nginx" / "torrc"
    command = [debian_program("tor"), "-f", str(torrc), "--DisableNetwork", "1", "--Log", "info stderr"]

    def started() -> str:
        """What Tor says until it has read its keys."""
        with subprocess.Popen(tied_to_this_process(command), stderr=subprocess.PIPE, text=True) as tor:
            assert tor.stderr is not None
            lines = []
            for line in tor.stderr:
                lines.append(line)
                if "hide_intro_circuits" in line:  # the first that follows
                    break
            tor.kill()
        return "".join(lines)

    assert "Loading v3 onion service keys" in started()
    name = (onion / "hostname").read_text()
    assert re.fullmatch(r"[a-z2-7]{56}\.onion\n", name)
    assert stat.S_IMODE((onion / "hs_ed25519_secret_key").stat().st_mode) == 0o600
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    key = base64.b32encode(public).decode().rstrip("=")
    assert len(key) == 52
    (onion / "authorized_clients" / "ada.auth").write_text(f"descriptor:x25519:{key}\n")
    (onion / "authorized_clients" / "eve.auth").write_text(f"descriptor:x25519:{key[:-3]}\n")
    said = started()
    assert "Client authorization encoded base32 public key length is invalid" in said
    assert "Loaded a client authorization key file ada.auth" in said
    assert "Loaded a client authorization key file eve.auth" not in said
    assert (onion / "hostname").read_text() == name


def test_a_killed_nginx_leaves_a_socket_that_keeps_no_next_one_from_listening(folder: Path) -> None:
    found = replace(described(folder), listen=f"127.0.0.1:{free_port()}")
    with nginx_running(found) as proxy:
        write(found)  # as `strades nginx` beside a server that runs
        assert proxy.ask("GET", "/", by="onion").status == 502
    killed = subprocess.Popen(tied_to_this_process(nginx.command(found.folder)), stderr=subprocess.DEVNULL)
    wait_until(lambda: nginx.nginx_answers(proxy.port) == "answers 502")
    master = psutil.Process(killed.pid)
    processes = [master, *master.children(recursive=True)]
    for process in processes:
        process.kill()
    killed.wait()
    psutil.wait_procs(processes, timeout=30)  # until the kernel has closed what they listened on
    assert found.onion_socket.is_socket()
    with nginx_running(found) as proxy:
        assert proxy.ask("GET", "/", by="onion").status == 502
    found.onion_socket.write_text("no socket")
    write(found)
    assert found.onion_socket.read_text() == "no socket"


def test_nginx_alone_says_that_the_part_behind_is_gone(folder: Path) -> None:
    with nginx_running(replace(described(folder), listen=f"127.0.0.1:{free_port()}")) as proxy:
        assert nginx.nginx_answers(proxy.port) == "answers 502"
        answer = proxy.ask("GET", "/")
        assert (answer.status, answer.headers["X-Frame-Options"]) == (502, "DENY")
    assert nginx.nginx_answers(proxy.port) == "does not answer"


def test_a_connection_that_the_part_behind_may_close_is_not_used_again(folder: Path) -> None:
    """A POST on it would fail: NGINX sends no POST twice."""
    idle = uvicorn.Config(lambda: None).timeout_keep_alive
    upstreams = re.findall(r"upstream \w+ \{(.*)\}", render(described(folder))["nginx.conf"])
    assert len(upstreams) == 4
    for upstream in upstreams:
        [seconds] = re.findall(r"keepalive_timeout (\d+)s;", upstream)
        assert int(seconds) < idle


def test_the_file_of_a_visitor_without_an_account_is_not_read(folder: Path) -> None:
    with proxied_dashboard(folder, {"/auth/docs/": 401}) as (proxy, kept):
        with proxy.opened() as visitor:
            visitor.sendall((HEAD % (UPLOAD_PATH, proxy.host, 8_000_000)).encode() + b"x" * 200_000)
            assert visitor.recv(1000).startswith(b"HTTP/1.1 302 ")  # the rest of the body was not waited for
            assert list((folder / "nginx" / "client_body").iterdir()) == []
        assert [path for path, _ in kept.seen] == ["/auth/docs/"]
    for name in ("X-Original-URI", "X-Original-Method"):
        assert kept.seen[0][1][name] in (UPLOAD_PATH, "POST")


def test_a_file_is_handed_on_as_it_comes_and_never_kept(folder: Path) -> None:
    with proxied_dashboard(folder, {"/auth/docs/": 204}) as (proxy, kept), proxy.opened() as visitor:
        visitor.sendall((HEAD % (UPLOAD_PATH, proxy.host, 400_000)).encode() + b"x" * 300_000)
        wait_for("the beginning of the file", lambda: "POST " + UPLOAD_PATH in kept.begun, seconds=MOMENT, pause=0.02)
        assert list((folder / "nginx" / "client_body").iterdir()) == []
        visitor.sendall(b"x" * 100_000)
        assert visitor.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert kept.seen[-1][0] == UPLOAD_PATH


def test_graphql_of_more_than_a_form_is_handed_on(folder: Path) -> None:
    with recorder() as dagster, proxied_dashboard(folder, {"/auth/dagster/": 204}, dagster.port) as (proxy, _kept):
        assert proxy.ask("POST", "/dagster/graphql", body=b"x" * 1_000_000).status == 200
    assert [path for path, _ in dagster.seen] == ["/dagster/graphql"]


@pytest.mark.parametrize(
    "path", ["/calendar/KEY.ics", "//calendar/KEY.ics", "/%63alendar/KEY.ics", "/invitation/KEY/",
             "/digest/stop/KEY/",
             "/organizations/join/KEY/", "/account/openid/callback/?code=KEY"],
)  # fmt: skip
def test_an_error_tells_no_key_that_stands_in_an_address(path: str, folder: Path) -> None:
    with nginx_running(replace(described(folder), listen=f"127.0.0.1:{free_port()}")) as proxy:
        assert proxy.ask("GET", path).status == 502
        assert proxy.ask("POST", path, body=b"x" * 300_000).status == 413
        assert proxy.ask("GET", "/markets/").status == 502
    told = (folder / "nginx" / "output").read_text()
    assert "KEY" not in told
    assert "/markets/" in told  # what is no key is told


def test_what_a_visitor_sends_too_much_of_leaves_no_line(folder: Path) -> None:
    with proxied_dashboard(folder, {}) as (proxy, _kept):
        statuses = {proxy.ask("POST", "/account/sign-in/", body=b"x" * 100_000).status for _ in range(40)}
    assert statuses == {200, 429}
    assert (folder / "nginx" / "output").read_text() == ""


def test_the_dashboard_may_be_elsewhere(folder: Path) -> None:
    with recorder() as kept:
        elsewhere = {"listen": f"127.0.0.1:{free_port()}", "dashboard": f"127.0.0.1:{kept.port}"}
        with nginx_running(replace(described(folder), **elsewhere)) as proxy:  # type: ignore[arg-type]
            assert proxy.ask("GET", "/markets/").status == 200
    assert [path for path, _ in kept.seen] == ["/markets/"]


def test_the_command_writes_for_other_places_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_HOME", str(folder))
    monkeypatch.setenv("STRADES_NGINX_PORT", "8443")
    settings.cache_clear()
    words = ["nginx", str(folder / "out"), "--listen", "0.0.0.0:9443", "--webserver", "webserver:3000"]
    done = CliRunner().invoke(commands.app, [*words, "--sockets", "/run/strades"])
    there = CliRunner().invoke(commands.app, ["nginx", str(folder / "there"), "--dashboard", "strades-dashboard:8000"])
    settings.cache_clear()
    assert done.exit_code == 0, done.output
    text = (folder / "out" / "nginx.conf").read_text()
    assert "listen 0.0.0.0:9443 ssl default_server;" in text
    assert "upstream dagster_write { server webserver:3000;" in text
    assert 'server "unix:/run/strades/dashboard.sock"' in text
    assert there.exit_code == 0, there.output
    assert 'server "strades-dashboard:8000"' in (folder / "there" / "nginx.conf").read_text()


def test_without_nginx_up_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_names, **_options: None)
    with pytest.raises(BadInput, match="apt-get install nginx"):
        nginx.program()
