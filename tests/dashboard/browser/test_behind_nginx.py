"""What NGINX lets through and what it refuses, with the real parts behind it, over TLS and at the onion's listener."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from dashboard import settings as django_settings
from strades_pipelines.database.connection import connect as connect_database
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.serving.nginx import nginx_answers
from strades_pipelines.system.ports import free_port
from tests.dashboard.browser.front import PEOPLE, PUBLIC, SIGN_IN, Front, front_running
from tests.dashboard.browser.watching import Watched
from tests.dashboard.conftest import PASSWORD
from tests.serving.proxied import ONION, Answer, nginx_running, recorder
from tests.serving.serving import LAUNCH

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
JSON = {"Content-Type": "application/json"}
QUERY = json.dumps({"query": "{ version }"})
REPORT = "/dagster/report_asset_materialization/bars?partition=2012-03-01"
HARDENING = ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")
VIEWERS = [name for name in PEOPLE if name != "ada"]


@pytest.fixture(scope="module")
def front(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One for the file."""
    with front_running(template, tmp_path_factory.mktemp("front")) as started:
        yield started


def mutation(front: Front, person: str, text: str, **headers: str) -> Answer:
    """POST a mutation as a program does."""
    return front.proxy.ask(
        "POST", "/dagster/graphql", front.headers(person, **JSON, **headers), json.dumps({"query": text})
    )


def assert_nginx_answers(status: int, answer: Answer) -> None:
    """NGINX refused it by itself: the parts behind, which refuse some of it too, got nothing."""
    assert (answer.status, "<center>nginx</center>" in answer.text) == (status, True), answer


def test_without_a_session_a_page_leads_to_the_sign_in_and_a_program_is_told(front: Front) -> None:
    page = front.proxy.ask("GET", "/dagster/runs?q=1&view=all")
    assert (page.status, page.headers["Location"]) == (
        302,
        f"{SIGN_IN}?next={quote('/dagster/runs?q=1&view=all', safe='/')}",
    )
    assert front.proxy.ask("GET", "//dagster/runs").headers["Location"] == f"{SIGN_IN}?next=/"  # not another host
    assert front.proxy.ask("GET", "/dbt-docs/").headers["Location"] == f"{SIGN_IN}?next=/dbt-docs/"
    assert front.proxy.ask("POST", "/dagster/graphql", JSON, QUERY).status == 401
    forged = {"Cookie": f"__Host-strades_session={'a' * 32}"}
    assert front.proxy.ask("POST", "/dagster/graphql", JSON | forged, QUERY).status == 401
    with pytest.raises(InvalidStatus, match="401"), subscription(front, {}):
        pass


def test_who_is_signed_in_is_shown_dagster_and_the_docs(front: Front) -> None:
    for person in PEOPLE:
        assert front.proxy.ask("GET", "/dagster/server_info", front.headers(person)).status == 200
        assert '"version"' in front.proxy.ask("POST", "/dagster/graphql", front.headers(person, **JSON), QUERY).text
        assert front.proxy.ask("GET", "/dbt-docs/", front.headers(person)).text.endswith("the docs")


@pytest.mark.parametrize("person", VIEWERS)
def test_who_is_no_admin_with_a_second_factor_changes_nothing_in_dagster(front: Front, person: str) -> None:
    with front.dagster.unchanged():
        for text in (front.dagster.stop_mutation(), LAUNCH):
            assert "UnauthorizedError" in mutation(front, person, text).text
        assert front.proxy.ask("POST", REPORT, front.headers(person, **JSON), "{}").status == 403


def test_an_admin_changes_what_is_asked_for(front: Front) -> None:
    before = front.dagster.state()
    assert "StopSensorMutationResult" in mutation(front, "ada", front.dagster.stop_mutation()).text
    assert front.proxy.ask("POST", REPORT, front.headers("ada", **JSON), "{}").status == 200
    after = front.dagster.state()
    assert (before["sensor"], after["sensor"]) == ("RUNNING", "STOPPED")
    assert after["materializations"] == before["materializations"] + 1


@pytest.mark.parametrize("path", ["/dagster/graphql", "/dagster//graphql", "/dagster/%67raphql", "/dagster/graphql/"])
def test_graphql_by_get_is_refused_whatever_it_is_upgraded_to(front: Front, path: str) -> None:
    target = f"{path}?query={quote(LAUNCH)}"
    upgrades: list[dict[str, str]] = [
        {},
        {"Upgrade": "x", "Connection": "upgrade"},
        {"Upgrade": "websocket, x"},
        {"Upgrade": "xwebsocket"},
    ]
    with front.dagster.unchanged():
        for upgrade in upgrades:
            for method in ("GET", "HEAD"):
                assert front.proxy.ask(method, target, front.headers("ada", **upgrade)).status == 405, upgrade
        no_handshake = {"Upgrade": "websocket", "Connection": "upgrade"}
        assert front.proxy.ask("GET", target, front.headers("ada", **no_handshake)).status in (400, 403, 426)


