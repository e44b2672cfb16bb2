"""`strades doctor --security` finds each thing that docs/security.md rules out, when it is put there."""

import http.server
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from strades_pipelines.database import connection as places
from strades_pipelines.installation.security_check import (
    clear_text_faults,
    cookie_faults,
    examine_security,
    exposed_listeners,
    guard_faults,
    live_faults,
    open_to_others,
    role_faults,
)
from strades_pipelines.settings import settings
from strades_pipelines.system.ports import free_port
from tests.serving.proxied import recorder


@pytest.mark.parametrize(
    ("address", "is_exposed"), [("127.0.0.1", False), ("0.0.0.0", True), ("::1", False), ("::", True)]
)
def test_a_port_that_other_machines_reach_is_found(address: str, is_exposed: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        port = listening.getsockname()[1]
        found = exposed_listeners({"dashboard": port, "docs": port + 1 if port < 65535 else 1})
    assert [line.split(" listens")[0] for line in found] == (["dashboard"] if is_exposed else [])


def test_a_secret_that_others_may_read_is_found(tmp_path: Path, give_settings: Callable[..., None]) -> None:
    home, archive = tmp_path / "home", tmp_path / "archive"
    (home / "postgres").mkdir(parents=True)
    store_keys = tmp_path / "archive-keys"
    give_settings(home=str(home), archive=str(archive), archive_store_keys=str(store_keys))
    keys = home / "nginx" / "certificate.key", home / "nginx" / "onion" / "hs_ed25519_secret_key"
    keys[1].parent.mkdir(parents=True)
    names = [home / "run", home / "postgres" / "password", home / "backup.key", home / "dashboard.key", archive, *keys]
    names += [home / "bundle-key.pem", store_keys]
    for path in names:
        path.mkdir(mode=0o700) if path in (home / "run", archive) else path.touch(mode=0o600)
    home.chmod(0o700)
    assert [path for path in open_to_others() if path.is_relative_to(tmp_path)] == []
    for path in (home, *names):
        before = path.stat().st_mode
        path.chmod(0o740)
        assert path in open_to_others()
        path.chmod(before)


def test_a_key_of_tls_that_others_may_read_is_found_and_that_of_root_may_be_for_a_group(
    tmp_path: Path, give_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.pem"
    give_settings(home=str(tmp_path), tls_key_file=str(key))
    assert key not in open_to_others()  # there is none yet
    for mode, by_owner, by_another in ((0o600, False, False), (0o640, True, False), (0o604, True, True)):
        key.touch()
        key.chmod(mode)
        assert (key in open_to_others()) == by_owner
        with monkeypatch.context() as another:
            another.setattr("os.geteuid", lambda: 4711)
            assert (key in open_to_others()) == by_another


def test_a_login_that_nobody_made_and_a_second_superuser_are_found() -> None:
    ours = [("strades", True, True), ("strades_service", False, False), ("strades_dashboard", False, False)]
    assert role_faults(ours) == []
    [stranger] = role_faults([*ours, ("mallory", False, False)])
    assert stranger.startswith("role mallory may log in")
    [superuser] = role_faults([*ours[:2], ("strades_dashboard", True, False)])
    assert superuser.startswith("role strades_dashboard is a superuser")


def test_a_cookie_for_scripts_other_sites_or_plain_http_is_found(give_settings: Callable[..., None]) -> None:
    good = "strades_csrf=x; expires=Mon, 29 Nov 2027 10:00:00 GMT; HttpOnly; Path=/; SameSite=Lax"
    give_settings(public_host="")
    assert cookie_faults(good) == []
    assert cookie_faults("a=x; Path=/; SameSite=Lax") == ["cookie a is not httponly"]
    assert cookie_faults("a=x; HttpOnly; SameSite=None") == ["cookie a is sent from other sites"]
    give_settings(public_host="strades.example.org")
    assert cookie_faults(good) == ["cookie strades_csrf is not secure"]
    assert cookie_faults(f"{good}; Secure") == []
    give_settings(public_host="http://127.0.0.1:8000")
    assert cookie_faults(good) == []


class Open(http.server.BaseHTTPRequestHandler):
    """Answers whoever asks, as Dagster's own webserver does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def test_pages_without_the_guard_are_found() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = guard_faults(f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
    assert [line.split(" is answered")[0] for line in found] == [
        "a request with a foreign Origin", "a request for a foreign Host", "a request of GraphQL by GET",
    ]  # fmt: skip


def test_both_webservers_are_asked_where_they_serve_behind_nginx(give_settings: Callable[..., None]) -> None:
    with recorder() as full, recorder() as readonly:
        give_settings(nginx_port="8443", webserver_port=str(full.port), readonly_port=str(readonly.port))
        found = {finding.what: finding for finding in examine_security()}
    for name, asked in (("Dagster's pages", full), ("Dagster's read-only pages", readonly)):
        assert {path.partition("?")[0] for path, _ in asked.seen} == {"/dagster/", "/dagster/graphql"}
        assert "is answered with 200, not 403" in found[name].detail


@pytest.fixture
def database(database_url: str, give_settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> str:
    """A world, as this installation's."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", urlsplit(database_url).path[1:])
    settings.cache_clear()
    return database_url


def test_what_goes_to_another_machine_without_tls_is_found(give_settings: Callable[..., None], tmp_path: Path) -> None:
    def found(**values: str) -> list[str]:
        give_settings(archive=str(tmp_path), **values)
        return [fault.split()[0] for fault in clear_text_faults()]

    assert found() == []
    assert found(archive_store="s3://bucket/x?scheme=http&endpoint_override=127.0.0.1:9000") == []
    assert found(archive_store="s3://bucket/x?region=eu-west-3", cold_store="s3://bucket/cold") == []
    assert found(archive_store="s3://bucket/x?scheme=http&endpoint_override=10.0.0.5:9000") == ["STRADES_ARCHIVE_STORE"]
    give_settings(archive_store="s3://bucket/x")
    assert found(cold_store="s3://AKID:canary-key@bucket/x") == ["STRADES_COLD_STORE"]
    assert "canary-key" not in str(clear_text_faults())
    assert found(cold_store="s3://bucket/x?scheme=http&endpoint_override=s3.example.org") == ["STRADES_COLD_STORE"]
    give_settings(cold_store="/mnt/cold")
    assert found(traces_url="http://127.0.0.1:4318/v1/traces", alert_webhook="https://hooks.example.org/x") == []
    assert found(traces_url="http://traces.example.org/v1") == ["STRADES_TRACES_URL"]
    give_settings(traces_url="http://127.0.0.1:4318/v1/traces")
    assert found(alert_webhook="http://hooks.example.org/token") == ["STRADES_ALERT_WEBHOOK"]
    assert found(alert_heartbeat="http://hc.example.org/token", alert_webhook="") == ["STRADES_ALERT_HEARTBEAT"]


def test_live_trading_for_nobody_or_by_one_person_is_found(give_settings: Callable[..., None]) -> None:
    give_settings(live_trading="true", live_one_person="false")
    assert live_faults(["mine"]) == []
    assert live_faults([]) == ["STRADES_LIVE_TRADING is on, and no live wallet is approved: set it to false"]
    give_settings(live_trading="true", live_one_person="true")
    assert live_faults(["mine"]) == ["one person is enough to have mine trade live: STRADES_LIVE_ONE_PERSON"]
    give_settings(live_trading="false")
    assert live_faults([]) == []


def test_one_thing_that_is_wrong_hides_no_other(
    database: str, give_settings: Callable[..., None], tmp_path: Path
) -> None:
    ports = {name: str(free_port()) for name in ("webserver_port", "docs_port", "dashboard_port", "metrics_port")}
    give_settings(
        home=str(tmp_path), dashboard_signup="open", show_tracebacks="true", sandbox_url="http://127.0.0.1:1", **ports
    )
    found = {finding.what: finding for finding in examine_security()}
    assert not found["accounts"].good
    assert not found["debugging"].good
    assert found["Dagster's pages"].warning  # not served: nothing was seen of them
    assert found["dashboard"].warning
    assert found["listeners"].good
    assert found["password of the database"].good
    assert found["live trading"].good
    assert [finding.what for finding in found.values() if "could not be looked at" in finding.detail] == []
