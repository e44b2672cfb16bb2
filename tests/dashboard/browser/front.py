"""The whole behind NGINX: the dashboard on its Unix socket, both of Dagster's webservers, and the dbt docs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from strades_pipelines.serving.nginx import site
from strades_pipelines.settings import Settings
from strades_pipelines.system.ports import free_port
from tests.conftest import cloned
from tests.dashboard.browser.conftest import dashboard_running
from tests.dashboard.browser.world import fill
from tests.dashboard.conftest import PASSWORD, hashed_password, point_at, restored
from tests.serving.proxied import ONION, Answer, Proxy, nginx_running
from tests.serving.serving import Served, code_location, running, webserver

PUBLIC, SIGN_IN = "strades.example.org", "/account/sign-in/"
PEOPLE = {"vera": "viewer", "anna": "analyst", "tom": "trader", "ada": "admin", "bare": "admin"}


@dataclass(frozen=True)
class Front:
    """NGINX and what stands behind it; `cookies` by the names of PEOPLE, of whom `bare` has no second factor."""

    proxy: Proxy
    dagster: Served
    database: str
    cookies: dict[str, str]

    def headers(self, person: str, **more: str) -> dict[str, str]:
        """What the browser of somebody who is signed in sends."""
        return {"Cookie": f"__Host-strades_session={self.cookies[person]}", **more}

    def sign_in(self, by: str, **headers: str) -> Answer:
        """Send `bare`'s name and password, by a way of `Proxy.ask`."""
        form = self.proxy.ask("GET", SIGN_IN, headers, by=by)
        token = str(form.headers["Set-Cookie"]).partition("=")[2].partition(";")[0]
        sent = {
            "Cookie": f"__Host-strades_csrf={token}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{ONION}" if by == "onion" else self.proxy.url,
            **headers,
        }
        fields = {"login": "bare", "password": PASSWORD, "csrfmiddlewaretoken": token}
        return self.proxy.ask("POST", SIGN_IN, sent, urlencode(fields), by=by)


@contextmanager
def front_running(template: str, folder: Path) -> Iterator[Front]:
    """Start it; a page of docs says `the docs`."""
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.html").write_text('<link rel="icon" href="data:,">the docs')
    with cloned(template) as url, ExitStack() as parts:
        fill(url)
        cookies = _signed_in(url)
        workspace = parts.enter_context(code_location(folder))
        names = f"localhost:{(port := free_port())}, {PUBLIC}, http://{ONION}"
        shown = {"path_prefix": "/dagster", "public_host": names}
        full = parts.enter_context(webserver(folder, workspace, **shown))
        readonly = parts.enter_context(webserver(folder, workspace, "--read-only", **shown))
        docs = free_port()
        module = ["python", "-m", "strades_pipelines.serving.docs_server", "--port", str(docs), str(folder / "docs")]
        parts.enter_context(running(module, docs, folder, STRADES_PUBLIC_HOST=names))
        found = Settings(
            _env_file=None,
            nginx_port=port,
            public_host=names,
            webserver_port=full.port,
            readonly_port=readonly.port,
            docs_port=docs,
        )
        described = site(found, folder / "nginx", folder)
        parts.enter_context(dashboard_running(url, full.port, described))
        proxy = parts.enter_context(nginx_running(described))
        yield Front(proxy, full, url, cookies)


def _signed_in(url: str) -> dict[str, str]:
    """The sessions of PEOPLE, by their names."""
    with restored():
        point_at(url)
        return {name: _session(name, role) for name, role in PEOPLE.items()}


def _session(name: str, role: str) -> str:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.test import Client

    from dashboard.accounts.models import User

    client: Any = Client(SERVER_NAME="127.0.0.1")
    user = User.objects.create(pseudo=name, password=hashed_password(), role=role)
    if name != "bare":
        TOTP.activate(user, generate_totp_secret())
    client.force_login(user)
    return str(client.cookies["strades_session"].value)