def test_a_page_of_another_origin_is_refused(front: Front) -> None:
    foreign = [
        "https://evil.example",
        "null",
        f"http://{front.proxy.host}",
        "https://localhost",
        f"{front.proxy.url}.x",
    ]
    with front.dagster.unchanged():
        for origin in foreign:
            assert_nginx_answers(403, mutation(front, "ada", LAUNCH, Origin=origin))
            sent = front.headers("ada", Origin=origin, **JSON)
            assert_nginx_answers(403, front.proxy.ask("POST", REPORT, sent, "{}"))
    own = front.headers("ada", Origin=front.proxy.url, **JSON)
    assert front.proxy.ask("POST", "/dagster/graphql", own, QUERY).status == 200


def subscription(front: Front, headers: dict[str, str], origin: str | None = None):  # type: ignore[no-untyped-def]
    """The web socket of Dagster's subscriptions."""
    return connect(
        f"wss://{front.proxy.host}/dagster/graphql",
        ssl=front.proxy.tls(),
        subprotocols=[Subprotocol("graphql-ws")],
        additional_headers=headers,
        origin=Origin(origin) if origin else None,
        proxy=None,
    )


@pytest.mark.parametrize("person", ["vera", "ada"])
def test_a_subscription_is_acknowledged(front: Front, person: str) -> None:
    with subscription(front, front.headers(person), front.proxy.url) as opened:
        assert opened.subprotocol == "graphql-ws"
        opened.send(json.dumps({"type": "connection_init"}))
        assert json.loads(opened.recv(timeout=30)) == {"type": "connection_ack"}
    with (
        pytest.raises(InvalidStatus, match="403"),
        subscription(front, front.headers(person), "https://evil.example"),
    ):
        pass


def test_what_has_no_accounts_gets_nothing_by_which_somebody_is_signed_in(front: Front, tmp_path: object) -> None:
    with recorder() as kept, ExitStack() as parts:
        place = f"127.0.0.1:{kept.port}"
        site = front.proxy.site
        folder = site.folder.with_name("recorded")
        described = replace(
            site, listen=f"127.0.0.1:{free_port()}", webserver=place, docs=place, folder=folder,
            onion_socket=folder / "onion.sock",
        )  # fmt: skip
        other = parts.enter_context(nginx_running(described))
        sent = front.headers("ada", Authorization="Basic YTpi", **{"X-Forwarded-For": "192.0.2.1"})
        answers = [other.ask("GET", path, sent) for path in ("/dagster/runs", "/dbt-docs/manifest.json")]
    assert [answer.status for answer in answers] == [200, 200]
    assert [path for path, _ in kept.seen] == ["/dagster/runs", "/manifest.json"]
    for answer, (_, headers) in zip(answers, kept.seen, strict=True):
        names = {name.lower() for name in headers}
        assert not names & {"cookie", "authorization", "x-forwarded-for", "x-real-ip", "x-original-uri"}
        assert headers["Host"] == other.host
        assert answer.headers["Set-Cookie"] is None


def test_large_bodies_are_refused_before_they_are_passed_on(front: Front) -> None:
    def status(path: str, size: int) -> int:
        return front.proxy.ask("POST", path, front.headers("ada", **JSON), b"x" * size).status

    assert status("/settings/", django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1) == 413
    largest = django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    assert status(django_settings.UPLOAD_PATH, largest + 1) == 413
    assert status(django_settings.UPLOAD_PATH, largest) == 403  # it came through: the form has no token
    assert status("/dagster/graphql", 1_100_000) == 413
    assert status(REPORT, 300_000) == 413


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/auth/dagster/", "/auth/docs/", "/-/auth/dagster/"])
def test_what_is_for_this_machine_alone_is_not_there(front: Front, path: str) -> None:
    assert_nginx_answers(404, front.proxy.ask("GET", path, front.headers("ada")))


def test_only_its_own_names_are_served(front: Front) -> None:
    for host in ("evil.example", f"127.0.0.1:{front.proxy.port}", ONION, "localhost.evil.example"):
        assert front.proxy.ask("GET", "/", {"Host": host}).status == 421, host
    assert nginx_answers(front.proxy.port) is None
    plain = front.proxy.ask("GET", "/markets/?day=1", by="plain")
    assert (plain.status, plain.headers["Location"]) == (301, f"{front.proxy.url}/markets/?day=1")


