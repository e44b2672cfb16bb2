"""`strades up --nginx`, which `make serve` runs: one command, TLS by a local certificate, one journey in a browser."""

import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from strades_pipelines.system.ports import free_port
from tests.dashboard.browser.watching import Watched, sign_in
from tests.dashboard.conftest import PASSWORD
from tests.end_to_end.graphql import wait_for
from tests.end_to_end.installation import PROJECT, STRADES, Installation, installation
from tests.end_to_end.test_served import left_of
from tests.serving.browsing import browser_running

pytestmark = pytest.mark.slow
START_SECONDS = 300
STOP_SECONDS = 30  # ten on an idle machine: what does not end by itself is killed


@dataclass(frozen=True)
class Served:
    """A running `strades up --nginx`, and the address that it shows to people."""

    installation: Installation
    url: str
    process: "subprocess.Popen[str]"

    def answers(self, path: str) -> bool:
        """Whether a path is answered, by a certificate that the installation made and no authority knows."""
        certificate = self.installation.home / "nginx" / "certificate.pem"
        try:
            trusted = ssl.create_default_context(cafile=str(certificate))
            with urllib.request.urlopen(f"{self.url}{path}", context=trusted, timeout=10) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Started in a home that has no database yet."""
    port = free_port()
    ports = {f"STRADES_{name}_PORT": str(free_port()) for name in ("WEBSERVER", "READONLY", "DOCS", "DASHBOARD")}
    given = {**ports, "STRADES_NGINX_PORT": str(port), "STRADES_SANDBOX_URL": f"http://127.0.0.1:{free_port()}"}
    with installation(environment=given) as made:
        log = (made.home / "up.log").open("w")
        environment = {**os.environ, **made.environment}
        process = subprocess.Popen(
            [STRADES, "up", "--nginx"], env=environment, cwd=PROJECT, stdout=log, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
        running = Served(made, f"https://localhost:{port}", process)
        try:
            wait_for("the sign-in", lambda: running.answers("/account/sign-in/"), seconds=START_SECONDS)
            yield running
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(timeout=60)


def test_somebody_signs_in_through_tls_and_sees_the_dashboard_dagster_and_the_docs(served: Served) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(served.url, timeout=10)
    create: list[str | Path] = [STRADES, "dashboard", "createuser", "ada", "--role", "admin"]
    environment = {**os.environ, **served.installation.environment}
    subprocess.run(create, env=environment, cwd=PROJECT, input=f"{PASSWORD}\n", text=True, check=True)
    docs = served.installation.home / "docs" / "index.html"
    wait_for("Dagster's pages", lambda: served.answers("/dagster/"), seconds=START_SECONDS)
    wait_for("the page of the docs", docs.exists, seconds=START_SECONDS)
    with browser_running("--ignore-certificate-errors") as browser, browser.new_context() as context:
        watched = Watched(context.new_page(), served.url)
        page = watched.page
        sign_in(page, served.url, "ada")
        assert watched.goto("/automation/") == 200  # which asks Dagster, below the path that NGINX shows it at
        page.get_by_text("gateio_schedule").first.wait_for()
        watched.goto("/dagster/automation")
        page.get_by_text("trade_sensor").first.wait_for(timeout=1000 * START_SECONDS)
        assert watched.wrong == []
        assert watched.goto("/dbt-docs/") == 200  # dbt's own page, which asks for files that it can do without
        page.get_by_text("Overview").first.wait_for()
        cookies = {cookie["name"]: cookie for cookie in context.cookies()}
        assert cookies["__Host-strades_session"]["secure"]


def test_ctrl_c_stops_all_of_it_within_seconds(served: Served) -> None:
    """The last one."""
    begun = time.monotonic()
    os.killpg(served.process.pid, signal.SIGINT)
    assert served.process.wait(timeout=60) == 128 + signal.SIGINT
    assert time.monotonic() - begun < STOP_SECONDS
    assert not served.answers("/account/sign-in/")
    assert left_of(served.installation) == []
    assert "Traceback" not in (served.installation.home / "up.log").read_text()
