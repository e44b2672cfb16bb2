"""A real browser and the real server: first account, second factor, Today, a decision, its bytes, halt and resume."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.brokerage.asked_commands import carry_out_asked
from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.ports import free_port
from strades_pipelines.settings import PROJECT
from tests.dashboard.conftest import CLOCK, PASSWORD, decision_id, home
from tests.dashboard.test_accounts import totp
from tests.webserver.browsing import browser_running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

START_SECONDS = 120
PATHS = (
    *(
        "/",
        "/markets/",
        "/markets/11/",
        "/wallets/",
        "/wallets/paper/",
        "/wallets/paper/performance/",
        "/wallets/paper/round-trips/",
        "/wallets/paper/comparison/",
        "/wallets/paper/verification/",
        "/bots/",
        "/historic/",
        "/historic/2024-01-02/?wallet=paper",
        "/commands/",
        "/halt/",
        "/start/",
        "/choice/?day=2024-01-02",
        "/agenda/?day=2024-01-02",
        "/automation/",
        "/automation/requests/",
        "/calendar/",
    ),
    *("/news/", "/statistics/", "/reports/", "/notations/", "/notations/write/?kind=listing&key=11"),
    *("/data/", "/data/records/candles/", "/data/changes/", "/data/changes/record-candle/"),
    *("/search/?q=BTC", "/states/", "/bodies/1/", "/settings/", "/people/"),
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One for the file. Playwright keeps an event loop in this thread, where Django would use no connection."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with browser_running() as started:
        yield started
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def served(traded: psycopg.Connection[Any], site: str) -> Iterator[str]:
    """The dashboard as `strades up` starts it, on the database of the test; gives its address."""
    traded.execute(
        "UPDATE signals.decisions SET inputs = inputs || jsonb_build_object('bars', jsonb_build_object("
        "'listing_id', 11, 'interval', '1m', 'first_open_time', '2024-01-02T00:00:00Z', "
        "'last_open_time', '2024-01-02T00:01:00Z'))"
    )
    traded.commit()
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {
        **os.environ,
        "STRADES_DASHBOARD_DATABASE": site,
        "STRADES_HOME": str(home()),
        "STRADES_SANDBOX_NOW": CLOCK.isoformat(),
    }
    command = [sys.executable, "-m", "dashboard", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment)
    try:
        _wait(process, f"{url}/health/")
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=20) in (0, -15)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the dashboard ended at its start"
            assert time.monotonic() < deadline, "the dashboard did not start"
            time.sleep(0.2)


def watched(page: "Page", url: str) -> list[str]:
    """What goes wrong on a page from here on: errors of the console, answers of 400 and more, foreign hosts."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    # The icon of a page that is left before it came, and what is saved as a file, are aborted by the browser.
    aborted = "net::ERR_ABORTED"
    page.on("requestfailed", lambda sent: wrong.append(f"failed {sent.url}") if sent.failure != aborted else None)
    page.on(
        "request",
        lambda request: wrong.append(request.url) if not request.url.startswith((url, "data:")) else None,
    )
    return wrong