def test_each_header_of_security_is_there_once_whoever_answers(front: Front) -> None:
    ada = front.headers("ada")
    asked = [
        ("/", ada, 200), ("/dagster/", ada, 200), ("/dbt-docs/", ada, 200), ("/static/none.css", {}, 404),
        ("/dagster/", {}, 302), ("/metrics", {}, 404), ("/dagster/graphql", ada, 405),
    ]  # fmt: skip
    for path, headers, status in asked:
        answer = front.proxy.ask("GET", path, headers)
        assert answer.status == status, path
        assert [len(answer.headers.get_all(name, [])) for name in HARDENING] == [1, 1, 1], (path, answer.headers)
        assert "frame-ancestors 'none'" in ", ".join(answer.headers.get_all("Content-Security-Policy", [])), path
        assert answer.headers.get_all("Strict-Transport-Security") is None, path  # of localhost
        public = front.proxy.ask("GET", path, {"Host": PUBLIC, **headers})
        expected = ["max-age=31536000"]
        assert public.headers.get_all("Strict-Transport-Security") == expected, path
        assert not re.search(r"nginx/\d", answer.headers.get("Server", "") + answer.text)


CONNECTIONS = "SELECT host(ip) FROM dashboard.connections ORDER BY id DESC LIMIT 1"


@pytest.mark.parametrize(("by", "address"), [("tls", "127.0.0.1"), ("onion", "::")])
def test_a_visitor_is_known_by_the_address_that_nginx_saw_and_by_no_other(front: Front, by: str, address: str) -> None:
    answer = front.sign_in(by, **{"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1"})
    assert (answer.status, answer.headers["Location"]) == (302, "/")
    [cookie] = [each for each in answer.headers.get_all("Set-Cookie") or [] if "strades_session" in each]
    assert cookie.startswith("__Host-strades_session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    with connect_database(front.database, role=DASHBOARD_ROLE) as connection:
        assert connection.execute(CONNECTIONS).fetchall() == [(address,)]


def test_the_onion_service_is_served_on_its_socket_alone(front: Front) -> None:
    def ask(path: str, headers: dict[str, str] | None = None) -> Answer:
        return front.proxy.ask("GET", path, headers, by="onion")

    page = ask("/dagster/runs")
    assert (page.status, page.headers["Location"]) == (302, f"{SIGN_IN}?next=/dagster/runs")
    shown = ask("/", front.headers("vera"))
    assert shown.status == 200
    assert shown.headers["Strict-Transport-Security"] is None
    assert PUBLIC not in str(shown.headers) + shown.text
    for host in ("localhost", PUBLIC, "127.0.0.1"):
        assert ask("/", {"Host": host}).status == 421
    assert ask("/metrics").status == 404
    assert ask("/health/", {"Host": "health"}).status == 421
    own = front.headers("ada", Origin=f"http://{ONION}", **JSON)
    assert front.proxy.ask("POST", "/dagster/graphql", own, QUERY, by="onion").status == 200


def test_the_whole_in_a_browser(front: Front, browser: "Browser") -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        watched = Watched(context.new_page(), front.proxy.url)
        page, frames = watched.page, list[str]()
        page.on("websocket", lambda opened: opened.on("framereceived", lambda frame: frames.append(str(frame))))

        def wait_for_sockets(count: int) -> None:
            """Until so many were acknowledged: a page that is left before would tell of it as an error."""
            for _ in range(600):
                if sum("connection_ack" in frame for frame in frames) >= count:
                    return
                page.wait_for_timeout(100)
            raise AssertionError("no subscription was acknowledged")

        watched.goto("/dagster/assets/bars")
        assert page.url == f"{front.proxy.url}{SIGN_IN}?next=/dagster/assets/bars"
        page.fill("#id_login", "bare")
        page.fill("#id_password", PASSWORD)
        page.click("main button.primary")
        page.get_by_text("Latest materialization").first.wait_for(timeout=60_000)
        wait_for_sockets(1)
        page.goto(f"{front.proxy.url}/dagster/automation")
        page.get_by_text("trade_sensor").first.wait_for(timeout=60_000)
        wait_for_sockets(2)
        page.wait_for_timeout(1000)  # for what it asks afterwards
        watched.goto("/")
        watched.follow("text=why >> nth=0")
        page.wait_for_selector("text=Why this trade")
        watched.goto("/dbt-docs/")
        assert page.inner_text("body") == "the docs"
        assert watched.wrong == []


def test_attempts_to_sign_in_are_limited_and_pages_are_not(front: Front) -> None:
    """The last one: those after it would be refused."""
    with ThreadPoolExecutor(40) as attempts:  # at once: one after another, a slow machine stays below the rate
        answers = list(attempts.map(lambda _: front.proxy.ask("POST", SIGN_IN).status, range(40)))
    assert set(answers) == {403, 429}  # without a token of the form
    assert answers.count(429) >= 10
    assert front.proxy.ask("GET", SIGN_IN).status == 200
    assert front.proxy.ask("POST", "/preferences/").status == 403
