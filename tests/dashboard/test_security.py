"""What every answer says to the browser, who is served at all, and what is kept where."""

import argparse
import io
import logging
import re
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client

import dashboard
from dashboard.__main__ import COMMANDS
from dashboard.secret_key import read_or_make_key
from strades_pipelines.database.sessions import SESSIONS
from tests.dashboard.conftest import PASSWORD, ClientOf, home

HERE = Path(dashboard.__file__).parent
PATHS = [
    "/",
    "/markets/",
    "/historic/",
    "/news/",
    "/notations/",
    "/states/",
    "/settings/",
    "/people/",
    "/account/second-factor/",
    "/4d/",
]


# Pages with a script: a file of this host, and data for it, which no browser runs.
SCRIPTED = {"/", "/4d/"}
DATA = r'<script [^>]*type="application/json">'
OUR_SCRIPT = re.compile(rf'<script src="/static/[\w./-]+\.js"( defer)?></script>|{DATA}')


@pytest.mark.parametrize("path", PATHS)
def test_every_page_forbids_scripts_foreign_hosts_and_frames(path: str, client_of: ClientOf) -> None:
    response = client_of("admin").get(path)
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    scripts = {"script-src": "'self'", "connect-src": "'self'"} if path in SCRIPTED else {"script-src": "'none'"}
    assert policy == {
        "default-src": "'none'",
        **scripts,
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cache-Control"] == "no-store"
    page = OUR_SCRIPT.sub("", response.content.decode()) if path in SCRIPTED else response.content.decode()
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)[^\s\"'<]*\.(?:js|css|woff2?)", page)


def test_no_template_has_a_style_or_a_script_of_its_own() -> None:
    file = re.compile(rf"""<script src="{{% static '[\w./-]+' %}}"( defer)?></script>|{DATA}""")
    for path in HERE.rglob("*.html"):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", file.sub("", path.read_text())), path


def test_a_page_with_passkeys_runs_files_of_this_host_alone(site: str) -> None:
    response = Client(SERVER_NAME="127.0.0.1").get("/account/sign-in/")
    policy = [part.strip() for part in response["Content-Security-Policy"].split(";")]
    assert "script-src 'self'" in policy
    assert "unsafe" not in str(policy)
    assert len(re.findall(r"<script[^>]*>", response.content.decode())) == 5
    assert not re.search(r"<script|\son\w+=", OUR_SCRIPT.sub("", response.content.decode()))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::2]"])
def test_a_host_that_is_not_ours_is_refused(host: str, site: str) -> None:
    assert Client(SERVER_NAME=host).get("/account/sign-in/").status_code == 400


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("post", {"sec-fetch-site": "cross-site"}, 403),
        ("post", {"sec-fetch-site": "same-site"}, 403),
        ("get", {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, 403),
        ("get", {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}, 200),
        ("post", {"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_a_page_of_another_site_can_link_here_and_no_more(
    method: str, headers: dict[str, str], status: int, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    assert getattr(client, method)("/settings/", {"country_code": "xx"}, headers=headers).status_code == status


def test_another_origin_cannot_post_even_with_a_token(client_of: ClientOf) -> None:
    client = client_of("viewer", enforce_csrf_checks=True)
    client.get("/settings/")
    token = client.cookies["strades_csrf"].value
    sent = {"theme": "dark", "csrfmiddlewaretoken": token}
    assert client.post("/preferences/", sent, headers={"origin": "http://127.0.0.1:9999"}).status_code == 403
    assert client.post("/preferences/", sent, headers={"origin": "http://127.0.0.1"}).status_code == 302


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client_of: ClientOf) -> None:
    client_of("viewer", "ada", second_factor=False)
    client = Client(SERVER_NAME="127.0.0.1")
    client.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    client.get("/settings/")
    client.post("/preferences/", {"language": "fr", "theme": "dark", "time_zone": "Europe/Paris"})
    names = {"strades_session", "strades_csrf", "strades_language", "strades_theme", "strades_time_zone"}
    assert set(client.cookies) == names
    for cookie in client.cookies.values():
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_session_has_another_key_after_signing_in(client_of: ClientOf) -> None:
    client_of("viewer", "ada", second_factor=False)
    client = Client(SERVER_NAME="127.0.0.1")
    client.cookies["strades_session"] = "chosenbyanattackerchosenbyanatta"
    client.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    assert client.cookies["strades_session"].value != "chosenbyanattackerchosenbyanatta"


def test_a_body_that_is_too_large_is_refused(client_of: ClientOf) -> None:
    assert client_of("viewer").post("/settings/", {"address": "x" * 300_000}).status_code == 400


def test_the_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "dashboard.key"
    first = read_or_make_key(path)
    assert len(first) >= 50
    assert read_or_make_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_key(tmp_path / "other" / "dashboard.key") != first
    assert (home() / "dashboard.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("host", "listens"), [("0.0.0.0", False), ("192.0.2.7", False), ("::1", True)])
def test_no_network_is_listened_on_before_there_is_an_account(
    host: str,
    listens: bool,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served: list[str] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, _sockets: served.append(self.config.host))
    options = argparse.Namespace(command="serve", host=host, port=1, without_account=False, socket=None)
    assert COMMANDS["serve"](options) == (0 if listens else 2)
    assert served == ([host] if listens else [])
    assert ("createuser NAME --role admin" in capsys.readouterr().err) is not listens
    client_of("admin")
    assert COMMANDS["serve"](options) == 0


def test_a_page_of_another_site_cannot_fill_the_log(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    [console] = [handler for handler in logging.getLogger("django").handlers if handler.get_name() == "console"]
    assert isinstance(console, logging.StreamHandler)
    # Not `setStream`, which flushes the stream of before: that of the test in which Django was set up, closed by now.
    monkeypatch.setattr(console, "stream", written)
    image = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}
    for n in range(20):
        Client(SERVER_NAME="evil.example").get("/")
        Client(SERVER_NAME="127.0.0.1").get(f"/{n}", headers=image)
        logging.getLogger("django.request").error("an error of ours: %s", n)
    lines = written.getvalue().splitlines()
    assert len([line for line in lines if "an error of ours" in line]) == 20
    assert len(lines) <= 22


def test_what_a_backup_leaves_out_and_the_night_deletes_is_where_sessions_are() -> None:
    schema = connections["default"].settings_dict["OPTIONS"]["options"].partition("search_path=")[2].split()[0]
    assert f"{schema}.{Session._meta.db_table}" == SESSIONS


def test_health_answers_without_an_account(site: str) -> None:
    assert Client(SERVER_NAME="127.0.0.1").get("/health/").content == b"ok\n"