def sign_up(page: "Page", url: str) -> None:
    """Make the first account, with a second factor."""
    page.goto(url)
    page.fill("#id_username", "ada")
    page.fill("#id_password1", PASSWORD)
    page.fill("#id_password2", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/account/second-factor/app/")
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")
    page.fill("#id_code", totp(page.inner_text("#secret")))
    page.click("main button.primary")
    assert len(page.inner_text("#codes").split()) == 10
    page.click("text=Go on")


def test_from_the_first_visit_to_the_bytes_of_a_decision(
    served: str, browser: "Browser", traded: psycopg.Connection[Any]
) -> None:
    # Without JavaScript: there is none.
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        wrong = watched(page, served)
        sign_up(page, served)
        page.wait_for_url(f"{served}/")
        assert page.title() == "Today · Strades"
        assert "gateio:BTC_USDT" in page.content()
        page.click(f'a[href="/decisions/{decision_id(traded)}/"]')
        assert "Why this trade" in page.inner_text("h1")
        page.click('a[href="/bodies/1/"] >> nth=0')
        assert "the stored bytes still have this hash" in page.inner_text("main")
        with page.expect_download() as saved:
            page.click("text=Download the bytes")
        assert saved.value.suggested_filename == "fetch-1.bin"
        for kind, state in (("halt", "halted"), ("resume", "resumed")):
            page.goto(f"{served}/wallets/paper/")
            page.click(f'main a[href^="/{kind}/"]')
            page.select_option("#id_scope", "wallet:paper")
            page.fill("#id_reason", "a look by myself")
            page.keyboard.press("Enter")
            page.wait_for_url("**/commands/*/")
            assert current_state(traded, "paper") == "halted"
            carry_out_asked(traded, clock=lambda: CLOCK)
            page.wait_for_selector(f"text=done: {state}")  # the page looks again by itself
        assert current_state(traded, "paper") == "active"
        assert wrong == []


def test_a_passkey_is_made_and_signs_in_alone_and_as_the_second_factor(served: str, browser: "Browser") -> None:
    place = served.replace("127.0.0.1", "localhost")
    with browser.new_context() as context:
        page = context.new_page()
        wrong = watched(page, place)
        device = context.new_cdp_session(page)
        device.send("WebAuthn.enable", {"enableUI": False})
        key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options = {**key, "isUserVerified": True, "automaticPresenceSimulation": True}
        device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        sign_up(page, place)
        page.goto(f"{place}/account/second-factor/passkeys/new/")
        page.check("#id_passwordless")
        page.fill("#id_name", "laptop")
        page.click("#passkey")
        page.wait_for_url(f"{place}/account/second-factor/")
        assert "laptop" in page.inner_text("main")
        for is_second_factor in (False, True):
            page.click("text=Sign out")
            page.wait_for_url(f"{place}/account/sign-in/")
            if is_second_factor:
                page.fill("#id_login", "ada")
                page.fill("#id_password", PASSWORD)
                page.click("main button.primary")
                page.wait_for_url(f"{place}/account/second-factor/sign-in/")
            page.click("#passkey")
            page.wait_for_url(f"{place}/")
            assert page.title() == "Today · Strades"
        assert wrong == []


def test_today_reads_itself_again_while_it_is_seen_and_nobody_is_at_work_in_it(
    served: str, browser: "Browser", traded: psycopg.Connection[Any]
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.clock.install()  # so that a quarter of a minute is no wait
        wrong = watched(page, served)
        sign_up(page, served)
        page.wait_for_selector("#live-pause:visible")
        answers: list[int] = []
        page.on("response", lambda answer: answers.append(answer.status))

        def quarter_of_a_minute() -> list[int]:
            answers.clear()
            page.clock.run_for(15_500)
            page.wait_for_timeout(0)
            deadline = time.monotonic() + 5
            while not answers and time.monotonic() < deadline:
                page.wait_for_timeout(50)
            return list(answers)

        assert quarter_of_a_minute() == [304]
        traded.execute("UPDATE trading.wallets SET state = 'halted', state_reason = 'a <i>test</i>'")
        traded.commit()
        assert quarter_of_a_minute() == [200]
        page.wait_for_selector("#live >> text=a <i>test</i>")
        page.focus("#live a >> nth=0")
        assert quarter_of_a_minute() == []
        page.evaluate("document.activeElement.blur()")
        page.click("#live-pause")
        page.wait_for_timeout(300)
        assert quarter_of_a_minute() == []
        assert wrong == []


def test_every_page_in_both_themes_and_on_a_phone(served: str, browser: "Browser") -> None:
    with browser.new_context() as context:
        page = context.new_page()
        wrong = watched(page, served)
        sign_up(page, served)
        for path in PATHS:
            grounds = set()
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.goto(served + path)
                grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            assert len(grounds) == 2, path
            page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            page.goto(served + path)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], (path, width)
            page.set_viewport_size({"width": 1280, "height": 800})
        page.click('button[value="fr"]')
        assert "Personnes" in page.inner_text("h1")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.click("text=Se déconnecter")
        assert "Se connecter" in page.inner_text("h1")
        assert wrong == []
